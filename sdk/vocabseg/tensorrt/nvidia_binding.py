"""The CUDA driver through NVIDIA's cuda-bindings."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import BackendUnavailable, EngineError, OutOfMemory
from .cuda import NON_BLOCKING, cannot_pin, no_device, out_of_memory, version_text

_OUT_OF_MEMORY = 2
_NO_TIMING = 2  # an event that only orders


class CudaBindings:
    """See `Cuda`. Raises ImportError where cuda-bindings is not installed, `BackendUnavailable` without a driver or
    device."""

    name = "cuda-bindings"
    graphs = True

    def __init__(self) -> None:
        self._driver: Any = importlib.import_module("cuda.bindings.driver")
        try:
            self._call("cuInit", 0)
            self._device = self._call("cuDeviceGet", 0)
            self._context = self._call("cuDevicePrimaryCtxRetain", self._device)
        except EngineError as error:
            raise BackendUnavailable(no_device(error)) from error

    def _call(self, name: str, *arguments: Any) -> Any:
        """A driver call's result. Raises `EngineError` with the driver's code, `OutOfMemory`."""
        try:
            code, *values = getattr(self._driver, name)(*arguments)
        except RuntimeError as error:  # no driver, or one without this call
            raise EngineError(
                f"the CUDA driver has no {name} ({error}); update it, and check it with: nvidia-smi"
            ) from error
        if int(code) != 0:
            kind = OutOfMemory if int(code) == _OUT_OF_MEMORY else EngineError
            raise kind(f"the CUDA driver's {name} failed: {getattr(code, 'name', code)}")
        return values[0] if len(values) == 1 else values

    @contextmanager
    def current(self) -> Iterator[None]:
        self._call("cuCtxPushCurrent", self._context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent")

    def device(self) -> str:
        return bytes(self._call("cuDeviceGetName", 256, self._device)).split(b"\0")[0].decode()

    def compute_capability(self) -> str:
        kinds = self._driver.CUdevice_attribute
        names = ("MAJOR", "MINOR")
        asked = [getattr(kinds, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{name}") for name in names]
        return ".".join(str(self._call("cuDeviceGetAttribute", each, self._device)) for each in asked)

    def driver_version(self) -> str:
        return version_text(int(self._call("cuDriverGetVersion")))

    def free_bytes(self) -> int:
        return int(self._call("cuMemGetInfo")[0])

    def allocate(self, size: int) -> int:
        try:
            return int(self._call("cuMemAlloc", max(size, 1)))
        except OutOfMemory as error:
            raise OutOfMemory(out_of_memory(size)) from error

    def release(self, address: int) -> None:
        self._call("cuMemFree", address)

    def pin(self, size: int) -> np.ndarray:
        try:
            address = int(self._call("cuMemAllocHost", max(size, 1)))
        except OutOfMemory as error:
            raise OutOfMemory(cannot_pin(size)) from error
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def unpin(self, array: np.ndarray) -> None:
        self._call("cuMemFreeHost", array.ctypes.data)

    def stream(self) -> int:
        return int(self._call("cuStreamCreate", NON_BLOCKING))

    def close_stream(self, stream: int) -> None:
        self._call("cuStreamDestroy", stream)

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        self._call("cuMemcpyHtoDAsync", address, array.ctypes.data, array.nbytes, stream)

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self._call("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, stream)

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        self._call("cuMemcpyDtoDAsync", to, source, size, stream)

    def synchronize(self, stream: int) -> None:
        self._call("cuStreamSynchronize", stream)

    def wait(self, stream: int, other: int) -> None:
        event = self._call("cuEventCreate", _NO_TIMING)
        try:
            self._call("cuEventRecord", event, other)
            self._call("cuStreamWaitEvent", stream, event, 0)
        finally:
            self._call("cuEventDestroy", event)  # the driver keeps it until the wait is over

    def capture(self, stream: int, queue: Callable[[], None]) -> Any:
        mode = self._driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", stream, mode)
        try:
            queue()
        except BaseException:
            code, *graphs = self._driver.cuStreamEndCapture(stream)
            if int(code) == 0:  # otherwise the capture was broken off, and there is no graph
                self._call("cuGraphDestroy", graphs[0])
            raise
        graph = self._call("cuStreamEndCapture", stream)
        try:
            return self._call("cuGraphInstantiate", graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)

    def launch(self, graph: Any, stream: int) -> None:
        self._call("cuGraphLaunch", graph, stream)

    def drop(self, graph: Any) -> None:
        self._call("cuGraphExecDestroy", graph)
