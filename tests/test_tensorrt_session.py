"""Running an engine on arrays of the host: what TensorRT and the CUDA driver are asked, on stand-ins for both."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fake_gpu import LEGACY, FakeGpu
from tensorrt_runs import check, network, rows
from vocabseg.errors import EngineError, ShapeError
from vocabseg.tensorrt.session import EngineSession


@pytest.fixture
def engine(open_session) -> EngineSession:
    return open_session()


def test_one_copy_up_one_run_copies_down(engine: EngineSession, gpu: FakeGpu) -> None:
    engine.run({"x": rows(2)})
    gpu.calls.clear()
    x = rows(2, 9)[:, ::-1]  # not contiguous
    check(engine.run({"x": x}), x)
    done = [call for call in gpu.calls if "capture" not in call and call not in ("instantiate", "drop_graph")]
    assert done in (
        ["upload", "execute", "launch", "download", "download", "synchronize"],
        ["upload", "execute", "download", "download", "synchronize"],
    )


def test_results_are_new_arrays(engine: EngineSession) -> None:
    first = engine.run({"x": rows(2)})
    second = engine.run({"x": rows(2, 50)})
    check(first, rows(2))
    check(second, rows(2, 50))


def test_the_steady_state_allocates_nothing(engine: EngineSession, gpu: FakeGpu) -> None:
    for count in (4, 2, 1, 7):
        engine.run({"x": rows(count)})
    memory, pinned, gpu.calls[:] = list(gpu.memory), list(gpu.pinned), []
    for count in (4, 2, 1, 7, 4, 2, 1, 7):
        check(engine.run({"x": rows(count)}), rows(count))
    assert (list(gpu.memory), list(gpu.pinned)) == (memory, pinned)
    made = {"allocate", "free", "pin", "unpin", "create_execution_context", "stream_create"}
    assert not made & set(gpu.calls)


def test_buffers_grow_with_the_batch(engine: EngineSession, gpu: FakeGpu) -> None:
    engine.run({"x": rows(1)})
    assert sorted(len(each) for each in gpu.memory.values()) == [4, 12, 12, 1000]
    check(engine.run({"x": rows(3)}), rows(3))
    assert sorted(len(each) for each in gpu.memory.values()) == [12, 36, 36, 3000]
    check(engine.run({"x": rows(1)}), rows(1))
    assert gpu.used() == 12 + 36 + 36 + 3000


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9, 12])
def test_any_number_of_rows(open_session, count: int) -> None:
    for batch in ((1, 4), (3, 3), (3, 6)):
        engine = open_session(network(batch=batch))
        assert engine.batch == batch[1]
        check(engine.run({"x": rows(count)}), rows(count))


def test_fewer_rows_than_the_profile_are_filled_up_with_the_last(open_session) -> None:
    seen = []

    def compute(given):
        seen.append(given["x"].copy())
        return {"y": given["x"], "z": given["x"][:, 0]}

    open_session(network(batch=(4, 4), compute=compute)).run({"x": rows(2)})
    np.testing.assert_array_equal(seen[0], rows(2)[[0, 1, 1, 1]])


def test_calls_from_several_threads(engine: EngineSession, gpu: FakeGpu) -> None:
    failures = []

    def work(number: int) -> None:
        try:
            for count in (1, 2, 3):
                check(engine.run({"x": rows(count, number)}), rows(count, number))
        except BaseException as error:  # noqa: BLE001  a failure in a thread must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_nan_and_infinity_pass(engine: EngineSession) -> None:
    x = np.array([[np.nan, np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(engine.run({"x": x})["y"], 2 * x)


def test_close_gives_everything_back(engine: EngineSession, gpu: FakeGpu) -> None:
    for _ in range(3):
        engine.run({"x": rows(1)})
    engine.close()
    engine.close()
    assert not gpu.memory and not gpu.pinned and not gpu.graphs and list(gpu.streams) == [LEGACY]
    assert gpu.contexts.stack == []
    with pytest.raises(EngineError, match="closed; load it again"):
        engine.run({"x": rows(1)})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": rows(2)[0]}, r"input x is float32 \[3\], expected float32 \[B, 3\] with B rows"),
        ({"x": rows(2)[:, :2]}, r"input x is float32 \[2, 2\], expected float32 \[B, 3\]"),
        ({"x": rows(2).astype(np.float64)}, r"input x is float64 \[2, 3\], expected float32"),
        ({"x": np.float32(1)}, r"input x is float32 \[\], expected"),
        ({"x": rows(0)}, "got 0 of x; expected one or more rows"),
        ({"windows": rows(2)}, "inputs are x; got windows"),
        ({}, "inputs are x; got none"),
    ],
)
def test_inputs_that_do_not_fit(engine: EngineSession, gpu: FakeGpu, inputs, message: str) -> None:
    gpu.calls.clear()
    with pytest.raises(ShapeError, match=message):
        engine.run(inputs)
    assert gpu.calls == []


def test_inputs_with_other_numbers_of_rows(open_session) -> None:
    inputs = {"x": ("float", (3,)), "w": ("int64", ())}
    engine = open_session(network(inputs=inputs))
    with pytest.raises(ShapeError, match="got 2 of x, 3 of w; expected one or more rows, as many of every"):
        engine.run({"x": rows(2), "w": np.arange(3)})
    check(engine.run({"w": np.arange(3), "x": rows(3)}), rows(3))
