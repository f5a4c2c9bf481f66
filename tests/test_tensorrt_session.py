"""Running an engine from Python: what TensorRT and the CUDA driver are asked, on stand-ins for both."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from vocabseg.errors import EngineError
from vocabseg.tensorrt.session import EngineSession

MODES = SimpleNamespace(INPUT="in", OUTPUT="out")


class FakeCuda:
    """Device memory as a dictionary of byte strings."""

    name = "fake"

    def __init__(self) -> None:
        self.memory: dict[int, bytes] = {}
        self.calls: list[str] = []

    def allocate(self, size: int) -> int:
        self.calls.append(f"allocate {size}")
        address = 1000 * (len(self.calls) + 1)
        self.memory[address] = bytes(size)
        return address

    def release(self, address: int) -> None:
        self.calls.append("release")
        del self.memory[address]

    def stream(self) -> int:
        return 7

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        assert stream == 7 and array.flags.c_contiguous and array.nbytes <= len(self.memory[address])
        self.calls.append("upload")
        self.memory[address] = array.tobytes() + self.memory[address][array.nbytes :]

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self.calls.append("download")
        array[:] = np.frombuffer(self.memory[address], array.dtype, array.size).reshape(array.shape)

    def synchronize(self, stream: int) -> None:
        self.calls.append("synchronize")


class FakeEngine:
    """One network: y = 2 x for x float32 [1 to 4, 3]."""

    num_io_tensors = 2

    def __init__(self, memory: FakeCuda, works: bool = True) -> None:
        self.cuda, self.works = memory, works

    def get_tensor_name(self, index: int) -> str:
        return "xy"[index]

    def get_tensor_mode(self, name: str) -> str:
        return {"x": MODES.INPUT, "y": MODES.OUTPUT}[name]

    def get_tensor_dtype(self, name: str) -> str:
        return "float"

    def get_tensor_profile_shape(self, name: str, profile: int):
        return (1, 3), (2, 3), (4, 3)

    def create_execution_context(self):
        return FakeContext(self)


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.addresses = engine, {}

    def set_input_shape(self, name: str, shape) -> None:
        self.shape = tuple(shape)

    def get_tensor_shape(self, name: str):
        return self.shape

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        memory = self.engine.cuda.memory
        self.engine.cuda.calls.append("execute")
        count = int(np.prod(self.shape))
        x, y = (np.frombuffer(memory[self.addresses[name]], np.float32) for name in "xy")
        memory[self.addresses["y"]] = np.append(2 * x[:count], y[count:]).tobytes()
        return self.engine.works


class FakeLogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)


def fake_trt(engine) -> SimpleNamespace:
    def runtime(logger):
        logger.log(FakeLogger.ERROR, "TensorRT's own words")
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)

    return SimpleNamespace(
        ILogger=type("ILogger", (FakeLogger,), {"__init__": lambda self: None}),
        Runtime=runtime,
        TensorIOMode=MODES,
        nptype=lambda dtype: np.float32,
    )


@pytest.fixture
def memory() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def session(memory: FakeCuda) -> EngineSession:
    return EngineSession(fake_trt(FakeEngine(memory)), memory, b"plan")


def rows(count: int) -> np.ndarray:
    return np.arange(3 * count, dtype=np.float32).reshape(count, 3)


def test_one_copy_up_one_run_one_copy_down(session: EngineSession, memory: FakeCuda) -> None:
    result = session.run({"x": rows(2)[:, ::-1]})  # not contiguous
    np.testing.assert_array_equal(result["y"], 2 * rows(2)[:, ::-1])
    assert memory.calls == [
        "allocate 24",
        "upload",
        "allocate 24",
        "execute",
        "download",
        "synchronize",
    ]


def test_buffers_grow_and_are_kept(session: EngineSession, memory: FakeCuda) -> None:
    for count in (4, 2, 1, 4):
        np.testing.assert_array_equal(session.run({"x": rows(count)})["y"], 2 * rows(count))
    assert [call for call in memory.calls if call.startswith("allocate")] == ["allocate 48"] * 2
    assert len(memory.memory) == 2 and "release" not in memory.calls


def test_a_larger_batch_replaces_its_buffers(session: EngineSession, memory: FakeCuda) -> None:
    session.run({"x": rows(1)})
    session.run({"x": rows(3)})
    assert memory.calls.count("release") == 2 and len(memory.memory) == 2


def test_close_gives_everything_back(session: EngineSession, memory: FakeCuda) -> None:
    session.run({"x": rows(1)})
    session.close()
    assert memory.memory == {}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": rows(5)}, r"input x is \[5, 3\], the engine's profile holds \[1, 3\] to \[4, 3\]; .*--batch"),
        ({"x": rows(2)[0]}, r"input x is \[3\]"),
        ({"x": rows(2).astype(np.float64)}, "input x is float64, the engine expects float32"),
        ({"windows": rows(2)}, "inputs are x, got windows"),
        ({}, "inputs are x"),
    ],
)
def test_inputs_that_do_not_fit(session: EngineSession, memory: FakeCuda, inputs, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        session.run(inputs)
    assert memory.calls == []


def test_a_plan_that_tensorrt_refuses(memory: FakeCuda) -> None:
    with pytest.raises(
        EngineError, match="cannot load the engine: TensorRT's own words; run: vocabseg build"
    ):
        EngineSession(fake_trt(None), memory, b"plan")


def test_no_room_for_a_context(memory: FakeCuda) -> None:
    engine = FakeEngine(memory)
    engine.create_execution_context = lambda: None
    with pytest.raises(
        EngineError, match="cannot run the engine: TensorRT's own words; use a smaller --batch"
    ):
        EngineSession(fake_trt(engine), memory, b"plan")


def test_a_run_that_fails(memory: FakeCuda) -> None:
    session = EngineSession(fake_trt(FakeEngine(memory, works=False)), memory, b"plan")
    with pytest.raises(EngineError, match="failed to run the engine"):
        session.run({"x": rows(1)})
