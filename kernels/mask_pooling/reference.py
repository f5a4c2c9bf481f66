"""Mask pooling: the specification, in float64, with features at full resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.upsample import upsample_windows
from ..common.window_plan import WindowPlan, single_window
from ..label_decoding.reference import decode_labels
from ..patch_text_similarity.reference import patch_text_similarity

Array = NDArray[np.float64]


def mask_pool(
    features: NDArray[np.floating],
    masks: NDArray[Any],
    plan: WindowPlan,
    weights: NDArray[np.floating] | None = None,
) -> tuple[Array, NDArray[np.int64]]:
    """Mean [M, D] over masks [M, H, W] of the bilinearly up-sampled features [W, N, D], and each mask's
    pixels [M].

    Overlapping windows are averaged. Masks are bool, or floats: pixels then have these weights, and count as
    pixels where they are positive. ``weights`` [H, W] or [M, H, W] multiply them, and leave the area as it is.
    Without a positive weight the row is zero.
    """
    windows, _, width = features.shape
    patches = np.moveaxis(features.reshape(windows, plan.grid_h, plan.grid_w, width), -1, 1)
    pixels = upsample_windows(patches, plan, masks.shape[1:])
    area = (masks > 0).sum((1, 2), dtype=np.int64)
    soft = masks.astype(np.float64) * (1 if weights is None else weights)
    pooled = np.zeros((len(masks), width))
    for row, weight in zip(pooled, soft, strict=True):
        inside = weight > 0
        if inside.any():
            row[:] = np.average(pixels[:, inside], axis=1, weights=weight[inside])
    return pooled, area


def mask_classification(
    features: NDArray[np.floating],
    masks: NDArray[Any],
    text: NDArray[np.floating],
    plan: WindowPlan,
    *,
    weights: NDArray[np.floating] | None = None,
    normalize: bool = True,
    unlabeled: int = 255,
    **settings: Any,
) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
    """Labels and scores [M] of the pooled features, by the rules of ``decode_labels``, and each mask's pixels.

    An empty mask is unlabelled, with score 0. ``settings`` are those of ``decode_labels``.
    """
    pooled, area = mask_pool(features, masks, plan, weights)
    scores = patch_text_similarity(pooled[None], text, normalize=normalize)[:, :, None]
    row = (1, len(masks))
    labels, best = decode_labels(scores, single_window(row, row), row, unlabeled=unlabeled, **settings)
    return np.where(area > 0, labels[0], unlabeled), np.where(area > 0, best[0], 0), area
