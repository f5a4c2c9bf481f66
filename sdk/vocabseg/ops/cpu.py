"""The compiled core: float32, threaded, never more than patch resolution in memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..kernels.common.window_plan import WindowPlan

REASON = "the compiled core is installed"


def _plan(plan: WindowPlan) -> Any:
    native = _core.ops.WindowPlan()
    for name, value in asdict(plan).items():
        setattr(native, name, value)
    return native


def patch_text_similarity(
    features: NDArray[Any], text: NDArray[Any], *, normalize: bool, threads: int | None
) -> NDArray[np.float32]:
    return _core.ops.patch_text_similarity(features, text, normalize, threads or 0)


def decode_labels(
    scores: NDArray[Any],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    query_to_class: NDArray[np.integer],
    classes: int,
    class_enabled: NDArray[np.bool_] | None,
    logit_scale: float,
    threshold: float,
    unlabeled: int,
    return_scores: bool,
    threads: int | None,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    return _core.ops.decode_labels(
        scores,
        _plan(plan),
        *size,
        query_to_class,
        classes,
        class_enabled,
        logit_scale,
        threshold,
        unlabeled,
        return_scores,
        threads or 0,
    )


def upsample_scores(
    scores: NDArray[Any], plan: WindowPlan, size: tuple[int, int], *, threads: int | None
) -> NDArray[np.float32]:
    return _core.ops.upsample_scores(scores, _plan(plan), *size, threads or 0)


def mask_pool(
    features: NDArray[Any],
    form: str,
    masks: Any,
    count: int,
    size: tuple[int, int],
    plan: WindowPlan,
    *,
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    if form == "bool":
        return _core.ops.pool_bool(features, masks.view(np.uint8), _plan(plan), threads or 0)
    if form == "labels":
        return _core.ops.pool_labels(features, masks, count, _plan(plan), threads or 0)
    return _core.ops.pool_rle(features, masks, *size, _plan(plan), threads or 0)


def preprocess(
    image: NDArray[np.uint8],
    plan: WindowPlan,
    *,
    resize: str,
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
    threads: int | None,
) -> NDArray[np.float32]:
    if image.strides[2] != 1:
        image = np.ascontiguousarray(image)
    return _core.ops.preprocess(image, _plan(plan), resize, mean, std, threads or 0)


def pamr(
    scores: NDArray[Any], planes: NDArray[Any], *, steps: int, dilations: list[int], threads: int | None
) -> NDArray[np.float32]:
    return _core.ops.pamr(scores, planes, steps, dilations, threads or 0)
