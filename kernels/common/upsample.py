"""The textbook way from patches to pixels, in float64: up-sample each window, average overlaps, resize.

``interpolation`` is how all resizes sample: "bilinear" (torch's ``align_corners=False``), "align_corners"
(bilinear with ``align_corners=True``), or "nearest".
Taps of weight zero are skipped, so that a NaN that has no weight has no influence.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .window_plan import WindowPlan

Array = NDArray[np.float64]
Interpolation = Literal["bilinear", "align_corners", "nearest"]

# Weights nearer to 0 or 1 are rounding noise of the source coordinate.
_NOISE = 1e-9


def source_coordinates(size: int, length: int, interpolation: Interpolation) -> Array:
    """Where in ``size`` the samples of ``length`` lie, as torch has it (no antialias)."""
    at = np.arange(length)
    if interpolation == "align_corners":
        return at * (size - 1) / (length - 1) if length > 1 else np.zeros(1)
    if interpolation == "nearest":
        # In float32, whose rounding decides at the edges between two pixels.
        scale = np.float32(size) / np.float32(length)
        return np.minimum(np.floor(at.astype(np.float32) * scale), size - 1).astype(np.float64)
    return np.maximum((at + 0.5) * size / length - 0.5, 0.0)


def resize_axis(values: Array, length: int, axis: int, interpolation: Interpolation = "bilinear") -> Array:
    """Resize along one axis."""
    size = values.shape[axis]
    source = source_coordinates(size, length, interpolation)
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


def resize(values: Array, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Array:
    """Resize of the last two axes to ``size`` (H, W)."""
    return resize_axis(resize_axis(values, size[0], -2, interpolation), size[1], -1, interpolation)


def upsample_windows(
    patches: NDArray,
    plan: WindowPlan,
    size: tuple[int, int],
    interpolation: Interpolation = "bilinear",
) -> Array:
    """Patches [W, K, gh, gw] of all windows to pixels [K, H, W_out] of an output of ``size``."""
    merged = np.zeros((patches.shape[1], plan.net_h, plan.net_w))
    count = np.zeros((plan.net_h, plan.net_w))
    starts = [(y, x) for y in plan.ys for x in plan.xs]
    for window, (y, x) in zip(np.asarray(patches, np.float64), starts, strict=True):
        padded = resize(window, (plan.padded_h, plan.padded_w), interpolation)
        rows = slice(plan.pad_top, plan.pad_top + plan.window_h)
        cols = slice(plan.pad_left, plan.pad_left + plan.window_w)
        merged[:, y : y + plan.window_h, x : x + plan.window_w] += padded[:, rows, cols]
        count[y : y + plan.window_h, x : x + plan.window_w] += 1
    return resize(merged / count, size, interpolation)
