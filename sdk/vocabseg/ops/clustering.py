"""Clusters of patches, and a map of each (CLIPtrase)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .arrays import MAX_SIDE, FloatArray, floats, integers
from .exchange import Given
from .registry import run

MAX_MEDIAN = 31
# Their squares are float32 numbers.
SMALLEST_EPS, LARGEST_EPS = 1e-18, 1e18


def dbscan(
    rows: Any, eps: float, min_samples: int, *, impl: str = "auto", threads: int | None = None
) -> NDArray[np.int32]:
    """The cluster of each of N points, rows [N, D], by DBSCAN with Euclidean distances (Ester et al., KDD 1996).

    A core point has at least ``min_samples`` points within ``eps``, itself included. Core points within ``eps``
    of each other share a cluster; another point within ``eps`` of core points belongs to the first of their
    clusters, and the rest is noise. The labels are those of scikit-learn for float32 rows of more than 15
    columns: rows and ``eps`` are read as float32, and so is the square of ``eps``; squared distances are
    float64.

    Returns:
        labels int32 [N]: 0, 1, ... in the order of the clusters' first core points; -1 is noise. A row with
        NaN or infinity is noise and near to none.

    Raises:
        ShapeError: no columns, too many rows, ``eps`` not between 1e-18 and 1e18, ``min_samples`` not positive.
    """
    given = Given(rows)
    rows = floats(given.arrays[0], "rows", 2)
    if not (0 <= rows.shape[0] <= MAX_SIDE and 1 <= rows.shape[1] <= MAX_SIDE):
        raise ShapeError(
            f"got rows {list(rows.shape)}, expected up to {MAX_SIDE} rows of 1 to {MAX_SIDE} columns"
        )
    if not SMALLEST_EPS <= eps <= LARGEST_EPS or min_samples < 1:
        expected = f"{SMALLEST_EPS} to {LARGEST_EPS} and at least 1"
        raise ShapeError(f"got eps={eps} and min_samples={min_samples}, expected {expected}")
    # More samples than there are rows: all noise, whatever the number.
    min_samples = min(int(min_samples), MAX_SIDE + 1)
    return given.back(run("dbscan", impl, given.device, rows, float(eps), min_samples, threads=threads))


def cluster_maps(
    affinity: Any,
    labels: Any,
    grid: Sequence[int],
    *,
    factor: int = 4,
    median: int = 7,
    impl: str = "auto",
    threads: int | None = None,
) -> FloatArray:
    """A map of each cluster: the mean of its rows of the affinity, up-sampled and median-filtered.

    Args:
        affinity: [N, N], N = gh * gw patches; row i says what patch i shares with each.
        labels: integers [N], the cluster of each row; negative: none.
        grid: (gh, gw).
        factor: whole factor of the bilinear up-sampling (``align_corners=False``).
        median: the median is that of ``median`` x ``median`` pixels, an odd number up to 31; 1: no filter.
            Beyond its edges a map goes on as its mirror image (d c b a | a b c d | d c b a).

    Returns:
        maps float32 [K, factor * gh, factor * gw], K the largest label plus one; a cluster without rows has a
        map of zeros. NaN counts as infinity in the median.

    Raises:
        ShapeError: arguments do not fit together.
    """
    given = Given(affinity, labels)
    affinity, labels = given.arrays
    gh, gw = (int(side) for side in grid)
    if min(gh, gw, factor) < 1 or max(gh, gw) * factor > MAX_SIDE:
        raise ShapeError(
            f"got a grid of {gh} x {gw} and factor {factor}, expected maps of sides 1 to {MAX_SIDE}"
        )
    if not 1 <= median <= MAX_MEDIAN or median % 2 == 0:
        raise ShapeError(f"got a median of {median} pixels, expected an odd number of 1 to {MAX_MEDIAN}")
    affinity = floats(affinity, "affinity", 2)
    labels = integers(labels, "labels", (gh * gw,))
    if affinity.shape != (gh * gw, gh * gw) or labels.max() >= gh * gw:
        raise ShapeError(
            f"got affinity {list(affinity.shape)} and labels up to {labels.max()} for {gh} x {gw} patches, "
            f"expected [{gh * gw}, {gh * gw}] and less than {gh * gw}"
        )
    clusters = max(int(labels.max()) + 1, 0)
    labels = np.where(labels < 0, -1, labels).astype(np.int32)
    settings = {"factor": int(factor), "median": int(median), "threads": threads}
    maps = run("cluster_maps", impl, given.device, affinity, labels, clusters, (gh, gw), **settings)
    return given.back(maps)
