"""CUDA graphs of engine runs: when they are captured, replayed and dropped."""

from __future__ import annotations

import logging

import pytest

from fake_gpu import FakeGpu
from tensorrt_runs import check, network, rows, session
from vocabseg.errors import EngineError


@pytest.fixture
def open_session(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch):
    return lambda net=None, binding="cuda-bindings": session(gpu, monkeypatch, net or network(), binding)


def runs(gpu: FakeGpu, engine, count: int) -> list[str]:
    """How a run came to the stream."""
    gpu.calls.clear()
    check(engine.run({"x": rows(count)}), rows(count))
    return [call for call in gpu.calls if call in ("begin_capture", "execute", "launch")]


def test_the_first_run_of_a_size_goes_without_the_second_is_captured(open_session, gpu: FakeGpu) -> None:
    engine = open_session()
    for count in (4, 2):
        assert runs(gpu, engine, count) == ["execute"]
        assert runs(gpu, engine, count) == ["begin_capture", "execute", "launch"]
        assert runs(gpu, engine, count) == ["launch"]
    assert runs(gpu, engine, 4) == ["launch"] and len(gpu.graphs) == 2


def test_graphs_go_when_buffers_move(open_session, gpu: FakeGpu) -> None:
    engine = open_session()
    for _ in range(2):
        runs(gpu, engine, 2)
    runs(gpu, engine, 4)
    assert runs(gpu, engine, 2) == ["execute"] and gpu.graphs == {}
    assert runs(gpu, engine, 2) == ["begin_capture", "execute", "launch"]


def test_the_number_of_graphs_is_bounded(open_session, gpu: FakeGpu) -> None:
    engine = open_session(network(batch=(1, 9)))
    for count in range(9, 0, -1):
        for _ in range(2):
            runs(gpu, engine, count)
    assert len(gpu.graphs) == 4
    assert runs(gpu, engine, 4) == ["launch"]
    runs(gpu, engine, 9)
    assert runs(gpu, engine, 4) == ["launch"] and runs(gpu, engine, 3) == ["execute"]


def test_a_capture_that_fails_is_said_once(open_session, gpu: FakeGpu, caplog) -> None:
    engine = open_session(network(failing="capture"))
    with caplog.at_level(logging.WARNING, "vocabseg"):
        for count in (3, 3, 3, 1, 1, 1):
            check(engine.run({"x": rows(count)}), rows(count))
    (said,) = caplog.records
    assert "runs without a CUDA graph: TensorRT failed to run the engine" in said.getMessage()
    assert gpu.calls.count("begin_capture") == 1 and gpu.graphs == {}


def test_a_run_that_fails_leaves_the_session_usable(open_session, gpu: FakeGpu) -> None:
    net = network(failing="run")
    engine = open_session(net)
    with pytest.raises(
        EngineError, match="failed to run the engine: TensorRT's own words; run: vocabseg build"
    ):
        engine.run({"x": rows(1)})
    net.failing = ""
    check(engine.run({"x": rows(1)}), rows(1))


def test_pycuda_has_none(open_session, gpu: FakeGpu) -> None:
    engine = open_session(binding="pycuda")
    assert [runs(gpu, engine, 2) for _ in range(3)] == [["execute"]] * 3
