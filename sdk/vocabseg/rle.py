"""COCO run-length codes: ``{"size": [H, W], "counts": …}``, pixels read column by column.

``counts`` holds the lengths of runs, background first and mask in turn: as a list of integers, or compressed
to text. In the compressed form each count from the fourth on is the difference to the count before the last;
a number is written in groups of five bits, low first, a sixth bit says that more follow, and each group is a
character from '0'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import MaskError

_MAX_COUNT = 2**32 - 1
_MAX_GROUPS = 7  # 35 bits hold any signed difference of two 32-bit counts


def encode(mask: np.ndarray) -> np.ndarray:
    """Run lengths, int64 [R], of a bool mask [H, W]."""
    flat = np.asarray(mask, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate(([0], changes, [flat.size])))
    return np.concatenate(([0], counts)) if flat.size and flat[0] else counts


def decode(counts: np.ndarray, height: int, width: int) -> np.ndarray:
    """The bool mask [H, W] of run lengths that sum to H·W."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def compress(counts: np.ndarray) -> str:
    """Run lengths as COCO's text."""
    values = np.asarray(counts, dtype=np.int64).copy()
    values[3:] -= np.asarray(counts, dtype=np.int64)[1:-2]
    text = bytearray()
    for value in values.tolist():
        more = True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text.append(48 + group + (0x20 if more else 0))
    return text.decode("ascii")


def decompress(text: str | bytes) -> np.ndarray:
    """Run lengths, int64 [R], from COCO's text. Raises `MaskError` where it is no such code."""
    try:
        code = text.encode("ascii") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        raise MaskError("compressed counts hold characters that no run-length code has") from error
    groups = np.frombuffer(code, np.uint8).astype(np.int64) - 48
    if groups.size and (groups.min() < 0 or groups.max() > 63):
        raise MaskError("compressed counts hold characters that no run-length code has")
    last = np.flatnonzero(groups & 0x20 == 0)
    if groups.size and (last.size == 0 or last[-1] != groups.size - 1):
        raise MaskError("compressed counts end in the middle of a number")
    first = np.concatenate(([0], last[:-1] + 1)) if last.size else last
    lengths = last - first + 1
    if lengths.size and lengths.max() > _MAX_GROUPS:
        raise MaskError("compressed counts hold a number beyond 32 bits")
    position = np.arange(groups.size) - np.repeat(first, lengths)
    values = np.add.reduceat((groups & 0x1F) << 5 * position, first) if first.size else groups
    values -= np.where(groups[last] & 0x10 != 0, 1 << 5 * lengths, 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def parse(code: Mapping[str, Any]) -> tuple[int, int, np.ndarray]:
    """``(H, W, counts uint32 [R])`` of one code, compressed or not; the counts cover H·W pixels exactly."""
    try:
        (height, width), counts = (int(side) for side in code["size"]), code["counts"]
    except (KeyError, TypeError, ValueError) as error:
        raise MaskError(
            'a run-length code is {"size": [H, W], "counts": …}; polygons must be drawn first'
        ) from error
    values = decompress(counts) if isinstance(counts, (str, bytes)) else _integers(counts)
    if values.size and (values.min() < 0 or values.max() > _MAX_COUNT):
        raise MaskError(f"run lengths must be between 0 and {_MAX_COUNT}")
    if height < 1 or width < 1 or int(values.sum()) != height * width:
        raise MaskError(
            f"run lengths sum to {int(values.sum())}, expected {height}·{width} = {height * width}"
        )
    return height, width, values.astype(np.uint32)


def _integers(counts: Any) -> np.ndarray:
    try:
        values = np.asarray(counts)
    except ValueError as error:
        raise MaskError(f"run lengths must be a flat list of integers: {error}") from error
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise MaskError(
            f"run lengths must be a flat list of integers, got {values.dtype} {list(values.shape)}"
        )
    return values.astype(np.int64)
