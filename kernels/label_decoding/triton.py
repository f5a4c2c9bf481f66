"""Label decoding on a GPU: each program takes a few pixels and runs through the queries once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.optional_triton import tl, triton
from ..common.triton_axes import axis_matrices, taps, upload
from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata
from ..common.upsample import Interpolation
from ..common.window_plan import WindowPlan
from .triton_vote import vote_regions


def _work(a: dict[str, int]) -> tuple[int, int]:
    pixels = a["pixels"]
    flops = 2 * pixels * a["q"] * a["row_taps"] * a["col_taps"]
    written = pixels * (6 if a.get("PROBABILITY") else 2 if "enabled" in a else 4 * a["q"])
    return flops, a["windows"] * a["q"] * a["patches"] * a["itemsize"] + written


@triton.jit
def _up_sampled(
    scores,
    base,
    pixel,
    pixels,
    h,
    w,
    row_offset,
    row_weight,
    row_taps,
    col_offset,
    col_weight,
    col_taps,
    BLOCK_Q,
    BLOCK_P,
):
    """Scores [BLOCK_Q, BLOCK_P] of pixels, counted row by row: sum of row weight * column weight * patch.

    ``base`` is where each query's patches begin, negative for none. What has weight zero is not read.
    """
    inside = pixel < pixels
    y, x = pixel // w, pixel % w
    total = tl.zeros((BLOCK_Q, BLOCK_P), tl.float32)
    for i in range(row_taps):
        row = tl.load(row_offset + i * h + y, mask=inside, other=0)
        row_share = tl.load(row_weight + i * h + y, mask=inside, other=0.0)
        for j in range(col_taps):
            patch = row + tl.load(col_offset + j * w + x, mask=inside, other=0)
            weight = row_share * tl.load(col_weight + j * w + x, mask=inside, other=0.0)
            read = (base[:, None] >= 0) & (weight[None, :] != 0)
            values = tl.load(scores + base[:, None] + patch[None, :], mask=read, other=0.0)
            total += weight[None, :] * values.to(tl.float32)
    return total


@triton.jit
def _softmax_term(value, peak, logit_scale):
    """exp(logit_scale * (value - peak)), where infinity minus infinity counts as 0 and -infinity adds nothing."""
    term = tl.where(value == peak, 1.0, tl.exp(logit_scale * (value - peak)))
    return tl.where(value == float("-inf"), 0.0, term)


@triton.jit(launch_metadata=launch_metadata(_work, "scores"))
def _decode(
    scores,  # [windows, q, grid_h, grid_w]
    row_offset,  # [row_taps, h] int64, in elements of scores
    row_weight,
    col_offset,  # [col_taps, w] int64
    col_weight,
    order,  # [q]: queries, enabled ones first, by rising class
    label_of,  # [q]: their classes, in that order
    labels,  # [h, w]
    probabilities,  # [h, w] float32
    q,
    enabled,
    windows,
    patches,
    pixels,
    h,
    w,
    row_taps,
    col_taps,
    unlabeled,
    logit_scale,
    threshold,
    PROBABILITY: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = pixel < pixels
    winner = tl.full((BLOCK_P,), float("-inf"), tl.float32)
    winner_at = tl.zeros((BLOCK_P,), tl.int32)
    peak = tl.full((BLOCK_P,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_P,), tl.float32)
    for start in range(0, q, BLOCK_Q):
        at = start + tl.arange(0, BLOCK_Q)
        query = tl.load(order + at, mask=at < q, other=0)
        base = tl.where(at < q, query.to(tl.int64) * patches, -1)
        value = _up_sampled(
            scores,
            base,
            pixel,
            pixels,
            h,
            w,
            row_offset,
            row_weight,
            row_taps,
            col_offset,
            col_weight,
            col_taps,
            BLOCK_Q,
            BLOCK_P,
        )
        value = tl.where((value == value) & (at[:, None] < q), value, float("-inf"))
        eligible = tl.where(at[:, None] < enabled, value, float("-inf"))
        best = tl.max(eligible, 0)
        # The first of equal ones is of the lowest class.
        best_at = tl.min(tl.where(eligible == best[None, :], at[:, None], q), 0)
        better = best > winner
        winner = tl.where(better, best, winner)
        winner_at = tl.where(better, best_at, winner_at)
        if PROBABILITY:
            higher = tl.maximum(peak, tl.max(value, 0))
            terms = tl.sum(_softmax_term(value, higher[None, :], logit_scale), 0)
            total = total * _softmax_term(peak, higher, logit_scale) + terms
            peak = higher
    found = winner > float("-inf")
    label = tl.load(label_of + winner_at, mask=found, other=0)
    if PROBABILITY:
        probability = _softmax_term(winner, peak, logit_scale) / tl.where(found, total, 1.0)
        found = found & (probability >= threshold)
        tl.store(probabilities + pixel, probability, mask=inside)
    tl.store(labels + pixel, tl.where(found, label, unlabeled).to(labels.dtype.element_ty), mask=inside)


@triton.jit(launch_metadata=launch_metadata(_work, "scores"))
def _upsample(
    scores,  # [windows, q, grid_h, grid_w]
    row_offset,
    row_weight,
    col_offset,
    col_weight,
    maps,  # [q, h, w] float32
    q,
    windows,
    patches,
    pixels,
    h,
    w,
    row_taps,
    col_taps,
    BLOCK_Q: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = pixel < pixels
    query = tl.program_id(1).to(tl.int64) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    base = tl.where(query < q, query * patches, -1)
    value = _up_sampled(
        scores,
        base,
        pixel,
        pixels,
        h,
        w,
        row_offset,
        row_weight,
        row_taps,
        col_offset,
        col_weight,
        col_taps,
        BLOCK_Q,
        BLOCK_P,
    )
    out = maps + query[:, None] * pixels + pixel[None, :]
    tl.store(out, value, mask=(query[:, None] < q) & inside[None, :])


def _blocks(arch: int, dtype: str) -> Block:
    return Block({"BLOCK_Q": 8, "BLOCK_P": 128}, num_warps=4, num_stages=1)


_WEIGHTS = {"row_offset": "*i64", "row_weight": "*fp32", "col_offset": "*i64", "col_weight": "*fp32"}
_SIZES = dict.fromkeys(("windows", "patches", "pixels", "h", "w", "row_taps", "col_taps"), "i32")


def _decode_kernel(label: str) -> Kernel:
    return Kernel(
        name=f"decode_labels_{label}",
        function=_decode,
        signature={"scores": "*T"}
        | _WEIGHTS
        | {"order": "*i32", "label_of": "*i32", "labels": f"*{label}", "probabilities": "*fp32"}
        | {"q": "i32", "enabled": "i32"}
        | _SIZES
        | {"unlabeled": "i32", "logit_scale": "fp32", "threshold": "fp32"},
        dtypes=("fp32", "fp16", "bf16"),
        variants=({"PROBABILITY": 0}, {"PROBABILITY": 1}),
        grid=((Factor("pixels", "BLOCK_P"),),),
        blocks=_blocks,
        divisible=(),
        uses_dot=False,
        work=_work,
    )


DECODE = {torch.uint8: _decode_kernel("u8"), torch.uint16: _decode_kernel("u16")}
UPSAMPLE = Kernel(
    name="upsample_scores",
    function=_upsample,
    signature={"scores": "*T"} | _WEIGHTS | {"maps": "*fp32", "q": "i32"} | _SIZES,
    dtypes=("fp32", "fp16", "bf16"),
    variants=({},),
    grid=((Factor("pixels", "BLOCK_P"),), (Factor("q", "BLOCK_Q"),)),
    blocks=_blocks,
    divisible=(),
    uses_dot=False,
    work=_work,
)
KERNELS = (*DECODE.values(), UPSAMPLE)


def decode_labels(
    scores: torch.Tensor,
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    interpolation: Interpolation,
    regions: torch.Tensor | None,
    return_scores: bool,
    launch: Launch,
    **settings: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Labels [H, W] and, if asked, the best class's probability, of scores [W, Q, gh, gw].

    ``settings`` are those of ``_decoded``.
    """
    weights = _weights(plan, size, scores.shape[1], interpolation, scores.device)
    labels, best = _decoded(scores, weights, size, **settings, wanted=return_scores, launch=launch)
    if regions is not None:
        labels, best = vote_regions(labels, best, regions, settings["classes"], settings["unlabeled"])
    return labels, best if return_scores else None


def decode_points(scores: torch.Tensor, *, launch: Launch, **settings: Any) -> tuple[torch.Tensor, ...]:
    """The same decision for scores [Q, N] of points that lie on no grid: labels and probabilities [N]."""
    points = scores.shape[1]
    weights: dict[str, Any] = {"row_offset": upload(np.zeros((1, 1), np.int64), scores.device)}
    weights |= {"row_weight": upload(np.ones((1, 1), np.float32), scores.device)}
    weights |= {"col_offset": upload(np.arange(points)[None], scores.device)}
    weights |= {"col_weight": upload(np.ones((1, points), np.float32), scores.device)}
    weights |= {"row_taps": 1, "col_taps": 1, "windows": 1, "patches": points}
    labels, best = _decoded(scores, weights, (1, points), **settings, wanted=True, launch=launch)
    return labels[0], best[0]


def _decoded(
    scores: torch.Tensor,
    weights: dict[str, Any],
    size: tuple[int, int],
    *,
    query_to_class: NDArray[np.integer],
    classes: int,
    class_enabled: NDArray[np.bool_] | None,
    logit_scale: float,
    threshold: float,
    unlabeled: int,
    wanted: bool,
    launch: Launch,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and probabilities; the latter are written if they are wanted or a threshold needs them."""
    scores = aligned(scores if scores.dtype in DTYPES else scores.float())
    order, label_of, enabled = _order(query_to_class, class_enabled)
    label_type = torch.uint8 if classes <= 255 and unlabeled <= 255 else torch.uint16
    labels = scores.new_empty(size, dtype=label_type)
    wanted = wanted or threshold > 0
    probabilities = scores.new_empty(size if wanted else 1, dtype=torch.float32)
    arguments = weights | {
        "scores": scores,
        "order": upload(order, scores.device),
        "label_of": upload(label_of, scores.device),
        "labels": labels,
        "probabilities": probabilities,
        "q": len(order),
        "enabled": enabled,
        "pixels": size[0] * size[1],
        "h": size[0],
        "w": size[1],
        "unlabeled": unlabeled,
        "logit_scale": float(logit_scale),
        "threshold": float(threshold),
    }
    launch(DECODE[label_type], DTYPES[scores.dtype], {"PROBABILITY": int(wanted)}, arguments)
    return labels, probabilities


def upsample_scores(
    scores: torch.Tensor,
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    interpolation: Interpolation,
    launch: Launch,
) -> torch.Tensor:
    """Scores [Q, H, W] at full resolution of [W, Q, gh, gw]."""
    scores = aligned(scores if scores.dtype in DTYPES else scores.float())
    q = scores.shape[1]
    maps = scores.new_empty((q, *size), dtype=torch.float32)
    arguments = _weights(plan, size, q, interpolation, scores.device) | {"scores": scores, "maps": maps}
    sizes = {"q": q, "pixels": size[0] * size[1], "h": size[0], "w": size[1]}
    launch(UPSAMPLE, DTYPES[scores.dtype], {}, arguments | sizes)
    return maps


@lru_cache(maxsize=8)
def _weights(
    plan: WindowPlan,
    size: tuple[int, int],
    queries: int,
    interpolation: Interpolation,
    device: torch.device,
) -> dict[str, Any]:
    """Weights of both axes; an index is where its patch lies in scores [W, Q, gh, gw], seen from query 0."""
    rows, cols = (taps(matrix) for matrix in axis_matrices(plan, size, interpolation))
    patches = plan.grid_h * plan.grid_w
    window = queries * patches
    row_offset = rows[0] // plan.grid_h * len(plan.xs) * window + rows[0] % plan.grid_h * plan.grid_w
    col_offset = cols[0] // plan.grid_w * window + cols[0] % plan.grid_w
    return {
        "row_offset": upload(row_offset.T, device),
        "row_weight": upload(rows[1].T, device),
        "col_offset": upload(col_offset.T, device),
        "col_weight": upload(cols[1].T, device),
        "row_taps": rows[0].shape[1],
        "col_taps": cols[0].shape[1],
        "windows": plan.windows,
        "patches": patches,
    }


def _order(
    query_to_class: NDArray[np.integer], class_enabled: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Queries in the order in which they are compared, their classes, and the number of enabled ones."""
    disabled = (
        np.zeros(len(query_to_class), bool) if class_enabled is None else ~class_enabled[query_to_class]
    )
    order = np.lexsort((query_to_class, disabled))
    return order.astype(np.int32), query_to_class[order].astype(np.int32), int((~disabled).sum())
