"""Masks in any of the accepted forms, made ready for the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import rle
from .errors import MaskError

MAX_LABEL = 65535
_FORMS = "bool [M, H, W], a list of COCO run-length codes, or an integer label map [H, W]"


def prepare(masks: Any, height: int, width: int) -> Any:
    """Masks of an image of ``height``×``width`` pixels, as the core takes them.

    bool [M, H, W] stays, run-length codes become ``(H, W, counts)``, a label map becomes int32. Raises
    `MaskError`.
    """
    if isinstance(masks, Mapping):
        masks = [masks]
    if isinstance(masks, Sequence) and masks and all(isinstance(mask, Mapping) for mask in masks):
        codes = [rle.parse(mask) for mask in masks]
        for code in codes:
            _check_size(code[:2], (height, width))
        return codes
    array = _as_array(masks, height, width)
    if array.dtype == bool and array.ndim in (2, 3):
        stack = array if array.ndim == 3 else array[None]
        _check_size(stack.shape[1:], (height, width))
        return np.ascontiguousarray(stack)
    if array.dtype.kind in "iu" and array.ndim == 2:
        _check_size(array.shape, (height, width))
        return _label_map(array)
    raise MaskError(f"masks must be {_FORMS}; got {array.dtype} {list(array.shape)}{_hint(array)}")


def _as_array(masks: Any, height: int, width: int) -> np.ndarray:
    if isinstance(masks, Sequence) and len(masks) == 0:
        return np.zeros((0, height, width), bool)
    try:
        return np.asarray(masks)
    except ValueError as error:
        raise MaskError(f"masks must be {_FORMS}; the list holds masks of different sizes") from error


def _label_map(labels: np.ndarray) -> np.ndarray:
    """Mask m is where the label is m; negative labels belong to no mask."""
    highest = int(labels.max())
    if highest > MAX_LABEL:
        raise MaskError(
            f"the label map has label {highest}, at most {MAX_LABEL} can be told apart; "
            "number its regions from 0: numpy.unique(label_map, return_inverse=True)"
        )
    return np.ascontiguousarray(np.maximum(labels, -1) if labels.dtype.kind == "i" else labels, np.int32)


def _check_size(size: tuple[int, ...], expected: tuple[int, int]) -> None:
    if tuple(size) != expected:
        raise MaskError(
            f"masks of {size[0]}×{size[1]} pixels for an image of {expected[0]}×{expected[1]} (rows×columns)"
        )


def _hint(array: np.ndarray) -> str:
    if array.ndim == 3 and array.dtype.kind in "iuf":
        return "; for 0/1 or soft masks pass masks > 0.5"
    return ""
