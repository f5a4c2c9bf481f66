"""Triton kernels, compiled for the GPU on first use. Arrays are torch CUDA tensors.

With TRITON_INTERPRET=1 in the environment they run on the CPU, statement by statement: for tests, on request only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from ..errors import BackendUnavailable


def check(device: str) -> str:
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if device == "cpu" and not interpreted:
        raise BackendUnavailable(f"got arrays on {device}, expected a CUDA device: move them with .cuda()")
    for package in ("torch", "triton"):
        if find_spec(package) is None:
            raise BackendUnavailable(f"{package} is missing: pip install torch triton")
    if interpreted:
        return "Triton's interpreter runs the kernels on the CPU; for tests, on request only"
    return "Triton compiles the kernels for the GPU on first use"


def __getattr__(op: str) -> Callable[..., Any]:
    """An op, so that torch is imported only where one runs."""
    if op.startswith("_"):
        raise AttributeError(op)
    from ..kernels.common.triton_kernel import jit_launch
    from .gpu import GpuOps

    return getattr(GpuOps(jit_launch), op)
