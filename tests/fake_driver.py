"""The C++ tests' CUDA driver without a GPU, for Python's tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

CPP = Path(__file__).resolve().parents[1] / "cpp"


def build(folder: Path) -> str:
    """Compile it into ``folder``; its path."""
    sources = sorted((CPP / "tests" / "cuda").glob("fake_*.cc"))
    return _compile(folder / "libcuda.so.1", sources)


def build_tensorrt(folder: Path, driver: str) -> str:
    """The C++ tests' stand-in for TensorRT, whose engines run on that driver's device."""
    sources = [CPP / "tests" / "tensorrt" / "fake_tensorrt.cc"]
    return _compile(folder / "libvocabseg_tensorrt.so", sources, f'-DFAKE_CUDA="{driver}"')


def _compile(library: Path, sources: list[Path], *options: str) -> str:
    include = [f"-I{CPP / name}" for name in ("include", "src", "tests")]
    command = ["c++", "-std=c++17", "-shared", "-fPIC", *options, *include, *sources, "-o", library]
    subprocess.run(command, check=True)
    return str(library)
