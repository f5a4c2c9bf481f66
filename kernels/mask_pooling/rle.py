"""COCO run-length codes: the specification of ``rle.h``.

Counts are the lengths of the runs of a mask that is read column by column: background first (its run may be
0), then mask, background, ... in turn. The compressed string stores counts from the fourth on as differences
to the count before the last, in groups of five bits, low first, each plus 48 as an ASCII character.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def decode_counts(code: bytes) -> list[int]:
    """Counts of a compressed string. Raises ``ValueError`` on a string that is no such code."""
    counts: list[int] = []
    value = shift = 0
    for character in code:
        bits = character - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(
                f"run-length code is not valid: character {character!r} after {len(counts)} counts"
            )
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if not 0 <= value < 1 << 32:
            raise ValueError(f"run-length code is not valid: count {len(counts)} is {value}")
        counts.append(value)
        value = shift = 0
    if shift:
        raise ValueError("run-length code is not valid: it ends within a number")
    return counts


def encode_counts(counts: Sequence[int]) -> bytes:
    """The compressed string of counts."""
    code = bytearray()
    for i, count in enumerate(counts):
        value = int(count) - (int(counts[i - 2]) if i > 2 else 0)
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            code.append(48 + bits + (32 if more else 0))
    return bytes(code)


def counts_of(mask: NDArray[np.bool_]) -> list[int]:
    """Counts of a mask [H, W]."""
    pixels = np.asarray(mask, bool).ravel(order="F")
    borders = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff([0, *borders, pixels.size])
    return ([0] if pixels.size and pixels[0] else []) + [int(run) for run in runs]


def mask_of(counts: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask [H, W] of counts. Raises ``ValueError`` unless they sum to H * W."""
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f"the runs sum to {sum(counts)}, expected {size[0]} x {size[1]}")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, np.asarray(counts, np.int64)).reshape(size, order="F")
