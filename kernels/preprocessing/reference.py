"""Preprocessing: the specification. The resizes are fixed-point by definition, so exact integers here too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..common.window_plan import WindowPlan

Image = NDArray[np.uint8]
Ints = NDArray[np.int64]


def preprocess(
    image: Image, plan: WindowPlan, *, resize: str, mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float64]:
    """Windows [W, 3, padded_h, padded_w] of an image [H, W, 3]: resized, cut, normalised, zero-padded."""
    resized = RESIZES[resize](image, (plan.net_h, plan.net_w))
    normal = np.moveaxis((resized - np.asarray(mean, np.float64)) / np.asarray(std, np.float64), -1, 0)
    windows = np.zeros((plan.windows, 3, plan.padded_h, plan.padded_w))
    rows = slice(plan.pad_top, plan.pad_top + plan.window_h)
    cols = slice(plan.pad_left, plan.pad_left + plan.window_w)
    starts = [(y, x) for y in plan.ys for x in plan.xs]
    for window, (y, x) in zip(windows, starts, strict=True):
        window[:, rows, cols] = normal[:, y : y + plan.window_h, x : x + plan.window_w]
    return windows


def nv12_to_rgb(luma: Image, chroma: Image) -> Image:
    """OpenCV's COLOR_YUV2RGB_NV12: BT.601 limited range, weights in 2^-20. Luma [H, W], chroma [H / 2, W]."""
    pairs = chroma.reshape(luma.shape[0] // 2, luma.shape[1] // 2, 2).astype(np.int64) - 128
    u, v = np.moveaxis(pairs.repeat(2, 0).repeat(2, 1), -1, 0)
    y = np.maximum(luma.astype(np.int64) - 16, 0) * 1220542
    added = (1673527 * v, -852492 * v - 409993 * u, 2116026 * u)
    channels = [(y + part + (1 << 19)) >> 20 for part in added]
    return np.stack(channels, -1).clip(0, 255).astype(np.uint8)


def resize_bilinear(image: Image, size: tuple[int, int]) -> Image:
    """OpenCV's INTER_LINEAR on uint8 (no antialias), to ``size`` (H, W): weights are multiples of 1/2048."""
    x0, x1, a0, a1 = _bilinear_taps(image.shape[1], size[1], keep_border_fraction=False)
    y0, y1, b0, b1 = _bilinear_taps(image.shape[0], size[0], keep_border_fraction=True)
    pixels = image.astype(np.int64)
    rows = pixels[:, x0] * a0[:, None] + pixels[:, x1] * a1[:, None]
    low = (b0[:, None, None] * (rows[y0] >> 4)) >> 16
    high = (b1[:, None, None] * (rows[y1] >> 4)) >> 16
    return ((low + high + 2) >> 2).astype(np.uint8)


def _bilinear_taps(size: int, length: int, *, keep_border_fraction: bool) -> tuple[Ints, Ints, Ints, Ints]:
    """Low and high index and weight. At the border OpenCV drops the fraction of columns, not of rows."""
    source = ((np.arange(length) + 0.5) * (1.0 / (length / size)) - 0.5).astype(np.float32)
    low = np.floor(source).astype(np.int64)
    fraction = source - low.astype(np.float32)
    if not keep_border_fraction:
        fraction[(low < 0) | (low >= size - 1)] = 0
    weights = [
        np.rint(part * np.float32(2048)).astype(np.int64) for part in (np.float32(1) - fraction, fraction)
    ]
    return np.clip(low, 0, size - 1), np.clip(low + 1, 0, size - 1), weights[0], weights[1]


def resize_bicubic(image: Image, size: tuple[int, int]) -> Image:
    """Pillow's BICUBIC on uint8 (antialiased), to ``size`` (H, W): 22-bit weights, uint8 between the passes.

    Width first; since Pillow 13 height first where that falls by more than twice as many pixels as the width.
    """
    fall = (image.shape[0] - size[0], image.shape[1] - size[1])
    if fall[0] > max(0, 2 * fall[1]):
        return _filter_cols(_filter_rows(image, size[0]), size[1])
    return _filter_rows(_filter_cols(image, size[1]), size[0])


def _filter_cols(image: Image, length: int) -> Image:
    return _filter_rows(image.swapaxes(0, 1), length).swapaxes(0, 1)


def _filter_rows(image: Image, length: int) -> Image:
    out = np.empty((length, *image.shape[1:]), np.uint8)
    for i, (first, weights) in enumerate(_bicubic_filters(image.shape[0], length)):
        total = np.tensordot(weights, image[first : first + len(weights)].astype(np.int64), 1)
        out[i] = np.clip((total + (1 << 21)) >> 22, 0, 255)
    return out


def _bicubic_filters(size: int, length: int) -> list[tuple[int, Ints]]:
    scale = size / length
    stretch = max(scale, 1.0)
    filters = []
    for i in range(length):
        centre = (i + 0.5) * scale
        first = max(int(centre - 2 * stretch + 0.5), 0)
        last = min(int(centre + 2 * stretch + 0.5), size)
        exact = np.array([_cubic((k - centre + 0.5) * (1 / stretch)) for k in range(first, last)])
        scaled = exact / exact.sum() * (1 << 22)
        filters.append((first, np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)))
    return filters


def _cubic(x: float) -> float:
    """Keys' cubic with a = -0.5."""
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2 else 0.0


RESIZES = {"bilinear": resize_bilinear, "bicubic": resize_bicubic}
