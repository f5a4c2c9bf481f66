"""Engine keys, records and stores: what is kept, what is refused, and what the message says."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vocabseg.errors import (
    BackendUnavailable,
    CacheError,
    EngineError,
    EngineMismatch,
    ParityError,
    ShapeError,
)
from vocabseg.tensorrt import store as store_module
from vocabseg.tensorrt.key import EngineKey, Machine, canonical
from vocabseg.tensorrt.networks import networks, parse_batch, precision_name
from vocabseg.tensorrt.record import Record, read_record
from vocabseg.tensorrt.select import select
from vocabseg.tensorrt.store import Store, cache_folder, plan_name

ORIN = Machine("10.3.0", "8.7", "Orin", True, 4 << 30)
PROFILE = {"windows": ((1, 3, 64, 64), (6, 3, 64, 64), (12, 3, 64, 64))}
KEY = EngineKey("a" * 64, "float16", PROFILE, ORIN, {"tf32": False})
MANIFEST = {
    "name": "tiny one",
    "window": {"mode": "slide", "height": 64, "width": 64},
    "grid": [4, 4],
    "tokenizer": {"context_length": 16},
    "image_encoder": {
        "input": "windows",
        "output": "features",
        "extra_outputs": {"tokens": [17, 96]},
        "variants": {"float32": "image.onnx", "float16": "image.fp16.onnx"},
    },
    "feedback_encoder": {"input": "shared", "output": "features", "variants": {"float32": "f.onnx"}},
    "text_encoder": {"input": "tokens", "output": "embedding", "variants": {"float32": "text.onnx"}},
    "files": {
        "image.onnx": {"sha256": "b" * 64},
        "image.fp16.onnx": {"sha256": "a" * 64},
        "f.onnx": {"sha256": "c" * 64},
        "text.onnx": {"sha256": "d" * 64},
        "text.onnx.data": {"sha256": "e" * 64},
    },
}
PASSED = {"passed": True, "failures": []}
FAILED = {"passed": False, "failures": ["smallest cosine 0.1 is below 0.99"]}


def add(store: Store, key: EngineKey = KEY, plan: bytes = b"plan" * 100, **changes) -> Record:
    """An engine as a build leaves it."""
    import hashlib

    store.prepare()
    name = plan_name("image", key.precision, key.digest())
    (store.folder / name).write_bytes(plan)
    fields = {
        "tower": "image",
        "key": json.loads(canonical(key.document())),
        "digest": key.digest(),
        "plan": name,
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "inputs": ["windows"],
        "outputs": ["features"],
        "rebuild": ["--precision", "float16", "--batch", "1,6,12"],
        "build": {"seconds": 1.0},
        "parity": PASSED,
    }
    record = Record(**(fields | changes))
    store.write_record(record)
    return record


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "my bundle"


@pytest.fixture
def store(bundle: Path) -> Store:
    return Store(bundle / "engines")


def test_the_key_covers_every_field() -> None:
    other = [
        replace(KEY, onnx_sha256="f" * 64),
        replace(KEY, precision="float32"),
        replace(KEY, profile={"windows": ((1, 3, 64, 64),) * 3}),
        replace(KEY, options={"tf32": True}),
        replace(KEY, machine=replace(ORIN, tensorrt="10.3.1")),
        replace(KEY, machine=replace(ORIN, compute_capability="8.9")),
        replace(KEY, machine=replace(ORIN, device="Orin NX")),
        replace(KEY, machine=replace(ORIN, tegra=False)),
    ]
    digests = {key.digest() for key in (KEY, *other)}
    assert len(digests) == len(other) + 1 and all(len(digest) == 16 for digest in digests)
    assert replace(KEY, machine=replace(ORIN, free_bytes=1)).digest() == KEY.digest()


def test_the_key_does_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": "ä"}) == '{"a":"\\u00e4","b":1}'
    assert EngineKey("a" * 64, "float16", dict(PROFILE), ORIN, {"tf32": False}).digest() == KEY.digest()


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


def test_networks_of_a_bundle(tmp_path: Path) -> None:
    for name in MANIFEST["files"]:
        (tmp_path / name).write_bytes(b"")
    image, feedback, text = networks(tmp_path, MANIFEST, "float32", (1, 6, 12))
    assert image.profile == PROFILE and image.outputs == ("features", "tokens")
    assert image.onnx_sha256 == "b" * 64
    assert feedback.profile["shared"] == ((1, 16, 16), (6, 16, 16), (12, 16, 16))
    assert feedback.profile["tokens"][2] == (12, 17, 96) and feedback.outputs == ("features",)
    assert text.profile == {"tokens": ((1, 16), (16, 16), (64, 16))}
    assert text.onnx_sha256 == "d" * 64 + "+" + "e" * 64


def test_a_graph_that_the_bundle_lacks(tmp_path: Path) -> None:
    for name in MANIFEST["files"]:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BackendUnavailable, match="--precision float32 float16 bfloat16 --force --out"):
        networks(tmp_path, MANIFEST, "bfloat16", (1, 6, 12))
    with pytest.raises(BackendUnavailable, match="--precision int8 --calibrate PHOTOS"):
        networks(tmp_path, MANIFEST, "int8", (1, 6, 12))
    with pytest.raises(BackendUnavailable, match="feedback network"):
        networks(tmp_path, MANIFEST, "float16", (1, 6, 12))


def test_batches() -> None:
    assert parse_batch(None, MANIFEST) == (1, 6, 12)
    assert parse_batch(None, {"window": {"mode": "whole"}}) == (1, 1, 4)
    assert parse_batch("6", MANIFEST) == (6, 6, 6)
    assert parse_batch("1,12", MANIFEST) == (1, 12, 12)
    assert parse_batch("1,6,12", MANIFEST) == (1, 6, 12)
    for wrong in ("", "a", "0", "6,1", "1,2,3,4", "-1,2", "1,,2"):
        with pytest.raises(ShapeError, match="--batch"):
            parse_batch(wrong, MANIFEST)


def test_precision_names() -> None:
    assert [precision_name(name) for name in ("fp16", "bf16", "fp32", "int8", "float16")] == [
        "float16",
        "bfloat16",
        "float32",
        "int8",
        "float16",
    ]
    with pytest.raises(BackendUnavailable, match="fp8"):
        precision_name("fp8")
