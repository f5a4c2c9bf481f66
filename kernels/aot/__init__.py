"""Kernels compiled ahead of time: cubins per architecture and one manifest, made with no GPU and no driver.

``python -m vocabseg.kernels.aot`` writes the set that ``vocabseg.ops`` (``/cubin``) and the C++ loader launch.
"""
