"""The ops as Triton kernels compute them, for any way of launching those: compiled just in time or ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import MaskError, ShapeError
from ..kernels.common.triton_kernel import Launch
from ..kernels.common.window_plan import WindowPlan
from ..kernels.correlative_attention import triton as attention
from ..kernels.label_decoding import triton as label_decoding
from ..kernels.mask_pooling import triton as mask_pooling
from ..kernels.pamr import triton as pixel_adaptive
from ..kernels.patch_text_similarity import triton as similarity
from ..kernels.preprocessing import triton as preprocessing
from .exchange import bfloat16, dtype_name
from .mask_forms import Masks


class GpuOps:
    """One method per op, with the registry's signatures.

    Arrays are torch CUDA tensors, and so are results. The interpreter's tests pass NumPy arrays and get NumPy arrays.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    def patch_text_similarity(self, features: Any, text: Any, *, threads: int | None, **settings: Any) -> Any:
        scores = similarity.patch_text_similarity(
            _tensor(features), _tensor(text), **settings, launch=self._launch
        )
        return _like(features, scores)

    def top_classes(
        self, features: Any, text: Any, *, threads: int | None, **settings: Any
    ) -> tuple[Any, ...]:
        results = similarity.top_classes(_tensor(features), _tensor(text), **settings, launch=self._launch)
        return tuple(_like(features, result) for result in results)

    def correlative_attention(
        self, q: Any, k: Any, v: Any, terms: Sequence[str], *, bias: Any, threads: int | None, **settings: Any
    ) -> Any:
        if q.shape[3] > attention.LARGEST_HEAD_DIM:
            raise ShapeError(
                f"got heads of width {q.shape[3]}, expected at most {attention.LARGEST_HEAD_DIM}"
            )
        queries, keys, values = (_tensor(array) for array in (q, k, v))
        bias = None if bias is None else _tensor(bias)
        result = attention.correlative_attention(
            queries, keys, values, terms, bias=bias, **settings, launch=self._launch
        )
        return _like(q, result.to(queries.dtype))

    def decode_labels(
        self,
        scores: Any,
        plan: WindowPlan,
        size: tuple[int, int],
        *,
        regions: Any,
        threads: int | None,
        **settings: Any,
    ) -> tuple[Any, Any]:
        regions = None if regions is None else _tensor(regions)
        labels, best = label_decoding.decode_labels(
            _tensor(scores), plan, size, regions=regions, **settings, launch=self._launch
        )
        return _like(scores, labels), _like(scores, best)

    def upsample_scores(
        self, scores: Any, plan: WindowPlan, size: tuple[int, int], *, threads: int | None, **settings: Any
    ) -> Any:
        maps = label_decoding.upsample_scores(_tensor(scores), plan, size, **settings, launch=self._launch)
        return _like(scores, maps)

    def mask_pool(
        self, features: Any, masks: Masks, plan: WindowPlan, *, threads: int | None
    ) -> tuple[Any, Any]:
        pooled, area = self._pool(features, masks, plan)
        return _like(features, pooled), _like(features, area)

    def mask_classification(
        self,
        features: Any,
        masks: Masks,
        plan: WindowPlan,
        text: Any,
        *,
        normalize: bool,
        unlabeled: int,
        threads: int | None,
        **settings: Any,
    ) -> tuple[Any, Any, Any]:
        pooled, area = self._pool(features, masks, plan)
        scores = similarity.patch_text_similarity(
            pooled[None],
            _tensor(text),
            normalize=normalize,
            query_to_class=None,
            classes=0,
            launch=self._launch,
        )
        labels, best = label_decoding.decode_points(
            scores[0], unlabeled=unlabeled, **settings, launch=self._launch
        )
        labels = torch.where(area > 0, labels.int(), unlabeled).to(labels.dtype)
        best = torch.where(area > 0, best, 0.0)
        return _like(features, labels), _like(features, best), _like(features, area)

    def preprocess(
        self, image: Any, plan: WindowPlan, *, dtype: str, threads: int | None, **settings: Any
    ) -> Any:
        frame = image if isinstance(image, tuple) else (image,)
        windows = preprocessing.preprocess(
            tuple(_tensor(plane) for plane in frame),
            plan,
            dtype=getattr(torch, dtype),
            **settings,
            launch=self._launch,
        )
        return _like(frame[0], windows)

    def pamr(self, scores: Any, planes: Any, *, steps: int, dilations: list[int], threads: int | None) -> Any:
        refined = pixel_adaptive.pamr(
            _tensor(scores), _tensor(planes), steps=steps, dilations=dilations, launch=self._launch
        )
        return _like(scores, refined)

    def _pool(self, features: Any, masks: Masks, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor]:
        data = masks.data if masks.form == "rle" else _tensor(masks.data)
        weights = None if masks.weights is None else _tensor(masks.weights)
        for soft in (weights, data if masks.form == "soft" else None):
            if soft is not None and not bool(((soft >= 0) & (soft < torch.inf)).all()):
                raise MaskError("weights of masks must be finite and not negative")
        return mask_pooling.mask_pool(
            _tensor(features), masks.form, data, masks.count, masks.size, weights, plan, launch=self._launch
        )


def _tensor(array: Any) -> torch.Tensor:
    """A tensor that shares memory with a NumPy array, where its strides allow it; a tensor as it is."""
    if isinstance(array, torch.Tensor):
        return array
    array = np.require(array, requirements=["C", "W"])
    if dtype_name(array) == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _like(given: Any, result: torch.Tensor | None) -> Any:
    """A NumPy array where one was given."""
    if result is None or isinstance(given, torch.Tensor):
        return result
    if result.dtype == torch.bfloat16:
        return result.view(torch.int16).numpy().view(bfloat16())
    return result.numpy()
