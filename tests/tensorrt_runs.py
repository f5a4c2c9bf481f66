"""Networks, sessions and device arrays on the stand-in GPU, for the tests that run engines."""

from __future__ import annotations

import numpy as np
import pytest

import fake_bindings
from fake_gpu import FakeGpu
from fake_trt import FakeNetwork, FakeTrt
from vocabseg.tensorrt.cuda import open_cuda
from vocabseg.tensorrt.session import EngineSession


def network(**changes) -> FakeNetwork:
    """y = 2 x and z = the sum of x, for x float32 [1 to 4, 3]."""
    return FakeNetwork(
        **{
            "inputs": {"x": ("float", (3,))},
            "outputs": {"y": ("float", (3,)), "z": ("float", ())},
            "compute": lambda given: {"y": 2 * given["x"], "z": given["x"].sum(axis=1)},
            **changes,
        }
    )


def session(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, net: FakeNetwork, binding: str, **options):
    fake_bindings.install(monkeypatch, gpu, binding)
    return EngineSession(FakeTrt(gpu, {b"plan": net}), open_cuda(), b"plan", **options)


def rows(count: int, start: int = 0) -> np.ndarray:
    return np.arange(start, start + 3 * count, dtype=np.float32).reshape(count, 3)


def check(results, x: np.ndarray) -> None:
    np.testing.assert_array_equal(results["y"], 2 * x)
    np.testing.assert_array_equal(results["z"], x.sum(axis=1))


class OnGpu:
    """An array of another library in the GPU's memory, by the CUDA array interface."""

    def __init__(self, gpu: FakeGpu, values: np.ndarray, **fields) -> None:
        gpu.contexts.stack.append("the primary context")
        self.gpu, self.address = gpu, gpu.allocate(values.nbytes)
        gpu.contexts.stack.pop()
        gpu.array(self.address, values.shape, values.dtype)[:] = values
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": values.shape,
            "typestr": values.dtype.str,
            "data": (self.address, False),
            "strides": None,
            **fields,
        }


def contents(gpu: FakeGpu, array, reader: int = 1) -> np.ndarray:
    """What a reader on a stream sees of a `DeviceArray`."""
    interface = array.__cuda_array_interface__
    seen = []
    array._wait(reader)
    gpu.queue(reader, lambda: seen.append(gpu.array(interface["data"][0], array.shape, array.dtype).copy()))
    gpu.streams[reader].drain()
    return seen[0]
