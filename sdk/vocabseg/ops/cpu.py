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
from .exchange import bfloat16
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
    features: NDArray[Any],
    text: NDArray[Any],
    *,
    normalize: bool,
    query_to_class: NDArray[np.integer] | None,
    classes: int,
    threads: int | None,
) -> NDArray[np.float32]:
    return _core.ops.patch_text_similarity(
        *float_bits(features), float32(text), normalize, query_to_class, classes, threads or 0
    )


def top_classes(
    features: NDArray[Any],
    text: NDArray[Any],
    *,
    normalize: bool,
    query_to_class: NDArray[np.integer] | None,
    classes: int,
    threads: int | None,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    return _core.ops.top_classes(
        *float_bits(features), float32(text), normalize, query_to_class, classes, threads or 0
    )


def correlative_attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    terms: tuple[str, ...],
    *,
    mean: bool,
    scale: float,
    bias: NDArray[Any] | None,
    gaussian: tuple[float, tuple[int, int]] | None,
    threads: int | None,
) -> NDArray[Any]:
    (q_bits, dtype), (k_bits, _), (v_bits, _) = float_bits(q), float_bits(k), float_bits(v)
    if bias is not None:
        bias = np.broadcast_to(float32(bias), (*bias.shape[:-1], q.shape[2]))
    std, grid = gaussian or (0.0, (0, 0))
    out = _core.ops.correlative_attention(
        q_bits, k_bits, v_bits, dtype, list(terms), mean, scale, bias, std, grid, threads or 0
    )
    return out.view(q.dtype) if out.itemsize == q.itemsize else out.astype(q.dtype)


def decode_labels(
    scores: NDArray[Any],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    interpolation: str,
    query_to_class: NDArray[np.integer],
    classes: int,
    class_enabled: NDArray[np.bool_] | None,
    logit_scale: float,
    threshold: float,
    unlabeled: int,
    regions: NDArray[np.int32] | None,
    return_scores: bool,
    threads: int | None,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    return _core.ops.decode_labels(
        float32(scores),
        _plan(plan),
        *size,
        interpolation,
        query_to_class,
        classes,
        class_enabled,
        logit_scale,
        threshold,
        unlabeled,
        regions,
        return_scores,
        threads or 0,
    )


def upsample_scores(
    scores: NDArray[Any],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    interpolation: str,
    threads: int | None,
) -> NDArray[np.float32]:
    return _core.ops.upsample_scores(float32(scores), _plan(plan), *size, interpolation, threads or 0)


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
    image: NDArray[np.uint8] | tuple[NDArray[np.uint8], NDArray[np.uint8]],
    plan: WindowPlan,
    *,
    resize: str,
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
    dtype: str,
    threads: int | None,
) -> NDArray[Any]:
    settings = (_plan(plan), resize, mean, std, dtype, threads or 0)
    if isinstance(image, tuple):
        windows = _core.ops.preprocess_nv12(*(_adjacent(plane) for plane in image), *settings)
    else:
        bgr = image.strides[2] == -1
        image = image[..., ::-1] if bgr else _adjacent(image)
        windows = _core.ops.preprocess(image, bgr, *settings)
    return windows if dtype == "float32" else windows.view(bfloat16() if dtype == "bfloat16" else dtype)


def pamr(
    scores: NDArray[Any], planes: NDArray[Any], *, steps: int, dilations: list[int], threads: int | None
) -> NDArray[np.float32]:
    settings = (steps, dilations, threads or 0)
    if planes.dtype == np.uint8:
        image = _adjacent(np.moveaxis(planes, 0, -1))
        return _core.ops.pamr_image(float32(scores), image, *settings)
    return _core.ops.pamr(float32(scores), float32(planes), *settings)


def _adjacent(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``array``, or a copy, whose last axis is of adjacent bytes."""
    return array if array.strides[-1] == 1 else np.ascontiguousarray(array)


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
