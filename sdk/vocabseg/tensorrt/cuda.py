"""The calls of the CUDA driver that engines need, by whichever Python binding is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ..errors import BackendUnavailable

BINDINGS = {"cuda-bindings": "nvidia_binding:CudaBindings", "pycuda": "pycuda_binding:PyCuda"}
NON_BLOCKING = 1  # a stream that does not wait for the default stream
_INSTALL = "pip install cuda-bindings (or pycuda, which is built from source and needs the CUDA toolkit)"


class Cuda(Protocol):
    """Device 0 and its primary context, which every call from ``allocate`` on needs current, see ``current``.

    Addresses and streams are integers. graphs: whether ``capture``, ``launch`` and ``drop`` can be called. Calls raise
    `EngineError` with the driver's words, and `OutOfMemory` where memory is short.
    """

    name: str
    graphs: bool

    def current(self) -> AbstractContextManager[None]:
        """The primary context is current on the calling thread within the block, and what was before after it."""
        ...

    def device(self) -> str: ...

    def compute_capability(self) -> str: ...

    def driver_version(self) -> str:
        """The CUDA that the driver serves at most, such as ``12.6``."""
        ...

    def free_bytes(self) -> int: ...

    def allocate(self, size: int) -> int: ...

    def release(self, address: int) -> None: ...

    def pin(self, size: int) -> np.ndarray:
        """uint8 [size] of page-locked host memory, which lives until ``unpin``."""
        ...

    def unpin(self, array: np.ndarray) -> None: ...

    def stream(self) -> int: ...

    def close_stream(self, stream: int) -> None: ...

    def upload(self, address: int, array: np.ndarray, stream: int) -> None: ...

    def download(self, array: np.ndarray, address: int, stream: int) -> None: ...

    def copy(self, to: int, source: int, size: int, stream: int) -> None: ...

    def synchronize(self, stream: int) -> None: ...

    def wait(self, stream: int, other: int) -> None:
        """What is queued on ``stream`` from now on runs after what ``other`` has queued. One of both may be foreign."""
        ...

    def capture(self, stream: int, queue: Callable[[], None]) -> Any:
        """A graph of what ``queue`` puts on the stream."""
        ...

    def launch(self, graph: Any, stream: int) -> None: ...

    def drop(self, graph: Any) -> None: ...


def open_cuda(binding: str = "auto") -> Cuda:
    """Connect to device 0. ``auto`` takes cuda-bindings where they are installed, for they have graphs. Raises `BackendUnavailable`."""
    if binding != "auto" and binding not in BINDINGS:
        raise BackendUnavailable(f"no CUDA binding {binding!r}; one of auto, {', '.join(BINDINGS)}")
    missing = []
    for name in BINDINGS if binding == "auto" else (binding,):
        module, _, attribute = BINDINGS[name].partition(":")
        opener: Callable[[], Cuda] = getattr(importlib.import_module(f".{module}", __package__), attribute)
        try:
            return opener()
        except ImportError as error:
            missing.append(str(error))
    raise BackendUnavailable(f"no CUDA binding can be imported ({'; '.join(missing)}); run: {_INSTALL}")


def no_device(error: Exception) -> str:
    return (
        f"no CUDA device can be used: {error}; install NVIDIA's driver and check it with: nvidia-smi "
        "(Jetson: it comes with JetPack)"
    )


def out_of_memory(size: int) -> str:
    return f"the GPU has no {size / 2**20:.1f} MiB left"


def cannot_pin(size: int) -> str:
    return f"the host cannot lock {size / 2**20:.1f} MiB of memory for copies to the GPU"


def version_text(version: int) -> str:
    """``12060`` to ``12.6``."""
    return f"{version // 1000}.{version % 1000 // 10}"
