"""Mask pooling: the specification, in float64, with features at full resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.upsample import upsample_windows
from ..common.window_plan import WindowPlan


def mask_pool(
    features: NDArray[np.floating], masks: NDArray[np.bool_], plan: WindowPlan
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean [M, D] over masks [M, H, W] of the bilinearly up-sampled features [W, N, D], and each mask's
    pixels [M].

    Overlapping windows are averaged. An empty mask has area 0 and a zero row.
    """
    windows, _, width = features.shape
    patches = np.moveaxis(features.reshape(windows, plan.grid_h, plan.grid_w, width), -1, 1)
    masks = np.asarray(masks, bool)
    pixels = upsample_windows(patches, plan, masks.shape[1:])
    pooled = np.zeros((len(masks), width))
    for row, mask in zip(pooled, masks, strict=True):
        if mask.any():
            row[:] = pixels[:, mask].mean(1)
    return pooled, masks.sum((1, 2), dtype=np.int64)
