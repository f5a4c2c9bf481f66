"""The CUDA driver through pycuda.

pycuda (2026.1) has no calls for CUDA graphs and takes no stream of others, so there are no graphs here, and waiting for
another stream holds up the host.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, EngineError, OutOfMemory
from .cuda import NON_BLOCKING, cannot_pin, no_device, out_of_memory, version_text


class PyCuda:
    """See `Cuda`. Raises ImportError where pycuda is not installed, `BackendUnavailable` without a driver or device."""

    name = "pycuda"
    graphs = False

    def __init__(self) -> None:
        if importlib.util.find_spec("pycuda") is None:
            raise ImportError("pycuda is not installed")
        try:
            self._driver = importlib.import_module("pycuda.driver")
            self._driver.init()
            self._device = self._driver.Device(0)
            self._context = self._device.retain_primary_context()
        except Exception as error:  # noqa: BLE001  pycuda.driver itself cannot be imported without a driver
            raise BackendUnavailable(no_device(error)) from error
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """pycuda also finds its memory and streams by the context that its own stack, one per thread, has on top."""
        try:
            self._context.push()
            try:
                yield
            finally:
                self._context.pop()
        except self._driver.Error as error:
            raise EngineError(f"the CUDA driver failed: {error}") from error

    def device(self) -> str:
        return str(self._device.name())

    def compute_capability(self) -> str:
        return ".".join(map(str, self._device.compute_capability()))

    def driver_version(self) -> str:
        return version_text(int(self._driver.get_driver_version()))

    def free_bytes(self) -> int:
        return int(self._driver.mem_get_info()[0])

    def allocate(self, size: int) -> int:
        memory = self._or_no_memory(out_of_memory(size), lambda: self._driver.mem_alloc(max(size, 1)))
        self._memory[int(memory)] = memory
        return int(memory)

    def release(self, address: int) -> None:
        self._memory.pop(address).free()

    def pin(self, size: int) -> np.ndarray:
        make = self._driver.pagelocked_empty
        array: np.ndarray = self._or_no_memory(cannot_pin(size), lambda: make(size, np.uint8))
        return array

    def unpin(self, array: np.ndarray) -> None:
        owner: Any = array.base  # pycuda's own object
        owner.free()

    def _or_no_memory(self, message: str, allocate: Callable[[], Any]) -> Any:
        try:
            return allocate()
        except self._driver.MemoryError as error:
            raise OutOfMemory(message) from error

    def stream(self) -> int:
        stream = self._driver.Stream(NON_BLOCKING)
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def close_stream(self, stream: int) -> None:
        del self._streams[stream]  # its destructor closes it, and needs the context current

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        self._driver.memcpy_htod_async(address, array, self._streams[stream])

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self._driver.memcpy_dtoh_async(array, address, self._streams[stream])

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        self._driver.memcpy_dtod_async(to, source, size, self._streams[stream])

    def synchronize(self, stream: int) -> None:
        self._streams[stream].synchronize()

    def wait(self, stream: int, other: int) -> None:
        """Until ``other`` is done; where it is foreign, until everything in the context is."""
        if other in self._streams:
            self._streams[other].synchronize()
        else:
            self._driver.Context.synchronize()

    def capture(self, stream: int, queue: Callable[[], None]) -> Any:
        raise NotImplementedError("pycuda has no CUDA graphs")

    launch = drop = capture
