"""The C++ tests' CUDA driver without a GPU, for Python's tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

CPP = Path(__file__).resolve().parents[1] / "cpp"


def build(folder: Path) -> str:
    """Compile it into ``folder``; its path."""
    library = folder / "libcuda.so.1"
    sources = sorted((CPP / "tests" / "cuda").glob("fake_*.cc"))
    include = [f"-I{CPP / name}" for name in ("include", "src")]
    subprocess.run(["c++", "-std=c++17", "-shared", "-fPIC", *include, *sources, "-o", library], check=True)
    return str(library)
