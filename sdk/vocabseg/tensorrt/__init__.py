"""TensorRT engines of a bundle's networks: built on the device, checked there, and kept under a key.

Nothing here imports tensorrt or a CUDA binding before an engine is built or run, and both happen in processes of
their own or when they are asked for.
"""
