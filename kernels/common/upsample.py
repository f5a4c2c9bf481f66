"""The textbook way from patches to pixels, in float64: up-sample each window, average overlaps, resize.

Taps of weight zero are skipped, so that a NaN that has no weight has no influence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .window_plan import WindowPlan

Array = NDArray[np.float64]

# Weights nearer to 0 or 1 are rounding noise of the source coordinate.
_NOISE = 1e-9


def resize_axis(values: Array, length: int, axis: int) -> Array:
    """Bilinear resize along one axis as torch does it (``align_corners=False``, no antialias)."""
    size = values.shape[axis]
    source = np.maximum((np.arange(length) + 0.5) * size / length - 0.5, 0.0)
    low = np.minimum(source.astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    weight = source - low
    weight = np.where(weight < _NOISE, 0.0, np.where(weight > 1 - _NOISE, 1.0, weight))
    shape = [1] * values.ndim
    shape[axis] = length
    weight = weight.reshape(shape)
    with np.errstate(invalid="ignore"):
        mixed = values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
    mixed = np.where(weight == 0, values.take(low, axis), mixed)
    return np.where((weight == 1) | (low == high).reshape(shape), values.take(high, axis), mixed)


def resize(values: Array, size: tuple[int, int]) -> Array:
    """Bilinear resize of the last two axes to ``size`` (H, W)."""
    return resize_axis(resize_axis(values, size[0], -2), size[1], -1)


def upsample_windows(patches: NDArray, plan: WindowPlan, size: tuple[int, int]) -> Array:
    """Patches [W, K, gh, gw] of all windows to pixels [K, H, W_out] of an output of ``size``."""
    merged = np.zeros((patches.shape[1], plan.net_h, plan.net_w))
    count = np.zeros((plan.net_h, plan.net_w))
    starts = [(y, x) for y in plan.ys for x in plan.xs]
    for window, (y, x) in zip(np.asarray(patches, np.float64), starts, strict=True):
        padded = resize(window, (plan.padded_h, plan.padded_w))
        rows = slice(plan.pad_top, plan.pad_top + plan.window_h)
        cols = slice(plan.pad_left, plan.pad_left + plan.window_w)
        merged[:, y : y + plan.window_h, x : x + plan.window_w] += padded[:, rows, cols]
        count[y : y + plan.window_h, x : x + plan.window_w] += 1
    return resize(merged / count, size)
