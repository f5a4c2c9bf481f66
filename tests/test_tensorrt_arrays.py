"""Running an engine on device arrays: no copy through the host, and every stream sees whole contents."""

from __future__ import annotations

import numpy as np
import pytest

from fake_gpu import FakeGpu
from tensorrt_runs import OnGpu, check, contents, network, rows
from vocabseg.device_arrays import DeviceArray
from vocabseg.errors import EngineError, ShapeError


def values(gpu: FakeGpu, results) -> dict[str, np.ndarray]:
    return {name: contents(gpu, array) for name, array in results.items()}


@pytest.mark.parametrize("batch", [(1, 4), (3, 3), (3, 6)])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_any_number_of_rows(open_session, gpu: FakeGpu, count: int, batch: tuple[int, int]) -> None:
    engine, x = open_session(network(batch=batch)), OnGpu(gpu, rows(count))
    for _ in range(3):
        results = engine.run({"x": x})
        assert all(isinstance(each, DeviceArray) for each in results.values())
        assert (results["y"].shape, results["z"].shape) == ((count, 3), (count,))
        check(values(gpu, results), rows(count))
    assert not {"upload", "download", "pin"} & set(gpu.calls)


def test_the_steady_state_allocates_nothing(open_session, gpu: FakeGpu) -> None:
    engine, x = open_session(), OnGpu(gpu, rows(7))
    engine.run({"x": x})
    memory, gpu.calls[:] = list(gpu.memory), []
    engine.run({"x": x})
    assert list(gpu.memory) == memory and not {"allocate", "free"} & set(gpu.calls)


def test_a_stream_that_writes_the_input_is_waited_for(open_session, gpu: FakeGpu) -> None:
    engine, producer = open_session(), 1
    x = OnGpu(gpu, np.zeros((2, 3), np.float32), stream=producer)
    gpu.queue(producer, lambda: np.copyto(gpu.array(x.address, (2, 3), np.float32), rows(2)))
    check(values(gpu, engine.run({"x": x})), rows(2))


def test_inputs_may_be_overwritten_after_the_call(open_session, gpu: FakeGpu) -> None:
    engine, x = open_session(), OnGpu(gpu, rows(5))
    results = engine.run({"x": x})
    gpu.array(x.address, (5, 3), np.float32)[:] = -1
    check(values(gpu, results), rows(5))


def test_host_and_device_calls_take_turns(open_session, gpu: FakeGpu) -> None:
    engine = open_session()
    for start in range(4):
        check(values(gpu, engine.run({"x": OnGpu(gpu, rows(2, start))})), rows(2, start))
        check(engine.run({"x": rows(3, start)}), rows(3, start))


def test_another_thread_reads_the_results(open_session, gpu: FakeGpu) -> None:
    results = open_session().run({"x": OnGpu(gpu, rows(2))})
    check(values(gpu, results), rows(2))
    assert gpu.contexts.stack == []


def test_results_of_a_closed_engine_cannot_be_waited_for(open_session, gpu: FakeGpu) -> None:
    engine = open_session()
    result = engine.run({"x": OnGpu(gpu, rows(2))})["y"]
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        contents(gpu, result)


class Exchange(OnGpu):
    """The same by DLPack, on a GPU of one's choice."""

    def __init__(self, gpu: FakeGpu, array: np.ndarray, device: int) -> None:
        super().__init__(gpu, array)
        self.device = device

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.device

    def __dlpack__(self, *, stream: int):
        code = {"f": 2, "i": 0}[np.dtype(self.__cuda_array_interface__["typestr"]).kind]
        from vocabseg.core import load_core

        shape = self.__cuda_array_interface__["shape"]
        return load_core().dlpack.give(self.address, shape, code, 32, 2, self.device, self)


def test_dlpack(open_session, gpu: FakeGpu) -> None:
    check(values(gpu, open_session().run({"x": Exchange(gpu, rows(2), 0)})), rows(2))


def test_an_array_of_another_gpu(open_session, gpu: FakeGpu) -> None:
    with pytest.raises(ShapeError, match="input x is on CUDA device 1, the engine runs on device 0; copy it"):
        open_session().run({"x": Exchange(gpu, rows(2), 1)})


def test_an_array_with_gaps(open_session, gpu: FakeGpu) -> None:
    with pytest.raises(ShapeError, match=r"input x has strides \[24, 4\], expected a contiguous array"):
        open_session().run({"x": OnGpu(gpu, rows(2), strides=(24, 4))})


@pytest.mark.parametrize("wrong", [rows(2).astype(np.float16), rows(2)[:, :2].copy()])
def test_another_type_or_shape(open_session, gpu: FakeGpu, wrong: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"expected float32 \[B, 3\] with B rows"):
        open_session().run({"x": OnGpu(gpu, wrong)})


def test_host_and_device_arrays_together(open_session, gpu: FakeGpu) -> None:
    engine = open_session(network(inputs={"x": ("float", (3,)), "w": ("float", (3,))}))
    with pytest.raises(ShapeError, match="some inputs are in host memory and some on the GPU"):
        engine.run({"x": OnGpu(gpu, rows(2)), "w": rows(2)})
    check(values(gpu, engine.run({"x": OnGpu(gpu, rows(2)), "w": OnGpu(gpu, rows(2))})), rows(2))
