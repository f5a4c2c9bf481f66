"""What ``bench.gpu_check`` does on a GPU, part by part."""
