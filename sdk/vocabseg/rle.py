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

from .core import load_core
from .errors import MaskError

_MAX_COUNT = 2**32 - 1


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
    """Run lengths, uint32 [R], from COCO's text. Raises `MaskError` where it is no such code."""
    return _decompress(text)[0]


def _decompress(text: str | bytes) -> tuple[np.ndarray, int]:
    """Run lengths and their sum."""
    try:
        code = text.encode("ascii") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        raise MaskError("compressed counts hold characters that no run-length code has") from error
    return load_core().ops.decompress_rle(code)


def parse(code: Mapping[str, Any]) -> tuple[int, int, np.ndarray]:
    """``(H, W, counts uint32 [R])`` of one code, compressed or not; the counts cover H·W pixels exactly."""
    try:
        (height, width), counts = (int(side) for side in code["size"]), code["counts"]
    except (KeyError, TypeError, ValueError) as error:
        raise MaskError(
            'a run-length code is {"size": [H, W], "counts": …}; polygons must be drawn first'
        ) from error
    values, total = _decompress(counts) if isinstance(counts, (str, bytes)) else _integers(counts)
    if height < 1 or width < 1 or total != height * width:
        raise MaskError(f"run lengths sum to {total}, expected {height}·{width} = {height * width}")
    return height, width, values


def _integers(counts: Any) -> tuple[np.ndarray, int]:
    """Run lengths, uint32 [R], and their sum."""
    try:
        values = np.asarray(counts)
    except ValueError as error:
        raise MaskError(f"run lengths must be a flat list of integers: {error}") from error
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise MaskError(
            f"run lengths must be a flat list of integers, got {values.dtype} {list(values.shape)}"
        )
    if values.size and (values.min() < 0 or values.max() > _MAX_COUNT):
        raise MaskError(f"run lengths must be between 0 and {_MAX_COUNT}")
    return values.astype(np.uint32), int(values.sum())
