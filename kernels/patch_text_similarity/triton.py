"""Patch-text similarity on a GPU: one pass over the features, lengths beside the dot products."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.optional_triton import tl, triton
from ..common.triton_axes import upload
from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata, padded


def _work(a: dict[str, int]) -> tuple[int, int]:
    flops = 2 * a["batch"] * a["n"] * a["q"] * a["d"]
    read = (a["batch"] * a["n"] + a["q"]) * a["d"] * a["itemsize"]
    return flops, read + 4 * a["batch"] * a["n"] * a["q"]


@triton.jit(launch_metadata=launch_metadata(_work, "features"))
def _similarity(
    features,  # [batch, n, d]
    text,  # [q, d]
    scores,  # [batch, q, n] float32
    batch,
    n,
    q,
    d,
    NORMALIZE: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    n_blocks = tl.cdiv(n, BLOCK_N)
    b = (tl.program_id(0) // n_blocks).to(tl.int64)
    n_index = (tl.program_id(0) % n_blocks) * BLOCK_N + tl.arange(0, BLOCK_N)
    q_index = tl.program_id(1) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    d_index = tl.arange(0, BLOCK_D)
    feature_rows = features + (b * n + n_index[:, None]) * d + d_index[None, :]
    text_rows = text + q_index[:, None].to(tl.int64) * d + d_index[None, :]

    # Lengths are summed over rows scaled by a power of two, which changes no bit of a product but keeps squares
    # from over- and underflowing. The scale follows the row's largest value so far.
    total = tl.zeros((BLOCK_Q, BLOCK_N), tl.float32)
    squares = tl.zeros((BLOCK_N,), tl.float32)
    scale = _power_of_two_above(tl.zeros((BLOCK_N,), tl.float32))
    for start in range(0, d, BLOCK_D):
        inside = d_index[None, :] < d - start
        f = tl.load(feature_rows + start, mask=(n_index[:, None] < n) & inside, other=0.0)
        t = tl.load(text_rows + start, mask=(q_index[:, None] < q) & inside, other=0.0)
        if NORMALIZE:
            if features.dtype.element_ty != tl.float16:
                exact = f.to(tl.float32)
                next_scale = tl.minimum(scale, _power_of_two_above(tl.max(tl.abs(exact), 1)))
                shrink = next_scale / scale
                scale = next_scale
                f = (exact * scale[:, None]).to(f.dtype)
                total *= shrink[None, :]
                squares *= shrink * shrink
            squares += tl.sum(f.to(tl.float32) * f.to(tl.float32), 1)
        total = tl.dot(t, tl.trans(f), total, input_precision="ieee")
    if NORMALIZE:
        total *= (1.0 / tl.where(squares == 0, 1.0, tl.sqrt(squares)))[None, :]
    out = scores + (b * q + q_index[:, None]) * n + n_index[None, :]
    tl.store(out, total, mask=(q_index[:, None] < q) & (n_index[None, :] < n))


@triton.jit
def _power_of_two_above(largest):
    """The power of two that brings a positive float32 to 1 … 2 (or its neighbourhood at the ends of the range)."""
    exponent = (largest.to(tl.int32, bitcast=True) >> 23) & 0xFF
    return ((254 - tl.minimum(exponent, 253)) << 23).to(tl.float32, bitcast=True)


def _blocks(arch: int, dtype: str) -> Block:
    if dtype == "fp32":
        return Block({"BLOCK_Q": 32, "BLOCK_N": 64, "BLOCK_D": 32}, num_warps=8, num_stages=2)
    return Block({"BLOCK_Q": 64, "BLOCK_N": 64, "BLOCK_D": 64}, num_warps=4, num_stages=3)


def _classes_work(a: dict[str, int]) -> tuple[int, int]:
    patches = a["batch"] * a["n"]
    return patches * a["q"], 4 * patches * (a["q"] + (3 if a["TOP"] else a["classes"]))


@triton.jit(launch_metadata=launch_metadata(_classes_work))
def _classes(
    scores,  # [batch, q, n] float32
    order,  # [q]: queries by rising class
    first,  # [classes + 1]: where each class begins in that order
    best,  # [batch, classes, n] float32, or of the best class alone [batch, n] if TOP
    label,  # [batch, n] int32; written if TOP, and so is the margin
    margin,
    batch,
    n,
    q,
    classes,
    TOP: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """Maximum over the queries of each class, or the best class and how far the second-best is below."""
    n_blocks = tl.cdiv(n, BLOCK_N)
    piece = tl.program_id(0) if TOP else tl.program_id(0) // classes
    b = (piece // n_blocks).to(tl.int64)
    n_index = (piece % n_blocks) * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = n_index < n
    if TOP:
        winner = tl.full((BLOCK_N,), float("-inf"), tl.float32)
        second = winner
        winner_class = tl.full((BLOCK_N,), -1, tl.int32)
        begin, end = 0, classes
    else:
        begin = tl.program_id(0) % classes
        end = begin + 1
    for c in range(begin, end):
        value = tl.full((BLOCK_N,), float("-inf"), tl.float32)
        spoilt = tl.load(first + c + 1) > tl.load(first + c)
        only_nan = inside & spoilt
        for i in range(tl.load(first + c), tl.load(first + c + 1)):
            row = scores + (b * q + tl.load(order + i)) * n
            score = tl.load(row + n_index, mask=inside, other=float("-inf"))
            only_nan = only_nan & (score != score)
            value = tl.maximum(value, tl.where(score == score, score, float("-inf")))
        if TOP:
            better = value > winner
            second = tl.where(better, winner, tl.maximum(second, value))
            winner = tl.where(better, value, winner)
            winner_class = tl.where(better, c, winner_class)
        else:
            value = tl.where(only_nan, float("nan"), value)
            tl.store(best + (b * classes + c) * n + n_index, value, mask=inside)
    if TOP:
        none = winner_class < 0
        tl.store(label + b * n + n_index, winner_class, mask=inside)
        tl.store(best + b * n + n_index, tl.where(none, float("nan"), winner), mask=inside)
        tl.store(margin + b * n + n_index, tl.where(none, float("nan"), winner - second), mask=inside)


SIMILARITY = Kernel(
    name="patch_text_similarity",
    function=_similarity,
    signature={
        "features": "*T",
        "text": "*T",
        "scores": "*fp32",
        "batch": "i32",
        "n": "i32",
        "q": "i32",
        "d": "i32",
    },
    dtypes=("fp32", "fp16", "bf16"),
    variants=({"NORMALIZE": 0}, {"NORMALIZE": 1}),
    grid=((Factor("batch"), Factor("n", "BLOCK_N")), (Factor("q", "BLOCK_Q"),)),
    blocks=_blocks,
    divisible=("d",),
    uses_dot=True,
    work=_work,
)


def _classes_kernel(top: int) -> Kernel:
    pieces = (Factor("batch"), Factor("n", "BLOCK_N"))
    return Kernel(
        name="top_classes" if top else "class_maximum",
        function=_classes,
        signature={"scores": "*fp32", "order": "*i32", "first": "*i32"}
        | {"best": "*fp32", "label": "*i32", "margin": "*fp32"}
        | dict.fromkeys(("batch", "n", "q", "classes"), "i32"),
        dtypes=("fp32",),
        variants=({"TOP": top},),
        grid=(pieces if top else (*pieces, Factor("classes")),),
        blocks=lambda arch, dtype: Block({"BLOCK_N": 128}, num_warps=4, num_stages=1),
        divisible=(),
        uses_dot=False,
        work=_classes_work,
    )


CLASS_MAXIMUM, TOP_CLASSES = _classes_kernel(0), _classes_kernel(1)
KERNELS = (SIMILARITY, CLASS_MAXIMUM, TOP_CLASSES)


def patch_text_similarity(
    features: torch.Tensor,
    text: torch.Tensor,
    *,
    normalize: bool,
    query_to_class: NDArray[np.integer] | None,
    classes: int,
    launch: Launch,
) -> torch.Tensor:
    """Cosines float32 [B, Q, N] of features [B, N, D] and text [Q, D], or the maximum of each class [B, C, N]."""
    scores = _cosines(features, text, normalize=normalize, launch=launch)
    if query_to_class is None:
        return scores
    best = scores.new_empty((scores.shape[0], classes, scores.shape[2]))
    unused = best.new_empty(1)
    results: dict[str, Any] = {"best": best, "label": unused.int(), "margin": unused}
    arguments = _class_arguments(scores, query_to_class, classes)
    launch(CLASS_MAXIMUM, "fp32", {"TOP": 0}, arguments | results)
    return best


def top_classes(
    features: torch.Tensor,
    text: torch.Tensor,
    *,
    normalize: bool,
    query_to_class: NDArray[np.integer] | None,
    classes: int,
    launch: Launch,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Label int32, score and margin float32 of each patch's best class, [B, N] each."""
    scores = _cosines(features, text, normalize=normalize, launch=launch)
    if query_to_class is None:
        query_to_class, classes = np.arange(len(text)), len(text)
    shape = (scores.shape[0], scores.shape[2])
    results: dict[str, Any] = {
        "best": scores.new_empty(shape),
        "label": scores.new_empty(shape, dtype=torch.int32),
    }
    results |= {"margin": scores.new_empty(shape)}
    arguments = _class_arguments(scores, query_to_class, classes)
    launch(TOP_CLASSES, "fp32", {"TOP": 1}, arguments | results)
    return results["label"], results["best"], results["margin"]


def _class_arguments(
    scores: torch.Tensor, query_to_class: NDArray[np.integer], classes: int
) -> dict[str, Any]:
    batch, q, n = scores.shape
    order = np.argsort(query_to_class, kind="stable").astype(np.int32)
    first = np.searchsorted(query_to_class[order], np.arange(classes + 1)).astype(np.int32)
    arguments: dict[str, Any] = {
        "scores": scores,
        "order": upload(order, scores.device),
        "first": upload(first, scores.device),
    }
    return arguments | {"batch": batch, "n": n, "q": q, "classes": classes}


def _cosines(features: torch.Tensor, text: torch.Tensor, *, normalize: bool, launch: Launch) -> torch.Tensor:
    """Cosines [B, Q, N], computed in the wider of the two dtypes."""
    dtype = torch.promote_types(features.dtype, text.dtype)
    dtype = dtype if dtype in DTYPES else torch.float32
    features, text = aligned(padded(features.to(dtype))), aligned(padded(text.to(dtype)))
    (batch, n, d), q = features.shape, len(text)
    scores = features.new_empty((batch, q, n), dtype=torch.float32)
    arguments: dict[str, Any] = {
        "features": features,
        "text": text,
        "scores": scores,
        "batch": batch,
        "n": n,
        "q": q,
        "d": d,
    }
    launch(SIMILARITY, DTYPES[dtype], {"NORMALIZE": int(normalize)}, arguments)
    return scores
