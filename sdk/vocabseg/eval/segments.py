"""CLIPtrase's vote: the segments of every window take the label that most of their pixels have."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .. import ops
from ..methods.cliptrase import MEDIAN, UPSAMPLE, CLIPtrase


def vote(
    labels: np.ndarray, classes: int, plan: ops.WindowPlan, affinity: Iterable[np.ndarray], method: CLIPtrase
) -> np.ndarray:
    """Labels uint8 [H, W] of a frame after the vote of its windows' segments.

    Args:
        labels: uint8 [H, W], before it.
        affinity: float32 [N, N] of each window of the plan.

    Windows that overlap each vote for their pixels; the official code knows one window only, the whole picture.
    """
    votes = np.zeros((classes, *labels.shape), np.uint16)
    for box, rows in zip(boxes(plan), affinity, strict=True):
        voted = _majority(labels[box], segments(rows, plan, labels[box].shape, method), classes)
        votes[:, box[0], box[1]] += np.arange(classes)[:, None, None] == voted
    return votes.argmax(0).astype(labels.dtype)


def segments(
    affinity: np.ndarray, plan: ops.WindowPlan, size: tuple[int, ...], method: CLIPtrase
) -> np.ndarray:
    """The segment of each pixel of one window, int32 ``size``; -1 everywhere where every patch is noise."""
    clusters = ops.dbscan(affinity, method.eps, method.min_samples)
    if clusters.max() < 0:
        return np.full(size, -1, np.int32)
    grid = (plan.grid_h, plan.grid_w)
    maps = ops.cluster_maps(affinity, clusters, grid, factor=UPSAMPLE, median=MEDIAN)
    return ops.decode_labels(maps, size).astype(np.int32)


def boxes(plan: ops.WindowPlan) -> list[tuple[slice, slice]]:
    """Rows and columns of each window in the source frame."""
    rows, cols = (
        [slice(round(s * scale), round((s + length) * scale)) for s in starts]
        for starts, length, scale in (
            (plan.ys, plan.window_h, plan.source_h / plan.net_h),
            (plan.xs, plan.window_w, plan.source_w / plan.net_w),
        )
    )
    return [(row, col) for row in rows for col in cols]


def _majority(labels: np.ndarray, regions: np.ndarray, classes: int) -> np.ndarray:
    """Every region gets the label that most of its pixels have, the smallest of equals; -1 keeps its own."""
    one_hot = (labels == np.arange(classes)[:, None, None]).astype(np.float32)
    return ops.decode_labels(one_hot, labels.shape, regions=regions)
