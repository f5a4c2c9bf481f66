"""Masks in all forms that the ops take, checked once and brought to one array per form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rle
from ..core import load_core
from ..errors import MaskError
from .arrays import FLOATS, size_pair
from .exchange import dtype_name, signed, stacked

_FORMS = "bool, uint8 or float [M, H, W], PackedMasks, an integer label map [H, W], or a list of COCO run-length codes"
_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_MAX_COUNT = 2**31 - 1


@dataclass(frozen=True)
class PackedMasks:
    """Masks of one bit a pixel: ``bits`` uint8 [M, H, ceil(width / 8)] as ``np.packbits(masks, axis=-1)`` makes
    them, the first pixel of a row in the highest bit of its first byte."""

    bits: Any
    width: int

    @classmethod
    def pack(cls, masks: NDArray[np.bool_]) -> PackedMasks:
        """bool [M, H, W] as bits."""
        return cls(np.packbits(masks, axis=-1), masks.shape[-1])


@dataclass(frozen=True)
class Masks:
    """Masks as the implementations take them.

    ``form`` and ``data`` are one of: "bool", bool or uint8 [M, H, W], non-zero inside; "packed", uint8
    [M, H, ceil(W / 8)]; "soft", float32 [M, H, W]; "labels", int32 [H, W], where ids from 0 on are less than
    ``count``; "rle", a list of uint32 run lengths. Arrays are NumPy arrays, or torch tensors on a GPU.
    ``weights`` float32 [H, W] or [M, H, W], or None, multiply masks of every form but "soft".
    """

    form: str
    data: Any
    count: int
    size: tuple[int, int]
    weights: Any = None


def readable(masks: Any) -> Any:
    """``masks`` as ``Given`` reads them; a list of arrays becomes one. Raises ``MaskError``."""
    if isinstance(masks, PackedMasks):
        return masks.bits
    if hasattr(masks, "dtype") or hasattr(masks, "__dlpack_device__"):
        return masks
    if isinstance(masks, list | tuple) and all(isinstance(mask, Mapping) for mask in masks):
        return masks
    try:
        array = stacked(masks)
    except (ValueError, RuntimeError) as error:
        raise MaskError(f"got a list of masks of different sizes or forms, expected {_FORMS}") from error
    if isinstance(array, np.ndarray) and array.dtype.kind not in "biufc":
        raise MaskError(f"got masks that are no numbers ({type(masks).__name__}), expected {_FORMS}")
    return array


def parse_masks(masks: Any, count: int | None, width: int | None) -> Masks:
    """``width`` is that of packed masks. Raises ``MaskError``."""
    if isinstance(masks, list | tuple):
        return _parse_codes(masks)
    shape, dtype = tuple(masks.shape), dtype_name(masks)
    if len(shape) == 3 and width is not None:
        return _parse_packed(masks, width)
    if len(shape) == 3 and 0 not in shape[1:]:
        if dtype in ("bool", "uint8"):
            return Masks("bool", masks, shape[0], shape[1:])
        if dtype in FLOATS:
            return Masks("soft", as_float32(masks), shape[0], shape[1:])
    if len(shape) == 2 and dtype in _LABELS and 0 not in shape:
        return _parse_labels(masks, count)
    raise MaskError(f"got masks {dtype}{list(shape)}, expected {_FORMS}")


def with_weights(masks: Masks, weights: Any) -> Masks:
    """``masks`` times ``weights`` [H, W] or [M, H, W]."""
    if weights is None:
        return masks
    if dtype_name(weights) not in FLOATS:
        raise MaskError(f"got weights of dtype {dtype_name(weights)}, expected {' or '.join(FLOATS)}")
    if tuple(weights.shape) not in (masks.size, (masks.count, *masks.size)):
        height, width = masks.size
        raise MaskError(
            f"got weights {list(weights.shape)}, expected [{height}, {width}] or [{masks.count}, {height}, {width}]"
        )
    weights = as_float32(weights)
    if masks.form == "soft":
        return replace(masks, data=masks.data * weights)
    return replace(masks, weights=weights)


def resample(masks: Masks, size: Sequence[int] | None, threads: int | None) -> Masks:
    """Masks (and weights) resized to (H, W) as torch's ``interpolate(mode="nearest")`` does it."""
    if size is None:
        return masks
    size = size_pair(size, None)
    rows, cols = (nearest(length, out) for length, out in zip(masks.size, size, strict=True))
    form, data = masks.form, masks.data
    if form == "packed":
        form, data = "bool", np.unpackbits(data, axis=-1, count=masks.size[1])
    elif form == "rle" and (np.diff(cols) == 0).any():  # columns repeat where the image is narrower
        form, data = "bool", np.stack([rle.decode(counts, *masks.size) for counts in data])
    data = _resample_runs(data, masks.size, rows, cols) if form == "rle" else _take(data, rows, cols, threads)
    weights = None if masks.weights is None else _take(masks.weights, rows, cols, threads)
    return replace(masks, form=form, data=data, size=size, weights=weights)


def nearest(length: int, out: int) -> NDArray[np.int64]:
    """The pixel that torch's ``mode="nearest"`` takes for each of ``out`` pixels, in its float32 arithmetic."""
    scale = np.float32(length) / np.float32(out)
    return np.minimum(np.floor(np.arange(out, dtype=np.float32) * scale).astype(np.int64), length - 1)


def as_float32(array: Any) -> Any:
    if dtype_name(array) == "float32":
        return array
    return array.astype(np.float32) if isinstance(array, np.ndarray) else array.float()


def _take(maps: Any, rows: NDArray[np.int64], cols: NDArray[np.int64], threads: int | None) -> Any:
    """The pixels of maps [..., H, W] at the given rows and columns."""
    if not isinstance(maps, np.ndarray):
        return maps[..., rows, :][..., cols]
    ops = load_core().ops
    take = {
        "bool": ops.take_bytes,
        "uint8": ops.take_bytes,
        "int32": ops.take_labels,
        "float32": ops.take_floats,
    }
    values = maps.view(np.uint8) if maps.dtype == np.bool_ else maps
    stack = values if maps.ndim == 3 else values[None]
    taken = take[maps.dtype.name](stack, rows.tolist(), cols.tolist(), threads or 0)
    return taken if maps.ndim == 3 else taken[0]


def _resample_runs(
    codes: list[NDArray[np.uint32]], size: tuple[int, int], rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> list[NDArray[np.uint32]]:
    """Run lengths of the chosen rows (which may repeat) and columns: every run keeps the chosen pixels that it
    holds, so that nothing is expanded."""
    height, width = size
    rows_before = np.searchsorted(rows, np.arange(height))
    columns = np.arange(width + 1)
    columns_before = np.searchsorted(cols, columns) * len(rows)
    chosen = np.isin(columns, cols)

    def chosen_before(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        column, row = np.divmod(pixels, height)
        return columns_before[column] + chosen[column] * rows_before[row]

    ends = [chosen_before(np.cumsum(counts, dtype=np.int64)) for counts in codes]
    return [np.diff(end, prepend=0).astype(np.uint32) for end in ends]


def _parse_packed(bits: Any, width: int) -> Masks:
    count, height, stride = bits.shape
    if dtype_name(bits) != "uint8" or width < 1 or height < 1 or stride != (width + 7) // 8:
        raise MaskError(
            f"got packed masks {dtype_name(bits)}{list(bits.shape)} of width {width}, "
            f"expected uint8 [M, H, {max(width + 7, 0) // 8}]"
        )
    return Masks("packed", bits, count, (height, width))


def _parse_labels(labels: Any, count: int | None) -> Masks:
    labels = signed(labels)
    largest = int(labels.max())
    count = max(largest + 1, 0) if count is None else int(count)
    if largest >= count or count > _MAX_COUNT:
        raise MaskError(
            f"the label map has id {largest}, expected less than {count} and at most {_MAX_COUNT - 1}: "
            "number its regions from 0 with numpy.unique(labels, return_inverse=True)"
        )
    if isinstance(labels, np.ndarray) and labels.dtype != np.int32:
        labels = (np.maximum(labels, -1) if labels.dtype.kind == "i" else labels).astype(np.int32)
    elif not isinstance(labels, np.ndarray):
        labels = labels.clamp(min=-1).int()
    return Masks("labels", labels, count, tuple(labels.shape))


def _parse_codes(masks: Sequence[Any]) -> Masks:
    if not masks:
        return Masks("rle", [], 0, (1, 1))
    codes = [rle.parse(mask) for mask in masks]
    sizes = {(height, width) for height, width, _ in codes}
    if len(sizes) > 1:
        raise MaskError(f"got masks of sizes {sorted(sizes)}, expected one size [H, W]")
    return Masks("rle", [counts for _, _, counts in codes], len(codes), sizes.pop())
