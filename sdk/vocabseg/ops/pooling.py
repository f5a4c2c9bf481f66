"""Mean features over masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rle
from ..errors import MaskError, ShapeError
from ..kernels.common.window_plan import WindowPlan
from .arrays import FloatArray, check_plan, floats, plan_of_grid, size_pair
from .exchange import Given
from .registry import run

Masks = NDArray[np.bool_] | NDArray[np.int32] | list[NDArray[np.uint32]]


def mask_pool(
    features: Any,
    masks: Any,
    *,
    count: int | None = None,
    plan: WindowPlan | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Mean over each mask of the bilinearly up-sampled features, which are never up-sampled.

    Args:
        features: [h, w, D], or [W, N, D] with a window plan (overlapping windows are averaged).
        masks: bool or uint8 [M, H, W]; or a label map, integers [H, W], whose mask m is where it equals m
            (negative: no mask); or a list of COCO run-length codes {"size": [H, W], "counts": list, bytes or
            str}.
        count: number of masks of a label map; None: its largest id plus one.

    Returns:
        pooled float32 [M, D] and area int64 [M] in pixels; an empty mask has area 0 and a zero row.

    Raises:
        MaskError: masks of a wrong dtype or size, ids of ``count`` and more, run-length codes that are not
            valid.
        ShapeError: features do not fit the plan.
    """
    given = Given(features, masks)
    features, masks = given.arrays
    form, masks, size, count = _parse(masks, count)
    size = size_pair(size, None)
    features, plan = _windows(features, size, plan)
    if count == 0:
        return given.back((np.zeros((0, features.shape[2]), np.float32), np.zeros(0, np.int64)))
    return given.back(
        run("mask_pool", impl, given.device, features, form, masks, count, size, plan, threads=threads)
    )


def _windows(features: Any, size: tuple[int, int], plan: WindowPlan | None) -> tuple[FloatArray, WindowPlan]:
    features = floats(features, "features", 3)
    if plan is None:
        plan = plan_of_grid(features.shape[:2], size)
        features = features.reshape(1, features.shape[0] * features.shape[1], features.shape[2])
    patches = check_plan(plan).grid_h * plan.grid_w
    if features.shape[:2] != (plan.windows, patches) or features.shape[2] == 0:
        raise ShapeError(f"got features {list(features.shape)}, expected [{plan.windows}, {patches}, D]")
    return features, plan


def _parse(masks: Any, count: int | None) -> tuple[str, Masks, tuple[int, int], int]:
    """Form ("bool", "labels" or "rle"), masks in that form, their size, and their number."""
    if isinstance(masks, list | tuple) and all(isinstance(mask, dict) for mask in masks):
        return _parse_rle(masks)
    masks = np.asarray(masks)
    if masks.ndim == 3 and masks.dtype in (np.bool_, np.uint8) and 0 not in masks.shape[1:]:
        return "bool", masks.astype(bool, copy=False), masks.shape[1:], len(masks)
    if masks.ndim == 2 and masks.dtype.kind in "iu" and masks.size:
        return _parse_labels(masks, count)
    raise MaskError(
        f"got masks {masks.dtype}{list(masks.shape)}, expected bool or uint8 [M, H, W], "
        "an integer label map [H, W], or a list of COCO run-length codes"
    )


def _parse_labels(labels: NDArray[Any], count: int | None) -> tuple[str, Masks, tuple[int, int], int]:
    largest = int(labels.max())
    count = max(largest + 1, 0) if count is None else int(count)
    if largest >= count or count > np.iinfo(np.int32).max:
        raise MaskError(f"the label map has id {largest}, expected less than {count}")
    if labels.dtype != np.int32:
        labels = np.maximum(labels.astype(np.int64), -1).astype(np.int32)
    return "labels", labels, labels.shape, count


def _parse_rle(masks: Sequence[dict[str, Any]]) -> tuple[str, Masks, tuple[int, int], int]:
    if not masks:
        return "rle", [], (1, 1), 0
    codes = [rle.parse(mask) for mask in masks]
    sizes = {(height, width) for height, width, _ in codes}
    if len(sizes) > 1:
        raise MaskError(f"got masks of sizes {sorted(sizes)}, expected one size [H, W]")
    return "rle", [counts for _, _, counts in codes], sizes.pop(), len(codes)
