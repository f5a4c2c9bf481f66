"""The launches of each op at stated shapes, recorded from the ops' own host code: nothing runs, no GPU is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ...ops.arrays import plan_of_grid
from ...ops.gpu import GpuOps
from ...ops.mask_forms import Masks
from ..common.triton_kernel import Kernel
from ..common.window_plan import make_plan

SIZE, GRID, WIDTH, QUERIES, MASKS, SEGMENTS = (480, 640), (21, 28), 512, 171, 100, 300


@dataclass(frozen=True)
class Launch:
    """A recorded launch, with the values of its integer arguments."""

    kernel: Kernel
    dtype: str
    variant: dict[str, int]
    values: dict[str, int]


@dataclass
class Recorder:
    launches: list[Launch] = field(default_factory=list)

    def __call__(
        self, kernel: Kernel, dtype: str, variant: dict[str, int], arguments: dict[str, Any]
    ) -> None:
        values = {name: value for name, value in arguments.items() if isinstance(value, int)}
        self.launches.append(Launch(kernel, dtype, variant, values))


def launches(run: Callable[[GpuOps], Any]) -> list[Launch]:
    """What an op launches."""
    recorder = Recorder()
    run(GpuOps(recorder))
    return recorder.launches


def _zeros(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    """A tensor without memory."""
    return torch.zeros(shape, dtype=dtype, device="meta")


def _similarity(ops: GpuOps) -> Any:
    features, text = _zeros(1, GRID[0] * GRID[1], WIDTH), _zeros(QUERIES, WIDTH)
    return ops.patch_text_similarity(
        features, text, normalize=True, query_to_class=None, classes=0, threads=None
    )


def _decoding(ops: GpuOps, return_scores: bool) -> Any:
    return ops.decode_labels(
        _zeros(1, QUERIES, *GRID),
        plan_of_grid(GRID, SIZE),
        SIZE,
        query_to_class=np.arange(QUERIES),
        classes=QUERIES,
        class_enabled=None,
        logit_scale=40.0,
        threshold=0.0,
        unlabeled=255,
        return_scores=return_scores,
        interpolation="bilinear",
        regions=None,
        threads=None,
    )


def _pooling(ops: GpuOps, form: str, masks: torch.Tensor, count: int) -> Any:
    features, plan = _zeros(1, GRID[0] * GRID[1], WIDTH), plan_of_grid(GRID, SIZE)
    return ops.mask_pool(features, Masks(form, masks, count, SIZE, None), plan, threads=None)


def _bool_masks(ops: GpuOps) -> Any:
    return _pooling(ops, "bool", _zeros(MASKS, *SIZE, dtype=torch.bool), MASKS)


def _label_map(ops: GpuOps) -> Any:
    return _pooling(ops, "labels", _zeros(*SIZE, dtype=torch.int32), SEGMENTS)


def _pamr(ops: GpuOps) -> Any:
    scores, planes = (_zeros(count, *SIZE, dtype=torch.float32) for count in (56, 3))
    return ops.pamr(scores, planes, steps=10, dilations=[8, 16], threads=None)


def _preprocess(ops: GpuOps) -> Any:
    """A frame to SCLIP's windows: short side 336, windows of 224 pixels every 112."""
    plan = make_plan((1080, 1920), net=(336, 597), crop=(224, 224), stride=(112, 112), grid=(14, 14))
    image, ones = _zeros(1080, 1920, 3, dtype=torch.uint8), np.ones(3, np.float32)
    return ops.preprocess(image, plan, resize="bilinear", mean=ones, std=ones, dtype="float32", threads=None)


def _attention(ops: GpuOps, terms: tuple[str, ...]) -> Any:
    q, k, v = (_zeros(1, 12, 1024, 64) for _ in range(3))
    return ops.correlative_attention(
        q, k, v, terms, mean=False, scale=0.125, bias=None, gaussian=None, threads=None
    )


# Title -> what is called, at the shapes of the project's benchmarks.
WORKLOADS: dict[str, Callable[[GpuOps], Any]] = {
    "patch_text_similarity, N 588, D 512, Q 171": _similarity,
    "decode_labels, Q 171, labels only": lambda ops: _decoding(ops, False),
    "decode_labels, Q 171, with scores": lambda ops: _decoding(ops, True),
    "mask_pool, 100 bool masks": _bool_masks,
    "mask_pool, label map of 300 segments": _label_map,
    "correlative_attention, B 1, 12 heads of 64, N 1024, qq + kk": lambda ops: _attention(ops, ("qq", "kk")),
    "correlative_attention, B 1, 12 heads of 64, N 1024, qk": lambda ops: _attention(ops, ("qk",)),
    "preprocess, 1080x1920 to 10 windows of 224 (float32)": _preprocess,
    "pamr, Q 56, 10 steps (float32)": _pamr,
}
