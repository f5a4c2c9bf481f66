"""The two CUDA bindings do the same: one body of tests for both, on stand-ins over one GPU."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fake_bindings
from fake_gpu import LEGACY, FakeGpu
from vocabseg.errors import BackendUnavailable, EngineError, OutOfMemory
from vocabseg.tensorrt.cuda import Cuda, open_cuda


@pytest.fixture(params=fake_bindings.NAMES)
def cuda(request, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> Cuda:
    fake_bindings.install(monkeypatch, gpu, request.param)
    return open_cuda()


def test_the_device(cuda: Cuda, gpu: FakeGpu) -> None:
    assert (cuda.device(), cuda.compute_capability(), cuda.driver_version()) == ("Orin", "8.7", "12.6")
    with cuda.current():
        cuda.allocate(1 << 20)
        assert cuda.free_bytes() == gpu.limit - (1 << 20)


def test_copies_up_within_and_down(cuda: Cuda, gpu: FakeGpu) -> None:
    values = np.arange(6, dtype=np.float32)
    with cuda.current():
        stream, first, second = cuda.stream(), cuda.allocate(24), cuda.allocate(24)
        up, down = (cuda.pin(24).view(np.float32) for _ in range(2))
        up[:] = values
        cuda.upload(first, up, stream)
        cuda.copy(second + 4, first, 20, stream)
        cuda.copy(second, first + 20, 4, stream)
        cuda.download(down, second, stream)
        assert not np.array_equal(down, np.roll(values, 1))
        cuda.synchronize(stream)
    np.testing.assert_array_equal(down, np.roll(values, 1))


def test_everything_is_given_back(cuda: Cuda, gpu: FakeGpu) -> None:
    with cuda.current():
        stream, address, pinned = cuda.stream(), cuda.allocate(8), cuda.pin(8)
        cuda.unpin(pinned)
        cuda.release(address)
        cuda.close_stream(stream)
    assert not gpu.memory and not gpu.pinned and list(gpu.streams) == [LEGACY]


def test_short_memory(cuda: Cuda, gpu: FakeGpu) -> None:
    gpu.limit = gpu.host_limit = 1 << 20
    with cuda.current():
        with pytest.raises(OutOfMemory, match=r"the GPU has no 3\.0 MiB left"):
            cuda.allocate(3 << 20)
        with pytest.raises(OutOfMemory, match=r"the host cannot lock 3\.0 MiB"):
            cuda.pin(3 << 20)


def test_the_context_is_current_within_the_block_on_every_thread(cuda: Cuda, gpu: FakeGpu) -> None:
    seen = []

    def work() -> None:
        gpu.contexts.stack.append("of another library")
        with cuda.current():
            cuda.release(cuda.allocate(1))
        seen.append(gpu.contexts.stack)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [["of another library"]] and gpu.contexts.stack == []
    with pytest.raises(AssertionError, match="without the primary context"):
        cuda.allocate(1)


def test_the_context_goes_back_after_an_error(cuda: Cuda, gpu: FakeGpu) -> None:
    with pytest.raises(ZeroDivisionError), cuda.current():
        raise ZeroDivisionError
    assert gpu.contexts.stack == []


@pytest.mark.parametrize("foreign", [True, False])
def test_a_stream_waits_for_another(cuda: Cuda, gpu: FakeGpu, foreign: bool) -> None:
    done = []
    with cuda.current():
        own = cuda.stream()
        first, second = (LEGACY, own) if foreign else (own, LEGACY)
        gpu.queue(first, lambda: done.append("first"))
        cuda.wait(second, first)
        gpu.queue(first, lambda: done.append("too late"))
        gpu.queue(second, lambda: done.append("second"))
        gpu.synchronize(second)
    assert done == ["first", "second"]


def test_graphs(cuda: Cuda, gpu: FakeGpu) -> None:
    with cuda.current():
        stream, done = cuda.stream(), []
        if not cuda.graphs:
            with pytest.raises(NotImplementedError):
                cuda.capture(stream, lambda: None)
            return
        graph = cuda.capture(stream, lambda: gpu.queue(stream, lambda: done.append("ran")))
        cuda.synchronize(stream)
        assert done == [] and len(gpu.graphs) == 1
        cuda.launch(graph, stream)
        cuda.launch(graph, stream)
        cuda.synchronize(stream)
        assert done == ["ran", "ran"]
        cuda.drop(graph)
        assert gpu.graphs == {}


def test_a_capture_that_fails_ends(cuda: Cuda, gpu: FakeGpu) -> None:
    def fail() -> None:
        raise EngineError("not here")

    with cuda.current():
        if cuda.graphs:
            stream = cuda.stream()
            with pytest.raises(EngineError, match="not here"):
                cuda.capture(stream, fail)
            assert gpu.streams[stream].capturing is None


def test_no_device(gpu: FakeGpu, cuda: Cuda) -> None:
    gpu.present = False
    with pytest.raises(BackendUnavailable, match=r"no CUDA device can be used: .*(no|NO).*nvidia-smi"):
        open_cuda(cuda.name)


def test_which_binding(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_bindings.install(monkeypatch, gpu, *fake_bindings.NAMES)
    assert open_cuda().name == "cuda-bindings"
    assert open_cuda("pycuda").name == "pycuda"
    with pytest.raises(
        BackendUnavailable, match="no CUDA binding 'cupy'; one of auto, cuda-bindings, pycuda"
    ):
        open_cuda("cupy")


@pytest.mark.parametrize("asked", ["auto", *fake_bindings.NAMES])
def test_no_binding(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    fake_bindings.install(monkeypatch, gpu)
    with pytest.raises(
        BackendUnavailable, match=r"no CUDA binding can be imported.*pip install cuda-bindings"
    ):
        open_cuda(asked)


def test_a_driver_without_a_call(cuda: Cuda, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    if cuda.name == "cuda-bindings":

        def missing(*given) -> None:
            raise RuntimeError('Function "cuMemAlloc_v2" not found')

        monkeypatch.setattr(cuda._driver, "cuMemAlloc", missing)
        with cuda.current(), pytest.raises(EngineError, match="driver has no cuMemAlloc.*nvidia-smi"):
            cuda.allocate(1)


def test_cuda_bindings_has_every_call_that_the_stand_in_has(gpu: FakeGpu) -> None:
    real = pytest.importorskip("cuda.bindings.driver")
    fake = fake_bindings.CudaBindingsDriver(gpu)
    assert [name for name in vars(fake) if name.startswith("cu") and not hasattr(real, name)] == []
    assert hasattr(real.CUstreamCaptureMode, "CU_STREAM_CAPTURE_MODE_THREAD_LOCAL")
