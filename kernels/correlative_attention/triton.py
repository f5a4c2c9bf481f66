"""Correlative attention on a GPU: each tile of tokens is read once for all terms, and no N x N matrix is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from ..common.optional_triton import tl, triton
from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata

# Head widths of a cubin; others are compiled just in time, up to the largest.
HEAD_DIMS = (32, 64, 80, 96, 128)
LARGEST_HEAD_DIM = 256

LOG2_E = math.log2(math.e)


def _work(a: dict[str, int]) -> tuple[int, int]:
    terms = a["QQ"] + a["KK"] + a["VV"] + a["QK"]
    heads = a["batch"] * a["heads"]
    tensors = 2 + (a["QQ"] or a["QK"]) + (a["KK"] or a["QK"])  # v and the result always
    moved = heads * a["n"] * a["HEAD_DIM"] * a["itemsize"] * tensors
    return 4 * terms * heads * a["n"] ** 2 * a["HEAD_DIM"], moved + 4 * a["BIAS"] * heads * a["n"] ** 2


@triton.jit
def _attend(left, right, values, bias, attended, peak, total, out, scale):
    """One term's running softmax (base 2) over one more tile of tokens, and its sum of values."""
    scores = tl.dot(left, tl.trans(right), input_precision="ieee") * scale + bias
    scores = tl.where(attended, scores, float("-inf"))
    higher = tl.maximum(peak, tl.max(scores, 1))
    finite = tl.where(higher == float("-inf"), 0.0, higher)
    weights = tl.exp2(scores - finite[:, None])
    shrink = tl.exp2(peak - finite)
    out = tl.dot(weights.to(values.dtype), values, out * shrink[:, None], input_precision="ieee")
    return higher, total * shrink + tl.sum(weights, 1), out


@triton.jit
def _normalised(total, out):
    return out / tl.where(total == 0, 1.0, total)[:, None]


@triton.jit(launch_metadata=launch_metadata(_work, "q"))
def _attention(
    q,  # [batch, heads, n, HEAD_DIM] with strides, like k and v
    k,
    v,
    bias,  # float32, broadcast by strides of 0; read if BIAS
    attention,  # [batch, heads, n, HEAD_DIM]
    batch,
    heads,
    n,
    batch_stride,
    head_stride,
    token_stride,
    bias_batch,
    bias_head,
    bias_row,
    bias_col,
    scale,  # of scores, times log2(e)
    share,  # of each term in the result
    grid_w,
    class_tokens,
    gaussian,  # -log2(e) / (2 std^2)
    QQ: tl.constexpr,
    KK: tl.constexpr,
    VV: tl.constexpr,
    QK: tl.constexpr,
    GAUSSIAN: tl.constexpr,
    BIAS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    row_blocks = tl.cdiv(n, BLOCK_M)
    sequence = (tl.program_id(0) // row_blocks).to(tl.int64)
    b, head = sequence // heads, sequence % heads
    row = (tl.program_id(0) % row_blocks) * BLOCK_M + tl.arange(0, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    start = b * batch_stride + head * head_stride
    row_at = start + row[:, None].to(tl.int64) * token_stride + d[None, :]
    row_in = (row[:, None] < n) & (d[None, :] < HEAD_DIM)
    if QQ or QK:
        q_rows = tl.load(q + row_at, mask=row_in, other=0.0)
    if KK:
        k_rows = tl.load(k + row_at, mask=row_in, other=0.0)
    if VV:
        v_rows = tl.load(v + row_at, mask=row_in, other=0.0)

    nothing = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    zero = tl.zeros((BLOCK_M,), tl.float32)
    empty = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    qq_peak, qq_total, qq_out = nothing, zero, empty
    kk_peak, kk_total, kk_out = nothing, zero, empty
    vv_peak, vv_total, vv_out = nothing, zero, empty
    qk_peak, qk_total, qk_out = nothing, zero, empty
    for first in range(0, n, BLOCK_N):
        col = first + tl.arange(0, BLOCK_N)
        col_at = start + col[:, None].to(tl.int64) * token_stride + d[None, :]
        col_in = (col[:, None] < n) & (d[None, :] < HEAD_DIM)
        attended = (col < n)[None, :]
        added = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        if GAUSSIAN:
            i, j = row - class_tokens, col - class_tokens
            dy = (i // grid_w)[:, None] - (j // grid_w)[None, :]
            dx = (i % grid_w)[:, None] - (j % grid_w)[None, :]
            near = tl.exp2((dy * dy + dx * dx).to(tl.float32) * gaussian)
            added += tl.where((i >= 0)[:, None] & (j >= 0)[None, :], near, 0.0)
        if BIAS:
            bias_at = (
                b * bias_batch
                + head * bias_head
                + row[:, None].to(tl.int64) * bias_row
                + col[None, :] * bias_col
            )
            added += tl.load(bias + bias_at, mask=(row[:, None] < n) & attended, other=0.0)
        added *= 1.4426950408889634  # log2(e)
        values = tl.load(v + col_at, mask=col_in, other=0.0)
        if QQ:
            right = tl.load(q + col_at, mask=col_in, other=0.0)
            qq_peak, qq_total, qq_out = _attend(
                q_rows, right, values, added, attended, qq_peak, qq_total, qq_out, scale
            )
        if KK or QK:
            right = tl.load(k + col_at, mask=col_in, other=0.0)
            if KK:
                kk_peak, kk_total, kk_out = _attend(
                    k_rows, right, values, added, attended, kk_peak, kk_total, kk_out, scale
                )
            if QK:
                qk_peak, qk_total, qk_out = _attend(
                    q_rows, right, values, added, attended, qk_peak, qk_total, qk_out, scale
                )
        if VV:
            vv_peak, vv_total, vv_out = _attend(
                v_rows, values, values, added, attended, vv_peak, vv_total, vv_out, scale
            )
    result = empty
    if QQ:
        result += _normalised(qq_total, qq_out)
    if KK:
        result += _normalised(kk_total, kk_out)
    if VV:
        result += _normalised(vv_total, vv_out)
    if QK:
        result += _normalised(qk_total, qk_out)
    out_at = (sequence * n + row[:, None]) * HEAD_DIM + d[None, :]
    tl.store(attention + out_at, (result * share).to(attention.dtype.element_ty), mask=row_in)


def _block(arch: int, dtype: str, head_dim: int) -> Block:
    width = max(16, triton.next_power_of_2(head_dim))
    rows, cols, warps, stages = 32, 32, 4 if width <= 64 else 8, 2
    if dtype == "fp32":  # of those tried, these spill nowhere at 64 wide, and fit into 99 KB at 256
        rows, cols, warps, stages = (32, 16, 8, 3) if width <= 64 else (16, 16, 8, 2)
    elif arch in (100, 110):  # with four warps some variants spill, with 128 rows that of three terms
        rows, warps = 64, 8
    elif arch == 90:
        rows = 64
    return Block({"BLOCK_M": rows, "BLOCK_N": cols, "BLOCK_D": width}, num_warps=warps, num_stages=stages)


def _variant(
    terms: Sequence[str], head_dim: int, gaussian: bool = False, bias: bool = False
) -> dict[str, int]:
    flags = {name.upper(): int(name in terms) for name in ("qq", "kk", "vv", "qk")}
    return flags | {"GAUSSIAN": int(gaussian), "BIAS": int(bias), "HEAD_DIM": head_dim}


@lru_cache
def _kernel(head_dim: int) -> Kernel:
    """The kernel for one head width. All variants of the most common width are built ahead of time, in all dtypes;
    of the others, those of SCLIP, of NACLIP and of one plain term in half precision."""
    variants = [
        _variant(("qq", "kk"), head_dim),
        _variant(("qk",), head_dim, gaussian=True),
        _variant(("qk",), head_dim),
    ]
    if head_dim == 64:
        variants += [_variant(("qq", "kk", "vv"), head_dim), _variant(("qk",), head_dim, bias=True)]
    return Kernel(
        name=f"correlative_attention_{head_dim}",
        function=_attention,
        signature=dict.fromkeys(("q", "k", "v"), "*T")
        | {"bias": "*fp32", "attention": "*T"}
        | dict.fromkeys(("batch", "heads", "n", "batch_stride", "head_stride", "token_stride"), "i32")
        | dict.fromkeys(("bias_batch", "bias_head", "bias_row", "bias_col"), "i32")
        | {"scale": "fp32", "share": "fp32", "grid_w": "i32", "class_tokens": "i32", "gaussian": "fp32"},
        dtypes=("fp32", "fp16", "bf16") if head_dim == 64 else ("fp16",),
        variants=tuple(variants),
        grid=((Factor("batch"), Factor("heads"), Factor("n", "BLOCK_M")),),
        blocks=lambda arch, dtype: _block(arch, dtype, head_dim),
        divisible=("batch_stride", "head_stride", "token_stride"),
        uses_dot=True,
        work=_work,
    )


KERNELS = tuple(_kernel(head_dim) for head_dim in HEAD_DIMS)


def correlative_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    terms: Sequence[str],
    *,
    mean: bool,
    scale: float,
    bias: torch.Tensor | None,
    gaussian: tuple[float, tuple[int, int]] | None,
    launch: Launch,
) -> torch.Tensor:
    """Sum or mean over terms of softmax(scale * a bᵀ + bias) v, in q's dtype."""
    dtype = q.dtype if q.dtype in DTYPES else torch.float32
    if len(terms) == 1:  # one variant for every single term
        tensors = {"q": q, "k": k, "v": v}
        q, k = (tensors[name] for name in terms[0])
        terms = ("qk",)
    q, k, v = _alike((q, k, v), dtype)
    batch, heads, n, head_dim = q.shape
    attention = torch.empty((batch, heads, n, head_dim), dtype=dtype, device=q.device)
    added = aligned(attention.new_zeros(1, dtype=torch.float32) if bias is None else bias.float())
    bias_strides = (0,) * 4 if bias is None else added.expand(batch, heads, n, n).stride()
    std, (_, grid_w) = gaussian or (1.0, (1, 1))
    class_tokens = n - gaussian[1][0] * grid_w if gaussian else 0
    arguments: dict[str, Any] = {"q": q, "k": k, "v": v, "bias": added, "attention": attention}
    arguments |= {"batch": batch, "heads": heads, "n": n}
    arguments |= dict(zip(("batch_stride", "head_stride", "token_stride"), _strides(q), strict=True))
    arguments |= dict(zip(("bias_batch", "bias_head", "bias_row", "bias_col"), bias_strides, strict=True))
    arguments |= {"scale": scale * LOG2_E, "share": 1 / len(terms) if mean else 1.0}
    arguments |= {"grid_w": grid_w, "class_tokens": class_tokens, "gaussian": -LOG2_E / (2 * std * std)}
    variant = _variant(terms, head_dim, gaussian is not None, bias is not None)
    launch(_kernel(head_dim), DTYPES[dtype], variant, arguments)
    return attention


def _alike(given: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    """The tensors with one set of strides, the last of which is 1 and the others multiples of 16.

    As they are where they have it, else copies.
    """
    tensors = [tensor.to(dtype) for tensor in given]
    first = tensors[0]
    fit = first.stride(3) == 1 and not any(stride % 16 for stride in _strides(first))
    fit &= all(t.stride() == first.stride() and t.data_ptr() % 16 == 0 for t in tensors)
    return tensors if fit else [aligned(tensor) for tensor in tensors]


def _strides(tensor: torch.Tensor) -> tuple[int, ...]:
    """Of all dimensions but the last; 0 where there is one entry, whose stride can be anything."""
    sizes = zip(tensor.shape[:3], tensor.stride()[:3], strict=True)
    return tuple(0 if size == 1 else stride for size, stride in sizes)
