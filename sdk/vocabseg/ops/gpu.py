"""The ops as Triton kernels compute them, for any way of launching those: compiled just in time or ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..errors import ShapeError
from ..kernels.common.triton_kernel import Launch
from ..kernels.common.window_plan import WindowPlan
from ..kernels.correlative_attention import triton as attention
from ..kernels.label_decoding import triton as label_decoding
from ..kernels.mask_pooling import triton as mask_pooling
from ..kernels.pamr import triton as pixel_adaptive
from ..kernels.patch_text_similarity import triton as similarity
from ..kernels.preprocessing import triton as preprocessing
from .exchange import dtype_name


class GpuOps:
    """One method per op, with the registry's signatures.

    Arrays are torch CUDA tensors, and so are results. The interpreter's tests pass NumPy arrays and get NumPy arrays.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    def patch_text_similarity(self, features: Any, text: Any, *, normalize: bool, threads: int | None) -> Any:
        scores = similarity.patch_text_similarity(
            _tensor(features), _tensor(text), normalize=normalize, launch=self._launch
        )
        return _like(features, scores)

    def decode_labels(
        self, scores: Any, plan: WindowPlan, size: tuple[int, int], *, threads: int | None, **settings: Any
    ) -> tuple[Any, Any]:
        labels, best = label_decoding.decode_labels(
            _tensor(scores), plan, size, **settings, launch=self._launch
        )
        return _like(scores, labels), _like(scores, best)

    def upsample_scores(
        self, scores: Any, plan: WindowPlan, size: tuple[int, int], *, threads: int | None
    ) -> Any:
        return _like(scores, label_decoding.upsample_scores(_tensor(scores), plan, size, launch=self._launch))

    def mask_pool(
        self,
        features: Any,
        form: str,
        masks: Any,
        count: int,
        size: tuple[int, int],
        plan: WindowPlan,
        *,
        threads: int | None,
    ) -> tuple[Any, Any]:
        masks = masks if form == "rle" else _tensor(masks)
        pooled, area = mask_pooling.mask_pool(
            _tensor(features), form, masks, count, size, plan, launch=self._launch
        )
        return _like(features, pooled), _like(features, area)

    def pamr(self, scores: Any, planes: Any, *, steps: int, dilations: list[int], threads: int | None) -> Any:
        refined = pixel_adaptive.pamr(
            _tensor(scores), _tensor(planes), steps=steps, dilations=dilations, launch=self._launch
        )
        return _like(scores, refined)

    def preprocess(self, image: Any, plan: WindowPlan, *, threads: int | None, **settings: Any) -> Any:
        windows = preprocessing.preprocess(_tensor(image), plan, **settings, launch=self._launch)
        return _like(image, windows)

    def correlative_attention(
        self, q: Any, k: Any, v: Any, terms: Sequence[str], *, bias: Any, threads: int | None, **settings: Any
    ) -> Any:
        if q.shape[3] > attention.LARGEST_HEAD_DIM:
            raise ShapeError(
                f"got heads of width {q.shape[3]}, expected at most {attention.LARGEST_HEAD_DIM}"
            )
        tensors = (_tensor(array) for array in (q, k, v))
        bias = None if bias is None else _tensor(bias)
        result = attention.correlative_attention(*tensors, terms, bias=bias, **settings, launch=self._launch)
        return _like(q, result.to(_tensor(q).dtype))


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
    return result if result is None or isinstance(given, torch.Tensor) else result.numpy()
