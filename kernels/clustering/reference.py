"""DBSCAN and the clusters' maps: the specification, in float64, with every distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.upsample import resize

Array = NDArray[np.float64]


def neighbours(rows: NDArray[np.floating], eps: float) -> NDArray[np.bool_]:
    """Which points [N, D] are at most ``eps`` apart, [N, N]. A point with NaN or infinity is near to none.

    Squared distances are float64, the square of ``eps`` is float32, as scikit-learn has it.
    """
    rows = np.asarray(rows, np.float64)
    limit = float(np.float32(eps) * np.float32(eps))
    near = np.zeros((len(rows), len(rows)), bool)
    finite = np.isfinite(rows).all(1)
    for i in np.flatnonzero(finite):
        near[i, finite] = ((rows[finite] - rows[i]) ** 2).sum(1) <= limit
    return near


def dbscan(rows: NDArray[np.floating], eps: float, min_samples: int) -> NDArray[np.int64]:
    """The cluster of each point, -1: noise. Each cluster grows whole, from its first core point."""
    near = neighbours(rows, eps)
    core = near.sum(1) >= min_samples
    labels = np.full(len(near), -1)
    for i in np.flatnonzero(core):
        if labels[i] >= 0:
            continue
        cluster = labels.max() + 1
        front = np.arange(len(near)) == i
        while front.any():
            labels[front] = cluster
            front = near[front & core].any(0) & (labels < 0)
    return labels


def cluster_means(affinity: NDArray[np.floating], labels: NDArray[np.integer], clusters: int) -> Array:
    """Mean [K, N] of each cluster's rows; zero where it has none."""
    affinity = np.asarray(affinity, np.float64)
    members = [affinity[labels == cluster] for cluster in range(clusters)]
    means = [rows.mean(0) if len(rows) else np.zeros(affinity.shape[1]) for rows in members]
    return np.array(means).reshape(clusters, affinity.shape[1])


def median_filter(maps: Array, size: int) -> Array:
    """The median of ``size`` x ``size`` pixels of maps [K, H, W], mirrored at the edges; NaN as infinity."""
    border = size // 2
    padded = np.pad(maps, ((0, 0), (border, border), (border, border)), mode="symmetric")
    padded = np.where(np.isnan(padded), np.inf, padded)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    return np.sort(windows.reshape(*maps.shape, size * size))[..., size * size // 2]


def cluster_maps(
    affinity: NDArray[np.floating],
    labels: NDArray[np.integer],
    clusters: int,
    grid: tuple[int, int],
    *,
    factor: int,
    median: int,
) -> Array:
    """Maps [K, factor * gh, factor * gw]: mean rows, bilinear up-sampling, median filter."""
    means = cluster_means(affinity, labels, clusters).reshape(clusters, *grid)
    return median_filter(resize(means, (grid[0] * factor, grid[1] * factor)), median)
