"""Patch-text similarity on a GPU: one pass over the features, lengths beside the dot products."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata


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
KERNELS = (SIMILARITY,)


def patch_text_similarity(
    features: torch.Tensor, text: torch.Tensor, *, normalize: bool, launch: Launch
) -> torch.Tensor:
    """Cosines float32 [B, Q, N] of features [B, N, D] and text [Q, D], computed in the wider of their dtypes."""
    dtype = torch.promote_types(features.dtype, text.dtype)
    dtype = dtype if dtype in DTYPES else torch.float32
    features, text = aligned(features.to(dtype)), aligned(text.to(dtype))
    (batch, n, d), q = features.shape, len(text)
    scores = features.new_empty((batch, q, n), dtype=torch.float32)
    arguments = {"features": features, "text": text, "scores": scores, "batch": batch, "n": n, "q": q, "d": d}
    launch(SIMILARITY, DTYPES[dtype], {"NORMALIZE": int(normalize)}, arguments)
    return scores
