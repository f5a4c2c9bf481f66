"""CLIPtrase's segments of a frame, as the core draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .. import ops
from ..methods.cliptrase import MEDIAN, UPSAMPLE, CLIPtrase


def frame_segments(affinity: Iterable[np.ndarray], plan: ops.WindowPlan, method: CLIPtrase) -> np.ndarray:
    """The segment of each pixel, int32 [H, W]; -1 where a window has only noise.

    ``affinity``: float32 [N, N] of each window of the plan. A pixel belongs to the window whose centre is nearest.
    """
    rows = nearest(plan.ys, plan.window_h, plan.net_h, plan.source_h)
    cols = nearest(plan.xs, plan.window_w, plan.net_w, plan.source_w)
    out, first = np.full((plan.source_h, plan.source_w), -1, np.int32), 0
    for number, window in enumerate(affinity):
        row, col = divmod(number, len(plan.xs))
        box = (
            span(plan.ys[row], plan.window_h, plan.source_h / plan.net_h),
            span(plan.xs[col], plan.window_w, plan.source_w / plan.net_w),
        )
        own = (rows[box[0]] == row)[:, None] & (cols[box[1]] == col)
        drawn = window_segments(window, (plan.grid_h, plan.grid_w), own.shape, method)
        out[box][own] = np.where(drawn < 0, -1, drawn + first)[own]
        first += int(drawn.max()) + 1
    return out


def window_segments(
    affinity: np.ndarray, grid: tuple[int, int], size: tuple[int, ...], method: CLIPtrase
) -> np.ndarray:
    """The segment of each pixel of one window, int32 ``size``; -1 everywhere where every patch is noise."""
    clusters = ops.dbscan(affinity, method.eps, method.min_samples)
    if clusters.max() < 0:
        return np.full(size, -1, np.int32)
    maps = ops.cluster_maps(affinity, clusters, grid, factor=UPSAMPLE, median=MEDIAN)
    return ops.decode_labels(maps, size).astype(np.int32)


def nearest(starts: Sequence[int], window: int, net: int, pixels: int) -> np.ndarray:
    """Along an axis, of each pixel the window whose centre is nearest, the lower of equals."""
    at = (np.arange(pixels) + 0.5) * net / pixels
    return np.abs(np.array(starts) + 0.5 * window - at[:, None]).argmin(1)


def span(start: int, length: int, scale: float) -> slice:
    """A window's pixels along an axis of the source."""
    return slice(round(start * scale), round((start + length) * scale))
