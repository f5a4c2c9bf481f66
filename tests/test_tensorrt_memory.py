"""A GPU that is short of memory while an engine loads and runs."""

from __future__ import annotations

import logging

import pytest

import fake_bindings
from fake_gpu import FakeGpu
from tensorrt_runs import OnGpu, check, contents, network, rows, session
from vocabseg.errors import EngineError, OutOfMemory

BATCHES = (1, 12)
OF_ONE_ROW = 1000 + 12 + 12 + 4  # activations, x, y, z


@pytest.fixture(params=fake_bindings.NAMES)
def open_session(request, gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch):
    def make(net=None, **options):
        net = net or network(batch=BATCHES)
        return session(gpu, monkeypatch, net, request.param, rebuild="vocabseg build here", **options)

    return make


def test_memory_is_for_the_rows_that_run(open_session, gpu: FakeGpu) -> None:
    gpu.limit = 3 * OF_ONE_ROW
    engine = open_session()
    assert gpu.used() == 0
    check(engine.run({"x": rows(3)}), rows(3))
    assert gpu.used() == gpu.limit


def test_short_memory_is_one_error_with_the_next_command(open_session, gpu: FakeGpu) -> None:
    gpu.limit = 7 * OF_ONE_ROW
    engine = open_session()
    with pytest.raises(EngineError) as error:
        engine.run({"x": rows(30)})
    assert str(error.value) == (
        "cannot run 12 rows at once: the GPU has no 0.0 MiB left; stop other programs (nvidia-smi shows them), or "
        "build with a smaller --batch: vocabseg build here"
    )
    assert gpu.used() == 0 and engine.batch == 12
    check(engine.run({"x": rows(7)}), rows(7))


def test_a_smaller_batch_is_taken_and_kept(open_session, gpu: FakeGpu, caplog) -> None:
    gpu.limit = 5 * OF_ONE_ROW
    engine = open_session(allow_smaller_batch=True)
    with caplog.at_level(logging.WARNING, "vocabseg"):
        check(engine.run({"x": rows(30)}), rows(30))
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(":")[0] for text in said] == [
        "memory is short for 12 rows at once, from now on it is 6",
        "memory is short for 6 rows at once, from now on it is 3",
    ]
    assert engine.batch == 3 and gpu.used() == 3 * OF_ONE_ROW
    gpu.limit = 1 << 30
    check(engine.run({"x": rows(30)}), rows(30))
    assert engine.batch == 3 and len(caplog.records) == 2


def test_a_smaller_batch_on_the_device(open_session, gpu: FakeGpu) -> None:
    x = OnGpu(gpu, rows(8))
    gpu.limit = gpu.used() + 8 * 28 + 2 * OF_ONE_ROW
    engine = open_session(allow_smaller_batch=True)
    results = {name: contents(gpu, array) for name, array in engine.run({"x": x}).items()}
    check(results, rows(8))
    assert engine.batch == 2


@pytest.mark.parametrize("batches", [(1, 12), (3, 12), (5, 5)])
def test_not_even_the_least_fits(open_session, gpu: FakeGpu, batches: tuple[int, int]) -> None:
    gpu.limit = OF_ONE_ROW // 2
    engine = open_session(network(batch=batches), allow_smaller_batch=True)
    for count in (1, 12):
        with pytest.raises(OutOfMemory, match=f"cannot run {batches[0]} rows at once.*vocabseg build here"):
            engine.run({"x": rows(count)})
    assert gpu.used() == 0 and not gpu.pinned


def test_host_memory_that_cannot_be_locked(open_session, gpu: FakeGpu) -> None:
    gpu.host_limit = 40
    with pytest.raises(OutOfMemory, match="cannot run 12 rows at once: the host cannot lock"):
        open_session().run({"x": rows(12)})
    engine = open_session(allow_smaller_batch=True)
    check(engine.run({"x": rows(12)}), rows(12))
    assert engine.batch == 3


@pytest.mark.parametrize("failing", ["context", "run"])
def test_what_tensorrt_says_of_memory(open_session, failing: str) -> None:
    net = network(failing=failing, said="Error Code 2: OutOfMemory (Requested size was 9 bytes.)")
    with pytest.raises(OutOfMemory, match="cannot run 1 rows at once: .*OutOfMemory.*vocabseg build here"):
        open_session(net).run({"x": rows(1)})


@pytest.mark.parametrize("failing", ["context", "shape", "run"])
def test_other_faults_name_the_command(open_session, gpu: FakeGpu, failing: str) -> None:
    with pytest.raises(EngineError, match="TensorRT's own words; run: vocabseg build here"):
        open_session(network(failing=failing)).run({"x": rows(1)})
    assert gpu.contexts.stack == []
