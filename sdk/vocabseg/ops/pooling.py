"""Features and classes of masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.common.window_plan import WindowPlan
from .arrays import FloatArray, check_plan, floats, plan_of_grid, size_pair
from .decoding import _check_settings, _classes
from .exchange import Given
from .mask_forms import Masks, PackedMasks, as_float32, parse_masks, readable, resample, with_weights
from .registry import run

# Features of more masks do not fit 32-bit indices.
_MAX_POOLED = 2**31 - 1


def mask_pool(
    features: Any,
    masks: Any,
    *,
    weights: Any = None,
    masks_size: Sequence[int] | None = None,
    count: int | None = None,
    plan: WindowPlan | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Mean over each mask of the bilinearly up-sampled features, which are never up-sampled.

    With weights w (soft masks) it is sum(w m f) / sum(w m) over pixels.

    Args:
        features: [h, w, D], or [W, N, D] with a window plan (overlapping windows are averaged).
        masks: bool or uint8 [M, H, W], non-zero inside; or ``PackedMasks``; or a label map, integers [H, W],
            whose mask m is where it equals m (negative: no mask); or a list of COCO run-length codes
            {"size": [H, W], "counts": list, bytes or str}; or soft masks, floats [M, H, W] from 0 on.
        weights: floats from 0 on that multiply the masks, [H, W] for all or [M, H, W].
        masks_size: (H, W) to which masks (and weights) are resized first, to the nearest pixel as torch does it,
            so that features are up-sampled to that size; (256, 256) is the protocol of PixelCLIP
            (arXiv 2409.19846). None: as they are.
        count: number of masks of a label map; None: its largest id plus one.

    Returns:
        pooled float32 [M, D], and area int64 [M]: the pixels of the mask (after ``masks_size``), for soft masks
        those that are positive. A mask that is empty, or whose weights sum to 0, has a zero row. Patches that a
        mask does not reach have no influence on it, NaN or not.

    Raises:
        MaskError: masks of a wrong dtype or size, ids of ``count`` and more, run-length codes that are not
            valid, weights that are negative, infinite or NaN.
        ShapeError: features do not fit the plan.
    """
    given, features, parsed, plan = _prepare(features, masks, weights, masks_size, count, plan, threads)
    if parsed.count == 0:
        return given.back((np.zeros((0, features.shape[2]), np.float32), np.zeros(0, np.int64)))
    return given.back(run("mask_pool", impl, given.device, features, parsed, plan, threads=threads))


def mask_classification(
    features: Any,
    masks: Any,
    text: Any,
    *,
    query_to_class: Any = None,
    classes: int | None = None,
    class_enabled: Any = None,
    logit_scale: float = 1.0,
    normalize: bool = True,
    threshold: float = 0.0,
    unlabeled: int | None = None,
    weights: Any = None,
    masks_size: Sequence[int] | None = None,
    count: int | None = None,
    plan: WindowPlan | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[np.int64]]:
    """A class for each mask: ``mask_pool``, cosines with ``text``, and the rules of ``decode_labels``.

    The probability of a class is the maximum over its queries of softmax over all queries of
    ``logit_scale * cosine``; the largest wins, ties go to the lower class, NaN never wins.

    Args:
        features, masks, weights, masks_size, count, plan: as for ``mask_pool``.
        text: unit rows [Q, D].
        normalize: whether pooled features are brought to unit length.
        query_to_class, classes, class_enabled, threshold, unlabeled: as for ``decode_labels``.

    Returns:
        labels, uint8 or (more than 255 classes) uint16 [M]; the probability of each mask's best class, float32
        [M]; area, int64 [M]. A mask of area 0 is unlabelled, with score 0.

    Raises:
        MaskError, ShapeError: as ``mask_pool``; or text and classes do not fit.
    """
    given, features, parsed, plan = _prepare(features, masks, weights, masks_size, count, plan, threads, text)
    text = floats(given.arrays[-1], "text", 2)
    if text.shape[0] == 0 or text.shape[1] != features.shape[2]:
        raise ShapeError(
            f"got text {list(text.shape)}, expected [Q, {features.shape[2]}] with Q of at least 1"
        )
    mapping, classes = _classes(query_to_class, classes, text.shape[0])
    unlabeled = (255 if classes <= 255 else 65535) if unlabeled is None else int(unlabeled)
    _check_settings(classes, logit_scale, threshold, unlabeled)
    if class_enabled is not None:
        class_enabled = np.asarray(class_enabled, bool)
        if class_enabled.shape != (classes,):
            raise ShapeError(f"got class_enabled {list(class_enabled.shape)}, expected [{classes}]")
    dtype = np.uint8 if classes <= 255 and unlabeled <= 255 else np.uint16
    if parsed.count == 0:
        return given.back((np.zeros(0, dtype), np.zeros(0, np.float32), np.zeros(0, np.int64)))
    labels, scores, area = run(
        "mask_classification",
        impl,
        given.device,
        features,
        parsed,
        plan,
        as_float32(text),
        normalize=normalize,
        query_to_class=mapping,
        classes=classes,
        class_enabled=class_enabled,
        logit_scale=logit_scale,
        threshold=threshold,
        unlabeled=unlabeled,
        threads=threads,
    )
    return given.back((labels.astype(dtype) if isinstance(labels, np.ndarray) else labels, scores, area))


def _prepare(
    features: Any,
    masks: Any,
    weights: Any,
    masks_size: Sequence[int] | None,
    count: int | None,
    plan: WindowPlan | None,
    threads: int | None,
    *others: Any,
) -> tuple[Given, FloatArray, Masks, WindowPlan]:
    """What was given, features [W, N, D], masks, and the plan, checked. ``others`` end ``given.arrays``."""
    width = int(masks.width) if isinstance(masks, PackedMasks) else None
    given = Given(features, readable(masks), weights, *others)
    parsed = with_weights(parse_masks(given.arrays[1], count, width), given.arrays[2])
    size_pair(parsed.size, None)
    parsed = resample(parsed, masks_size, threads)
    features, plan = _windows(given.arrays[0], parsed.size, plan)
    if parsed.count * features.shape[2] > _MAX_POOLED:
        raise ShapeError(
            f"{parsed.count} masks of {features.shape[2]} features are more than {_MAX_POOLED} values: "
            "pool them in several calls"
        )
    return given, features, parsed, plan


def _windows(features: Any, size: tuple[int, int], plan: WindowPlan | None) -> tuple[FloatArray, WindowPlan]:
    features = floats(features, "features", 3)
    if plan is None:
        plan = plan_of_grid(features.shape[:2], size)
        features = features.reshape(1, features.shape[0] * features.shape[1], features.shape[2])
    patches = check_plan(plan).grid_h * plan.grid_w
    if tuple(features.shape[:2]) != (plan.windows, patches) or features.shape[2] == 0:
        raise ShapeError(f"got features {list(features.shape)}, expected [{plan.windows}, {patches}, D]")
    return features, plan
