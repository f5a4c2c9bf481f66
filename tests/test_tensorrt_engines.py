"""Engine keys, records and stores: what is kept, what is refused, and what the message says."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine_records import FAILED, KEY, MANIFEST, ORIN, add
from vocabseg.errors import (
    BackendUnavailable,
    CacheError,
    EngineError,
    EngineMismatch,
    ParityError,
)
from vocabseg.tensorrt import store as store_module
from vocabseg.tensorrt.key import Machine
from vocabseg.tensorrt.record import read_record
from vocabseg.tensorrt.select import select
from vocabseg.tensorrt.store import Store, cache_folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "my bundle"


@pytest.fixture
def store(bundle: Path) -> Store:
    return Store(bundle / "engines")


def test_a_record_reads_back(store: Store) -> None:
    record = add(store)
    (path,) = store.folder.glob("*.json")
    assert read_record(path) == record
    assert store.read_plan(record, "x") == b"plan" * 100
    assert store.find("image", KEY.digest()) == record
    assert store.find("text", KEY.digest()) is None


def test_the_fitting_engine_is_selected(bundle: Path, store: Store) -> None:
    record = add(store)
    assert select(bundle, MANIFEST, replace(ORIN, free_bytes=7), "image") == record
    assert select(bundle, MANIFEST, ORIN, "image", "float16", batch=12) == record


def test_auto_takes_the_fastest_that_passed(bundle: Path, store: Store) -> None:
    fast = add(store, latency_ms=2.0)
    slow = add(store, replace(KEY, precision="float32", onnx_sha256="b" * 64), latency_ms=3.0)
    assert select(bundle, MANIFEST, ORIN, "image") == fast
    store.write_record(replace(fast, parity=FAILED, degraded=True))
    assert select(bundle, MANIFEST, ORIN, "image") == slow
    assert select(bundle, MANIFEST, ORIN, "image", "float16").degraded


@pytest.mark.parametrize(
    ("machine", "named"),
    [
        (replace(ORIN, tensorrt="10.16.0.72"), "tensorrt is 10.3.0, expected 10.16.0.72"),
        (replace(ORIN, device="Orin NX"), "device is Orin, expected Orin NX"),
        (replace(ORIN, compute_capability="11.0"), "compute_capability is 8.7, expected 11.0"),
        (replace(ORIN, tegra=False), "tegra is true, expected false"),
    ],
)
def test_another_machine(bundle: Path, store: Store, machine: Machine, named: str) -> None:
    add(store)
    with pytest.raises(EngineMismatch) as error:
        select(bundle, MANIFEST, machine, "image")
    assert named in str(error.value) and str(error.value).count(" is ") == 1
    command = f"vocabseg build '{bundle}' --engine tensorrt --precision float16 --batch 1,6,12"
    assert str(error.value).endswith(f"run: {command}")


def test_another_graph_and_a_batch_beyond_the_profile(bundle: Path, store: Store) -> None:
    add(store, replace(KEY, onnx_sha256="0" * 64))
    with pytest.raises(EngineMismatch) as error:
        select(bundle, MANIFEST, ORIN, "image", batch=13)
    assert "onnx_sha256 is 000000000000…, expected aaaaaaaaaaaa…" in str(error.value)
    assert "profile holds 12 at most, expected 13" in str(error.value)


def test_no_engine(bundle: Path, store: Store) -> None:
    with pytest.raises(BackendUnavailable, match="vocabseg build .* --engine tensorrt --precision int8$"):
        select(bundle, MANIFEST, ORIN, "image", "int8")
    store.prepare()
    (store.folder / "x.json").write_text("{")
    with pytest.raises(BackendUnavailable, match=r"x\.json"):
        select(bundle, MANIFEST, ORIN, "image")


@pytest.mark.parametrize(("parity", "message"), [(None, "never checked"), (FAILED, "--allow-degraded")])
def test_an_engine_that_no_gate_passed(bundle: Path, store: Store, parity, message: str) -> None:
    add(store, parity=parity)
    with pytest.raises(ParityError, match=message):
        select(bundle, MANIFEST, ORIN, "image")


@pytest.mark.parametrize("content", [b"", b"plan" * 99, b"planplam" * 50])
def test_a_damaged_plan(store: Store, content: bytes) -> None:
    record = add(store)
    (store.folder / record.plan).write_bytes(content)
    with pytest.raises(EngineError, match="is damaged: got .* run: the command"):
        store.read_plan(record, "the command")
    assert store.find("image", KEY.digest()) is None


def test_a_missing_plan(store: Store) -> None:
    record = add(store)
    (store.folder / record.plan).unlink()
    with pytest.raises(EngineError, match="run: the command"):
        store.read_plan(record, "the command")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema_version is 2"),
        ({"plan": "../other.plan"}, "not a file name"),
        ({"plan": ""}, "not a file name"),
        ({"key": {"schema": 9}}, "key is not of schema"),
        ({"parity": {"passed": "yes"}}, "parity"),
        ({"tower": ...}, "lacks tower"),
    ],
)
def test_bad_records(store: Store, change: dict, message: str) -> None:
    add(store)
    (path,) = store.folder.glob("*.json")
    document = json.loads(path.read_text()) | change
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not ...}))
    with pytest.raises(EngineError, match=message):
        read_record(path)
    assert store.records() == [] and len(store.unreadable()) == 1


def test_a_new_engine_replaces_the_old_one_of_its_device_only(store: Store) -> None:
    add(store)
    other_device = add(store, replace(KEY, machine=replace(ORIN, device="Orin NX")))
    newer = add(store, replace(KEY, machine=replace(ORIN, tensorrt="10.4.0")))
    assert {each.digest for each in store.records()} == {newer.digest, other_device.digest}
    assert len(list(store.folder.glob("*.plan"))) == 2


def test_sweep_leaves_only_whole_engines(store: Store) -> None:
    record = add(store)
    (store.folder / ".half.123.tmp").write_bytes(b"x")
    (store.folder / "image.float32.0123.plan").write_bytes(b"x")
    store.sweep()
    assert {path.name for path in store.folder.iterdir()} == {
        record.plan,
        record.plan.replace(".plan", ".json"),
    }


def test_one_build_at_a_time(store: Store) -> None:
    store.prepare()
    with store.locked(), pytest.raises(BackendUnavailable, match="another build"), store.locked():
        pass
    with store.locked():
        pass


def test_the_cache_is_private(tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    folder = cache_folder(MANIFEST)
    assert folder == tmp_path / "home" / "engines" / "tiny-one-bbbbbbbbbbbb"
    store = Store(folder, private=True)
    record = add(store)
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(BackendUnavailable):
        select(bundle, MANIFEST, ORIN, "image")  # nobody named the cache
    assert select(bundle, MANIFEST, ORIN, "image", cache=True) == record
    folder.chmod(0o777)
    with pytest.raises(CacheError, match="chmod o-w"):
        select(bundle, MANIFEST, ORIN, "image", cache=True)
    folder.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(CacheError, match="executable content"):
        store.records()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="--cache"):
        Store(tmp_path / "file" / "engines").prepare()
    with pytest.raises(CacheError, match="VOCABSEG_HOME"):
        Store(tmp_path / "file" / "engines", private=True).prepare()
    assert store_module.bundle_folder(tmp_path) == tmp_path / "engines"
