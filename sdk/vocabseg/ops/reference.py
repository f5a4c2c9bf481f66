"""The specification, float64 at full resolution, with results in the types of the other implementations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import rle
from ..errors import BackendUnavailable, MaskError
from ..kernels.clustering import reference as clustering
from ..kernels.common.upsample import Interpolation
from ..kernels.common.window_plan import WindowPlan
from ..kernels.correlative_attention import reference as attention
from ..kernels.label_decoding import reference as label_decoding
from ..kernels.mask_pooling import reference as mask_pooling
from ..kernels.pamr import reference as pamr_reference
from ..kernels.patch_text_similarity import reference as similarity
from ..kernels.preprocessing import reference as preprocessing
from .exchange import bfloat16
from .mask_forms import Masks


def check(device: str) -> str:
    if device != "cpu":
        raise BackendUnavailable(f"got arrays on {device}, expected the CPU: move them with .cpu()")
    return "NumPy in float64; for tests, on request only"


def patch_text_similarity(
    features: NDArray[Any], text: NDArray[Any], *, threads: int | None, **settings: Any
) -> NDArray[np.float32]:
    return similarity.patch_text_similarity(features, text, **settings).astype(np.float32)


def top_classes(
    features: NDArray[Any], text: NDArray[Any], *, threads: int | None, **settings: Any
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    label, score, margin = similarity.top_classes(features, text, **settings)
    return label.astype(np.int32), score.astype(np.float32), margin.astype(np.float32)


def correlative_attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    terms: tuple[str, ...],
    *,
    threads: int | None,
    **settings: Any,
) -> NDArray[Any]:
    return attention.correlative_attention(q, k, v, terms, **settings).astype(q.dtype)


def decode_labels(
    scores: NDArray[Any],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    classes: int,
    unlabeled: int,
    regions: NDArray[np.int32] | None,
    return_scores: bool,
    threads: int | None,
    **settings: Any,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    labels, best = label_decoding.decode_labels(
        scores, plan, size, classes=classes, unlabeled=unlabeled, **settings
    )
    if regions is not None:
        labels, best = label_decoding.vote_regions(
            labels, best, regions, classes=classes, unlabeled=unlabeled
        )
    dtype = np.uint8 if classes <= 255 and unlabeled <= 255 else np.uint16
    return labels.astype(dtype), best.astype(np.float32) if return_scores else None


def upsample_scores(
    scores: NDArray[Any],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    interpolation: Interpolation,
    threads: int | None,
) -> NDArray[np.float32]:
    return label_decoding.upsample_scores(scores, plan, size, interpolation).astype(np.float32)


def mask_pool(
    features: NDArray[Any], masks: Masks, plan: WindowPlan, *, threads: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pooled, area = mask_pooling.mask_pool(features, _stack(masks), plan, weights=masks.weights)
    return pooled.astype(np.float32), area


def mask_classification(
    features: NDArray[Any],
    masks: Masks,
    plan: WindowPlan,
    text: NDArray[Any],
    *,
    threads: int | None,
    **settings: Any,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    labels, scores, area = mask_pooling.mask_classification(
        features, _stack(masks), text, plan, weights=masks.weights, **settings
    )
    return labels, scores.astype(np.float32), area


def _stack(masks: Masks) -> NDArray[Any]:
    """The masks as bool [M, H, W], or float where they are soft."""
    for weights in (masks.weights, masks.data if masks.form == "soft" else None):
        if weights is not None and not ((weights >= 0) & (weights < np.inf)).all():
            raise MaskError("weights of masks must be finite and not negative")
    if masks.form == "labels":
        return masks.data == np.arange(masks.count)[:, None, None]
    if masks.form == "rle":
        return np.stack([rle.decode(counts, *masks.size) for counts in masks.data])
    if masks.form == "packed":
        return np.unpackbits(masks.data, axis=-1, count=masks.size[1]).astype(bool)
    return masks.data if masks.form == "soft" else masks.data.astype(bool)


def preprocess(
    image: NDArray[np.uint8] | tuple[NDArray[np.uint8], NDArray[np.uint8]],
    plan: WindowPlan,
    *,
    dtype: str,
    threads: int | None,
    **settings: Any,
) -> NDArray[Any]:
    if isinstance(image, tuple):
        image = preprocessing.nv12_to_rgb(*image)
    windows = preprocessing.preprocess(image, plan, **settings).astype(np.float32)
    return windows.astype(bfloat16() if dtype == "bfloat16" else dtype)


def pamr(
    scores: NDArray[Any], planes: NDArray[Any], *, steps: int, dilations: list[int], threads: int | None
) -> NDArray[np.float32]:
    image = np.moveaxis(planes, 0, -1)
    return pamr_reference.pamr(scores, image, steps=steps, dilations=dilations).astype(np.float32)


def dbscan(rows: NDArray[Any], eps: float, min_samples: int, *, threads: int | None) -> NDArray[np.int32]:
    return clustering.dbscan(rows.astype(np.float32), eps, min_samples).astype(np.int32)


def cluster_maps(
    affinity: NDArray[Any],
    labels: NDArray[np.int32],
    clusters: int,
    grid: tuple[int, int],
    *,
    threads: int | None,
    **settings: Any,
) -> NDArray[np.float32]:
    return clustering.cluster_maps(affinity, labels, clusters, grid, **settings).astype(np.float32)
