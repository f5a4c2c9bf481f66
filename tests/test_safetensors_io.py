"""The safetensors reader and writer: round trips, the public package, and files that lie."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vocabseg import safetensors_io
from vocabseg.errors import VocabsegError, VocabularyError


def container(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("dtype", safetensors_io.DTYPES.values())
def test_round_trip(tmp_path, dtype) -> None:
    tensors = {"a": np.arange(6).reshape(2, 3).astype(dtype), "empty": np.zeros((0, 4), dtype)}
    path = safetensors_io.write(tmp_path / "x.safetensors", tensors, {"key": "wört"})
    read, metadata = safetensors_io.read(path)
    assert metadata == {"key": "wört"}
    for name, array in tensors.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        assert read[name].flags.writeable


def test_views_and_big_endian_are_stored_by_value() -> None:
    array = np.arange(24, dtype=">f4").reshape(4, 6)[::-1, ::2]
    read, _ = safetensors_io.from_bytes(safetensors_io.to_bytes({"a": array}))
    np.testing.assert_array_equal(read["a"], array)


def test_same_content_same_bytes() -> None:
    one = safetensors_io.to_bytes({"a": np.zeros(2), "b": np.ones(3)}, {"x": "1", "y": "2"})
    other = safetensors_io.to_bytes({"b": np.ones(3), "a": np.zeros(2)}, {"y": "2", "x": "1"})
    assert one == other


def test_agrees_with_the_public_package(tmp_path) -> None:
    public = pytest.importorskip("safetensors.numpy")
    tensors = {"a": np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32), "b": np.arange(4)}
    safetensors_io.write(tmp_path / "ours.safetensors", tensors, {"k": "v"})
    for name, array in public.load_file(tmp_path / "ours.safetensors").items():
        np.testing.assert_array_equal(array, tensors[name])
    public.save_file(tensors, tmp_path / "theirs.safetensors", {"k": "v"})
    read, metadata = safetensors_io.read(tmp_path / "theirs.safetensors")
    assert metadata == {"k": "v"}
    for name, array in tensors.items():
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 7,
        (1 << 62).to_bytes(8, "little") + b"{}",
        (3).to_bytes(8, "little") + b"{}",
        container(b"{"),
        container(b"\xff\xfe"),
        container(b"[" * 100_000),
        container([]),
        container({"a": 1}),
        container({"__metadata__": {"a": 1}}),
        container({"__metadata__": "text"}),
        container({"a": entry("F99")}, bytes(8)),
        container({"a": entry(shape=(3,))}, bytes(8)),
        container({"a": entry(shape=(-2,))}, bytes(8)),
        container({"a": entry(shape=(2.0,))}, bytes(8)),
        container({"a": entry(shape=(True, 2))}, bytes(8)),
        container({"a": entry(shape=(2**40, 2**40), offsets=(0, 8))}, bytes(8)),
        container({"a": entry(offsets=(0, 8, 9))}, bytes(8)),
        container({"a": entry(offsets=(8, 0))}, bytes(8)),
        container({"a": entry(offsets=(4, 12))}, bytes(12)),
        container({"a": entry()}, bytes(4)),
        container({"a": entry()}, bytes(9)),
        container({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    ],
)
def test_files_that_lie_are_refused(tmp_path, data) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(VocabularyError, match="not a valid .safetensors"):
        safetensors_io.read(path, VocabularyError)


def test_missing_file_and_foreign_dtype(tmp_path) -> None:
    with pytest.raises(VocabsegError, match="cannot read"):
        safetensors_io.read(tmp_path / "none.safetensors")
    with pytest.raises(VocabsegError, match="complex128"):
        safetensors_io.to_bytes({"a": np.zeros(2, complex)})
