"""Stand-ins for ``pycuda.driver`` and ``cuda.bindings.driver`` over one `FakeGpu`, with the calls that the SDK makes."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fake_gpu import PRIMARY, FakeGpu, NoDevice, OutOfMemory

NAMES = ("pycuda", "cuda-bindings")


def install(monkeypatch: pytest.MonkeyPatch, gpu: FakeGpu, *names: str) -> None:
    """These bindings are installed, and no others."""
    modules = {
        "pycuda": named("pycuda") if "pycuda" in names else None,
        "pycuda.driver": pycuda_driver(gpu) if "pycuda" in names else None,
        "cuda.bindings.driver": CudaBindingsDriver(gpu) if "cuda-bindings" in names else None,
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def named(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    return module


def pycuda_driver(gpu: FakeGpu) -> ModuleType:
    """pycuda 2026.1: src/wrapper/wrap_cudadrv.cpp."""
    module = named("pycuda.driver")

    class Error(Exception):
        pass

    class NoMemory(Error, MemoryError):
        pass

    class Context:
        def push(self) -> None:
            gpu.contexts.stack.append(PRIMARY)

        @staticmethod
        def pop() -> None:
            gpu.contexts.stack.pop()

        @staticmethod
        def synchronize() -> None:
            gpu.synchronize_all()

    class Device:
        def __init__(self, ordinal: int) -> None:
            assert ordinal == 0

        name = staticmethod(lambda: gpu.name)
        compute_capability = staticmethod(lambda: gpu.capability)
        retain_primary_context = staticmethod(Context)

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            self.handle = gpu.stream_create(flags)

        def synchronize(self) -> None:
            gpu.synchronize(self.handle)

        def __del__(self) -> None:
            if gpu.contexts.stack[-1:] == [PRIMARY]:  # what else happens depends on the thread
                gpu.stream_destroy(self.handle)

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            self.address = out_of_memory(lambda: gpu.allocate(size))

        def __int__(self) -> int:
            return self.address

        def free(self) -> None:
            gpu.free(self.address)

    class HostAllocation:
        """What a page-locked array has as ``base``."""

        def __init__(self, size: int) -> None:
            self.array = out_of_memory(lambda: gpu.pin(size))
            self.__array_interface__ = self.array.__array_interface__

        def free(self) -> None:
            gpu.unpin(self.array.ctypes.data)

    def init() -> None:
        try:
            gpu.initialise()
        except NoDevice:
            raise Error("cuInit failed: no CUDA-capable device is detected") from None

    def out_of_memory(allocate):
        try:
            return allocate()
        except OutOfMemory:
            raise NoMemory("out of memory") from None

    def handle(stream: Stream) -> int:
        assert isinstance(stream, Stream)
        return stream.handle

    module.__dict__.update(
        Error=Error,
        MemoryError=NoMemory,
        Context=Context,
        Device=Device,
        Stream=Stream,
        init=init,
        get_driver_version=lambda: gpu.driver_version,
        mem_get_info=lambda: (gpu.limit - gpu.used(), gpu.limit),
        mem_alloc=DeviceAllocation,
        pagelocked_empty=lambda size, dtype: np.asarray(HostAllocation(size)),
        memcpy_htod_async=lambda to, array, stream: gpu.upload(
            to, array.ctypes.data, array.nbytes, handle(stream)
        ),
        memcpy_dtoh_async=lambda array, source, stream: gpu.download(
            array.ctypes.data, source, array.nbytes, handle(stream)
        ),
        memcpy_dtod_async=lambda to, source, size, stream: gpu.copy(to, source, size, handle(stream)),
    )
    return module


class Code(int):
    """A CUresult: a number with a name."""

    name = "CUDA_SUCCESS"


class NotOk(Code):
    def __new__(cls, number: int, name: str) -> NotOk:
        code = super().__new__(cls, number)
        code.name = name
        return code


class CudaBindingsDriver(ModuleType):
    """cuda.bindings.driver: every call answers a tuple, the code first."""

    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR=0, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR=1
    )
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL="thread local")

    def __init__(self, gpu: FakeGpu) -> None:
        super().__init__("cuda.bindings.driver")

        def pop() -> str:
            return gpu.contexts.stack.pop()

        def begin_capture(stream: int, mode: str) -> None:
            assert mode == "thread local"
            gpu.begin_capture(stream)

        calls = {
            "cuInit": lambda flags: gpu.initialise(),
            "cuDriverGetVersion": lambda: gpu.driver_version,
            "cuDeviceGet": lambda ordinal: 5,
            "cuDevicePrimaryCtxRetain": lambda device: PRIMARY,
            "cuCtxPushCurrent": lambda context: gpu.contexts.stack.append(context),
            "cuCtxPopCurrent": pop,
            "cuDeviceGetName": lambda size, device: gpu.name.encode().ljust(size, b"\0"),
            "cuDeviceGetAttribute": lambda which, device: gpu.capability[which],
            "cuMemGetInfo": lambda: (gpu.limit - gpu.used(), gpu.limit),
            "cuMemAlloc": gpu.allocate,
            "cuMemFree": gpu.free,
            "cuMemAllocHost": lambda size: gpu.pin(size).ctypes.data,
            "cuMemFreeHost": gpu.unpin,
            "cuStreamCreate": gpu.stream_create,
            "cuStreamDestroy": gpu.stream_destroy,
            "cuStreamSynchronize": gpu.synchronize,
            "cuMemcpyHtoDAsync": gpu.upload,
            "cuMemcpyDtoHAsync": gpu.download,
            "cuMemcpyDtoDAsync": gpu.copy,
            "cuEventCreate": lambda flags: gpu.number(),
            "cuEventRecord": gpu.record,
            "cuStreamWaitEvent": lambda stream, event, flags: gpu.wait_event(stream, event),
            "cuEventDestroy": lambda event: None,
            "cuStreamBeginCapture": begin_capture,
            "cuStreamEndCapture": gpu.end_capture,
            "cuGraphInstantiate": lambda graph, flags: gpu.instantiate(graph),
            "cuGraphDestroy": gpu.drop_graph,
            "cuGraphLaunch": gpu.launch,
            "cuGraphExecDestroy": gpu.drop_graph,
        }
        for name, call in calls.items():
            setattr(self, name, lambda *given, call=call: self.answer(call, *given))

    @staticmethod
    def answer(call, *given) -> tuple:
        try:
            value = call(*given)
        except OutOfMemory:
            return NotOk(2, "CUDA_ERROR_OUT_OF_MEMORY"), None
        except NoDevice:
            return (NotOk(100, "CUDA_ERROR_NO_DEVICE"),)
        if value is None:
            return (Code(0),)
        return (Code(0), *value) if isinstance(value, tuple) else (Code(0), value)
