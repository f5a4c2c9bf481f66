"""A small reader and writer of the safetensors format: a JSON header, then raw little-endian arrays.

Layout: 8 bytes header length (uint64), header ``{"name": {"dtype", "shape", "data_offsets"}, "__metadata__":
{…}}``, then the data without holes. Everything in the header is checked against the size of the file before
it is used. Source: https://github.com/huggingface/safetensors (format section of the README).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from .errors import VocabsegError
from .files import write_atomic

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
MAX_HEADER = 100_000_000
_ALIGNMENT = 8


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write named arrays and string metadata, atomically. Same input, same bytes."""
    return write_atomic(path, to_bytes(tensors, metadata))


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of a safetensors file."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    chunks, offset = [], 0
    for name, array in sorted(tensors.items()):
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype not in _CODES:
            raise VocabsegError(
                f"tensor {name!r} has dtype {array.dtype}; safetensors stores {', '.join(DTYPES)}"
            )
        chunk = np.ascontiguousarray(little).tobytes()
        header[name] = {
            "dtype": _CODES[little.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(chunk)],
        }
        chunks.append(chunk)
        offset += len(chunk)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def read(
    path: str | os.PathLike[str], error: type[VocabsegError] = VocabsegError
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read every array and the metadata. Whatever is wrong with the file is raised as ``error``."""
    try:
        data = Path(path).read_bytes()
    except OSError as cause:
        raise error(f"cannot read {os.fspath(path)}: {cause.strerror or cause}") from cause
    try:
        return from_bytes(data)
    except ValueError as cause:
        raise error(f"{os.fspath(path)} is not a valid .safetensors file: {cause}") from cause


def from_bytes(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays (writable copies) and metadata; ``ValueError`` says what is wrong with the content."""
    header, body = _split(data)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("__metadata__ is not a map of strings")
    spans = sorted((_checked_entry(name, entry), name) for name, entry in header.items())
    expected = 0
    for (begin, end, _, _), name in spans:
        if begin != expected:
            raise ValueError(f"tensor {name!r} starts at byte {begin}, expected {expected}")
        expected = end
    if expected != len(body):
        raise ValueError(f"{len(body)} bytes of data, the header describes {expected}")
    tensors = {
        name: np.frombuffer(body[begin:end], dtype=DTYPES[code]).reshape(shape).copy()
        for (begin, end, code, shape), name in spans
    }
    return tensors, metadata


def _split(data: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(data) < 8:
        raise ValueError(f"{len(data)} bytes, too short for a header")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER, len(data) - 8):
        raise ValueError(f"a header of {length} bytes in a file of {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length].decode())
    except RecursionError as cause:
        raise ValueError("header is nested too deeply") from cause
    if type(header) is not dict:
        raise ValueError("header is not a JSON object")
    return header, memoryview(data)[8 + length :]


def _checked_entry(name: str, entry: Any) -> tuple[int, int, str, tuple[int, ...]]:
    """``(begin, end, dtype code, shape)`` of one tensor; its byte count equals what dtype and shape need."""
    if type(entry) is not dict:
        raise ValueError(f"tensor {name!r} has no description")
    code, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if code not in DTYPES:
        raise ValueError(f"tensor {name!r} has dtype {code!r}; readable are {', '.join(DTYPES)}")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has shape {shape!r} and offsets {offsets!r}")
    needed = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if offsets[1] - offsets[0] != needed:
        raise ValueError(
            f"tensor {name!r} of shape {shape} needs {needed} bytes, has {offsets[1] - offsets[0]}"
        )
    return offsets[0], offsets[1], code, tuple(shape)


def _are_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
