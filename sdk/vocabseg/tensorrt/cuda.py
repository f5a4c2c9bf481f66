"""The few calls of the CUDA driver that engines need, through pycuda or cuda-bindings, whichever is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..errors import BackendUnavailable, EngineError

BINDINGS = ("pycuda", "cuda-bindings")
_INSTALL = "pip install cuda-bindings (or pycuda, which is built from source and needs the CUDA toolkit)"


class Cuda(Protocol):
    """Device 0 with its primary context current. Addresses and streams are integers."""

    name: str

    def device(self) -> str: ...

    def compute_capability(self) -> str: ...

    def free_bytes(self) -> int: ...

    def allocate(self, size: int) -> int: ...

    def release(self, address: int) -> None: ...

    def stream(self) -> int: ...

    def upload(self, address: int, array: np.ndarray, stream: int) -> None: ...

    def download(self, array: np.ndarray, address: int, stream: int) -> None: ...

    def synchronize(self, stream: int) -> None: ...


def open_cuda(binding: str = "auto") -> Cuda:
    """Connect to device 0. ``auto`` takes pycuda where it is installed. Raises `BackendUnavailable`."""
    openers: dict[str, Callable[[], Cuda]] = {"pycuda": PyCuda, "cuda-bindings": CudaBindings}
    if binding != "auto":
        return openers[binding]()
    missing = []
    for opener in openers.values():
        try:
            return opener()
        except ImportError as error:
            missing.append(str(error))
    raise BackendUnavailable(f"no CUDA binding can be imported ({'; '.join(missing)}); run: {_INSTALL}")


class PyCuda:
    """pycuda. Raises ImportError where it is not installed, `BackendUnavailable` without a driver or device."""

    name = "pycuda"

    def __init__(self) -> None:
        if importlib.util.find_spec("pycuda") is None:
            raise ImportError("pycuda is not installed")
        try:
            self._driver = importlib.import_module("pycuda.driver")
            self._driver.init()
            self._device = self._driver.Device(0)
            self._context = self._device.retain_primary_context()
            self._context.push()
        except Exception as error:  # noqa: BLE001  pycuda.driver itself cannot be imported without a driver
            raise BackendUnavailable(no_device(error)) from error
        self._memory: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}

    def device(self) -> str:
        return str(self._device.name())

    def compute_capability(self) -> str:
        return ".".join(map(str, self._device.compute_capability()))

    def free_bytes(self) -> int:
        return int(self._driver.mem_get_info()[0])

    def allocate(self, size: int) -> int:
        try:
            memory = self._driver.mem_alloc(max(size, 1))
        except self._driver.MemoryError as error:
            raise EngineError(out_of_memory(size)) from error
        self._memory[int(memory)] = memory
        return int(memory)

    def release(self, address: int) -> None:
        self._memory.pop(address).free()

    def stream(self) -> int:
        stream = self._driver.Stream()
        self._streams[int(stream.handle)] = stream
        return int(stream.handle)

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        self._driver.memcpy_htod_async(address, array, self._streams[stream])

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self._driver.memcpy_dtoh_async(array, address, self._streams[stream])

    def synchronize(self, stream: int) -> None:
        self._streams[stream].synchronize()


class CudaBindings:
    """NVIDIA's cuda-bindings. Raises ImportError where they are not installed, `BackendUnavailable` as above."""

    name = "cuda-bindings"

    def __init__(self) -> None:
        self._driver: Any = importlib.import_module("cuda.bindings.driver")
        try:
            self._call("cuInit", 0)
            self._device = self._call("cuDeviceGet", 0)
            self._call("cuCtxSetCurrent", self._call("cuDevicePrimaryCtxRetain", self._device))
        except (EngineError, RuntimeError) as error:
            raise BackendUnavailable(no_device(error)) from error

    def _call(self, name: str, *arguments: Any) -> Any:
        """A driver call's result. Raises `EngineError` with the driver's code."""
        code, *values = getattr(self._driver, name)(*arguments)
        if int(code) != 0:
            label = getattr(code, "name", code)
            raise EngineError(f"the CUDA driver's {name} failed: {label}")
        return values[0] if len(values) == 1 else values

    def device(self) -> str:
        return bytes(self._call("cuDeviceGetName", 256, self._device)).split(b"\0")[0].decode()

    def compute_capability(self) -> str:
        kinds = self._driver.CUdevice_attribute
        names = ("MAJOR", "MINOR")
        asked = [getattr(kinds, f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{name}") for name in names]
        return ".".join(str(self._call("cuDeviceGetAttribute", each, self._device)) for each in asked)

    def free_bytes(self) -> int:
        return int(self._call("cuMemGetInfo")[0])

    def allocate(self, size: int) -> int:
        try:
            return int(self._call("cuMemAlloc", max(size, 1)))
        except EngineError as error:
            raise EngineError(out_of_memory(size)) if "MEMORY" in str(error) else error from error

    def release(self, address: int) -> None:
        self._call("cuMemFree", address)

    def stream(self) -> int:
        return int(self._call("cuStreamCreate", 1))  # does not wait for the default stream

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        self._call("cuMemcpyHtoDAsync", address, array.ctypes.data, array.nbytes, stream)

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self._call("cuMemcpyDtoHAsync", array.ctypes.data, address, array.nbytes, stream)

    def synchronize(self, stream: int) -> None:
        self._call("cuStreamSynchronize", stream)


def no_device(error: Exception) -> str:
    return (
        f"no CUDA device can be used: {error}; install NVIDIA's driver and check it with: nvidia-smi "
        "(Jetson: it comes with JetPack)"
    )


def out_of_memory(size: int) -> str:
    return (
        f"the GPU has no {size / 2**20:.0f} MiB left; stop other programs, or use a smaller --batch or window"
    )
