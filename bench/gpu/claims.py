"""Rows of docs/gpu-status.md that a run can speak for, by how they begin."""

TRITON = "Triton kernels equal"
CUBINS = "cubins for sm_80"
LOADER = "the C++ loader launches"
FRAME = "a whole frame runs on one stream"
BUILDS = "TensorRT builds every exported graph"
NUMERICS = "TensorRT computes what torch computes"
RUNTIME = "`libvocabseg_tensorrt.so` runs engines"
BINDINGS = "pycuda and cuda-bindings drive"
LATENCY = "any latency"
ALL = (TRITON, CUBINS, LOADER, FRAME, BUILDS, NUMERICS, RUNTIME, BINDINGS, LATENCY)
