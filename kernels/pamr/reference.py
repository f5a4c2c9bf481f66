"""Pixel-adaptive mask refinement: the specification, in float64.

Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020, section 3.2, as the
training-free segmentors use it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def pamr(
    scores: NDArray[np.floating], image: NDArray, *, steps: int = 10, dilations: Sequence[int] = (8, 16)
) -> Array:
    """Refine score maps [Q, H, W] with the image [H, W, 3] they belong to.

    Affinity of a pixel to its 8 neighbours at every dilation: mean over RGB of -|I - I_n| / (1e-8 + 0.1 std),
    with the unbiased std over all 9 samples of every dilation; softmax over neighbours. Each step replaces a
    map by its neighbours' weighted sum. Borders are replicated. The image's scale and offset per channel do
    not matter.
    """
    weights = affinities(np.moveaxis(np.asarray(image, np.float64), -1, 0), dilations)
    refined = np.asarray(scores, np.float64)
    for _ in range(steps):
        refined = (weights * neighbours(refined, dilations, centre=False)).sum(1)
    return refined


def affinities(planes: Array, dilations: Sequence[int]) -> Array:
    """Weights [neighbours, H, W] of image planes [3, H, W]."""
    std = neighbours(planes, dilations, centre=True).std(1, ddof=1, keepdims=True)
    distance = np.abs(planes[:, None] - neighbours(planes, dilations, centre=False))
    affinity = (-distance / (1e-8 + 0.1 * std)).mean(0)
    weights = np.exp(affinity - affinity.max(0))
    return weights / weights.sum(0)


def neighbours(maps: Array, dilations: Sequence[int], *, centre: bool) -> Array:
    """Neighbours [K, 8 or 9 per dilation, H, W] of maps [K, H, W]."""
    height, width = maps.shape[1:]
    found = []
    for dilation in dilations:
        for dy in (-dilation, 0, dilation):
            for dx in (-dilation, 0, dilation):
                if not centre and dy == dx == 0:
                    continue
                rows = np.clip(np.arange(height) + dy, 0, height - 1)
                cols = np.clip(np.arange(width) + dx, 0, width - 1)
                found.append(maps[:, rows][:, :, cols])
    return np.stack(found, 1)
