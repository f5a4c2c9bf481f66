"""Kernels compiled ahead of time: cubins per architecture and one manifest, made with no GPU and no driver.

``python -m vocabseg.kernels.aot`` writes the set that ``vocabseg.ops`` (``/cubin``) and the C++ loader launch.
"""

from pathlib import Path

# The set in the package.
FOLDER = Path(__file__).resolve().parent / "cubins"
