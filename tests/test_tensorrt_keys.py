"""Engine keys, and the networks of a bundle that they are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine_records import KEY, MANIFEST, ORIN, PROFILE
from vocabseg.errors import (
    BackendUnavailable,
    ShapeError,
)
from vocabseg.tensorrt.key import EngineKey, canonical
from vocabseg.tensorrt.networks import networks, parse_batch, precision_name


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
