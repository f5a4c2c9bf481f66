"""The compiled core: float32, threaded, never more than patch resolution in memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import BackendUnavailable
from ..kernels.common.window_plan import WindowPlan
from .arrays import float32, float_bits
from .mask_forms import Masks


def check(device: str) -> str:
    if device != "cpu":
        raise BackendUnavailable(f"got arrays on {device}, expected the CPU: move them with .cpu()")
    return "the compiled core is installed"


def _plan(plan: WindowPlan) -> Any:
    native = _core.ops.WindowPlan()
    for name, value in asdict(plan).items():
        setattr(native, name, value)
    return native


def patch_text_similarity(
    features: NDArray[Any], text: NDArray[Any], *, normalize: bool, threads: int | None
) -> NDArray[np.float32]:
    return _core.ops.patch_text_similarity(float32(features), float32(text), normalize, threads or 0)


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
        float32(scores),
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
    return _core.ops.upsample_scores(float32(scores), _plan(plan), *size, threads or 0)


def mask_pool(
    features: NDArray[Any], masks: Masks, plan: WindowPlan, *, threads: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    data = masks.data.view(np.uint8) if masks.form == "bool" else masks.data
    return _core.ops.mask_pool(
        *float_bits(features),
        masks.form,
        data,
        masks.count,
        *masks.size,
        _plan(plan),
        masks.weights,
        threads or 0,
    )


def mask_classification(
    features: NDArray[Any],
    masks: Masks,
    plan: WindowPlan,
    text: NDArray[np.float32],
    *,
    normalize: bool,
    query_to_class: NDArray[np.integer],
    classes: int,
    class_enabled: NDArray[np.bool_] | None,
    logit_scale: float,
    threshold: float,
    unlabeled: int,
    threads: int | None,
) -> tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.int64]]:
    pooled, area = mask_pool(features, masks, plan, threads=threads)
    labels, scores = _core.ops.classify_regions(
        pooled,
        area,
        text,
        normalize,
        query_to_class,
        classes,
        class_enabled,
        logit_scale,
        threshold,
        unlabeled,
        threads or 0,
    )
    return labels, scores, area


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
    return _core.ops.pamr(float32(scores), float32(planes), steps, dilations, threads or 0)


def dbscan(rows: NDArray[Any], eps: float, min_samples: int, *, threads: int | None) -> NDArray[np.int32]:
    return _core.ops.dbscan(float32(rows), eps, min_samples, threads or 0)


def cluster_maps(
    affinity: NDArray[Any],
    labels: NDArray[np.int32],
    clusters: int,
    grid: tuple[int, int],
    *,
    factor: int,
    median: int,
    threads: int | None,
) -> NDArray[np.float32]:
    return _core.ops.cluster_maps(float32(affinity), labels, clusters, *grid, factor, median, threads or 0)
