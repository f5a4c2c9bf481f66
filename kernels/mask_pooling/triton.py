"""Mask pooling on a GPU: masks pushed down to patches, first along rows, then along columns, times the features.

Every sum runs in one order, so results are the same bits each time; there are no atomics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.optional_triton import tl, triton
from ..common.triton_axes import Matrix, axis_matrices, spans, upload
from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata, padded
from ..common.window_plan import WindowPlan


def _expand_work(a: dict[str, int]) -> tuple[int, int]:
    pixels = a["masks_count"] * a["pixels"]
    return 2 * pixels * a["search_steps"], pixels


@triton.jit(launch_metadata=launch_metadata(_expand_work))
def _expand(
    run_ends,  # [all runs] int32: where each run ends, in pixels from the start of its mask
    first_run,  # [masks_count + 1]
    masks,  # [masks_count, pixels] uint8
    masks_count,
    pixels,
    search_steps,
    BLOCK_P: tl.constexpr,
):
    """Run-length codes as bytes: a pixel is set if an odd number of runs end at or before it."""
    m = tl.program_id(0).to(tl.int64) % masks_count
    pixel = (tl.program_id(0) // masks_count) * BLOCK_P + tl.arange(0, BLOCK_P)
    begin = tl.load(first_run + m)
    low = tl.zeros((BLOCK_P,), tl.int32)  # so many runs end at or before the pixel, at least
    high = low + (tl.load(first_run + m + 1) - begin)  # and at most
    for _ in range(search_steps):
        middle = (low + high) // 2
        end = tl.load(run_ends + begin + middle, mask=low < high, other=0)
        ended = (low < high) & (end <= pixel)
        high = tl.where((low < high) & (end > pixel), middle, high)
        low = tl.where(ended, middle + 1, low)
    tl.store(masks + m * pixels + pixel, (low % 2).to(tl.uint8), mask=pixel < pixels)


# Forms of masks that the kernel reads.
BYTES, LABELS, SOFT = 0, 1, 2


def _push_rows_work(a: dict[str, int]) -> tuple[int, int]:
    pixels = a["h"] * a["w"] * (1 if a["FORM"] == LABELS else a["masks_count"])
    sums = a["masks_count"] * a["patches"] * a["w"]
    read = pixels * (1 if a["FORM"] == BYTES else 4) + 4 * a["WEIGHTED"] * a["h"] * a["w"]
    return 4 * a["masks_count"] * a["h"] * a["w"], read + 4 * sums


@triton.jit(launch_metadata=launch_metadata(_push_rows_work))
def _push_rows(
    masks,  # BYTES: [masks_count, h, w] uint8; LABELS: [h, w] int32; SOFT: [masks_count, h, w] float32
    pixel_weights,  # [h, w] or [masks_count, h, w] float32; read if WEIGHTED
    first,  # [patches]: first row that each patch reaches
    weights,  # [patches, span]: weights from that row on
    owner,  # [h]: the patch that counts a row's pixels
    sums,  # [masks_count, patches, w] float32
    counts,  # [masks_count, patches, w_blocks] int32
    masks_count,
    patches,
    h,
    w,
    span,
    weights_stride,  # from one mask's pixel weights to the next: 0 or h * w
    FORM: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_X: tl.constexpr,
):
    """For each patch row, the weighted sum of mask rows, and the number of pixels in the rows that it owns."""
    x_blocks = tl.cdiv(w, BLOCK_X)
    x_block = tl.program_id(0) % x_blocks
    patch = tl.program_id(0) // x_blocks
    m = tl.program_id(1).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)[:, None]
    x = x_block * BLOCK_X + tl.arange(0, BLOCK_X)[None, :]
    inside = (m < masks_count) & (x < w)
    start = tl.load(first + patch)
    total = tl.zeros((BLOCK_M, BLOCK_X), tl.float32)
    count = tl.zeros((BLOCK_M, BLOCK_X), tl.int32)
    for i in range(tl.minimum(span, h - start)):
        y = start + i
        at = y.to(tl.int64) * w + x
        value = 1.0
        if FORM == 1:  # LABELS
            member = tl.load(masks + at, mask=x < w, other=-1) == m
        elif FORM == 2:  # SOFT
            value = tl.load(masks + m * h * w + at, mask=inside, other=0.0)
            member = value > 0
        else:
            member = tl.load(masks + m * h * w + at, mask=inside, other=0) != 0
        if WEIGHTED:
            value = tl.load(pixel_weights + m * weights_stride + at, mask=inside, other=0.0)
        total += tl.where(member, value * tl.load(weights + patch * span + i), 0.0)
        count += (member & (tl.load(owner + y) == patch)).to(tl.int32)
    tl.store(sums + (m * patches + patch) * w + x, total, mask=inside)
    m = tl.program_id(1).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    tl.store(counts + (m * patches + patch) * x_blocks + x_block, tl.sum(count, 1), mask=m < masks_count)


def _push_cols_work(a: dict[str, int]) -> tuple[int, int]:
    return 4 * a["lines"] * a["w"], 4 * a["lines"] * (a["w"] + a["patches"])


@triton.jit(launch_metadata=launch_metadata(_push_cols_work))
def _push_cols(
    sums,  # [lines, w] float32, where a line is one of the rows of one mask
    first,  # [patches]: first column that each patch reaches
    weights,  # [patches, span]
    row_at,  # [rows]: position of a row's weights in those of its mask
    patch_at,  # [patches]: and of a patch's in its row
    out,  # [masks, rows * patches] float32
    lines,
    rows,
    patches,
    w,
    span,
    BLOCK_R: tl.constexpr,
    BLOCK_S: tl.constexpr,
):
    """For each patch, the weighted sum along each line of ``sums``."""
    patch = tl.program_id(1)
    line = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)
    inside = line < lines
    start = tl.load(first + patch)
    total = tl.zeros((BLOCK_R, BLOCK_S), tl.float32)
    for begin in range(0, span, BLOCK_S):
        step = begin + tl.arange(0, BLOCK_S)
        weight = tl.load(weights + patch * span + step, mask=step < span, other=0.0)
        reached = (step < span) & (start + step < w)
        values = sums + line[:, None] * w + (start + step)[None, :]
        total += weight[None, :] * tl.load(values, mask=inside[:, None] & reached[None, :], other=0.0)
    at = tl.load(row_at + line % rows, mask=inside, other=0) + tl.load(patch_at + patch)
    tl.store(out + line // rows * rows * patches + at, tl.sum(total, 1), mask=inside)


def _pool_work(a: dict[str, int]) -> tuple[int, int]:
    m, cells, d = a["masks_count"], a["cells"], a["d"]
    return 2 * m * cells * d, 4 * m * (cells + d) + cells * d * a["itemsize"]


@triton.jit(launch_metadata=launch_metadata(_pool_work, "features"))
def _pool(
    weights,  # [masks_count, cells] float32
    features,  # [cells, d]
    sizes,  # [masks_count] float32: the pixels of each mask, or the sum of their weights
    pooled,  # [masks_count, d] float32
    masks_count,
    cells,
    d,
    BLOCK_M: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Weights times features, divided by the masks' sizes. A cell of weight zero has no influence, finite or not."""
    m = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    total = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for start in range(0, cells, BLOCK_K):
        k = start + tl.arange(0, BLOCK_K)
        inside = (m[:, None] < masks_count) & (k[None, :] < cells)
        weight = tl.load(weights + m[:, None] * cells + k[None, :], mask=inside, other=0.0)
        inside = (k[:, None] < cells) & (column[None, :] < d)
        value = tl.load(features + k[:, None].to(tl.int64) * d + column[None, :], mask=inside, other=0.0)
        value = value.to(tl.float32)
        finite = tl.abs(value) < float("inf")
        total = tl.dot(weight, tl.where(finite, value, 0.0), total, input_precision="ieee")
        if tl.max(tl.max((~finite).to(tl.int32), 1), 0) > 0:
            present = (weight != 0).to(tl.float16)
            for kind in tl.static_range(3):
                if kind == 0:
                    spoils, poison = value != value, float("nan")
                elif kind == 1:
                    spoils, poison = value == float("inf"), float("inf")
                else:
                    spoils, poison = value == float("-inf"), float("-inf")
                hits = tl.dot(present, spoils.to(tl.float16))
                total += tl.where(hits > 0, poison, 0.0)
    size = tl.load(sizes + m, mask=m < masks_count, other=0.0)
    total = total / tl.where(size == 0, 1.0, size)[:, None]
    inside = (m[:, None] < masks_count) & (column[None, :] < d)
    tl.store(pooled + m[:, None] * d + column[None, :], total, mask=inside)


EXPAND = Kernel(
    name="mask_expand_codes",
    function=_expand,
    signature={"run_ends": "*i32", "first_run": "*i32", "masks": "*u8"}
    | dict.fromkeys(("masks_count", "pixels", "search_steps"), "i32"),
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("masks_count"), Factor("pixels", "BLOCK_P")),),
    blocks=lambda arch, dtype: Block({"BLOCK_P": 512}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_expand_work,
)


# Columns of pixels per program; the counts have one entry for each.
ROW_BLOCK = 128


def _push_rows_kernel(masks: str, form: int, block_m: int) -> Kernel:
    return Kernel(
        name=f"mask_push_rows_{masks}",
        function=_push_rows,
        signature={"masks": f"*{masks}", "pixel_weights": "*fp32"}
        | {"first": "*i32", "weights": "*fp32", "owner": "*i32", "sums": "*fp32", "counts": "*i32"}
        | dict.fromkeys(("masks_count", "patches", "h", "w", "span", "weights_stride"), "i32"),
        dtypes=("fp32",),
        variants=tuple(
            {"FORM": form, "WEIGHTED": weighted} for weighted in ((0,) if form == SOFT else (0, 1))
        ),
        grid=((Factor("patches"), Factor("w", "BLOCK_X")), (Factor("masks_count", "BLOCK_M"),)),
        blocks=lambda arch, dtype: Block(
            {"BLOCK_M": block_m, "BLOCK_X": ROW_BLOCK}, num_warps=4, num_stages=1
        ),
        divisible=(),
        uses_dot=False,
        work=_push_rows_work,
    )


PUSH_ROWS = (
    _push_rows_kernel("u8", BYTES, 8),
    _push_rows_kernel("i32", LABELS, 16),
    _push_rows_kernel("fp32", SOFT, 8),
)
PUSH_COLS = Kernel(
    name="mask_push_cols",
    function=_push_cols,
    signature={"sums": "*fp32", "first": "*i32", "weights": "*fp32"}
    | {"row_at": "*i32", "patch_at": "*i32", "out": "*fp32"}
    | dict.fromkeys(("lines", "rows", "patches", "w", "span"), "i32"),
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("lines", "BLOCK_R"),), (Factor("patches"),)),
    blocks=lambda arch, dtype: Block({"BLOCK_R": 16, "BLOCK_S": 64}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_push_cols_work,
)
POOL = Kernel(
    name="mask_pool",
    function=_pool,
    signature={"weights": "*fp32", "features": "*T", "sizes": "*fp32", "pooled": "*fp32"}
    | dict.fromkeys(("masks_count", "cells", "d"), "i32"),
    dtypes=("fp32", "fp16", "bf16"),
    variants=({},),
    grid=((Factor("masks_count", "BLOCK_M"),), (Factor("d", "BLOCK_D"),)),
    blocks=lambda arch, dtype: Block(
        {"BLOCK_M": 16, "BLOCK_D": 64, "BLOCK_K": 32}, num_warps=4, num_stages=2
    ),
    divisible=("d",),
    uses_dot=False,  # float32 throughout, so no tensor cores
    work=_pool_work,
)
KERNELS = (EXPAND, *PUSH_ROWS, PUSH_COLS, POOL)


def mask_pool(
    features: torch.Tensor,
    form: str,
    masks: Any,
    count: int,
    size: tuple[int, int],
    weights: torch.Tensor | None,
    plan: WindowPlan,
    *,
    launch: Launch,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [M, D] over masks of the up-sampled features [W, N, D], and each mask's pixels, int64 [M].

    ``masks`` are, by ``form``, tensors: "bool" [M, H, W], "packed" uint8 [M, H, ceil(W / 8)], "soft" float32 [M, H, W],
    "labels" int32 [H, W]; or a list of arrays of run lengths, "rle". ``weights`` float32 [H, W] or [M, H, W].
    """
    depth = features.shape[2]
    features = aligned(padded(features if features.dtype in DTYPES else features.float()))
    rows, cols = _axes(plan, size, features.device)
    if form == "rle":  # codes run column by column
        masks, size, rows, cols = expand_codes(masks, size, features.device, launch), size[::-1], cols, rows
        weights = None if weights is None else weights.transpose(-1, -2)
    elif form == "packed":
        masks = unpacked(masks, size[1])
    cells, area = _push_down(masks, count, size, weights, rows, cols, launch)
    soft = weights is not None or form == "soft"
    sizes = cells.double().sum(1).float() if soft else area.float()
    width = features.shape[2]
    pooled = features.new_empty((count, width), dtype=torch.float32)
    arguments: dict[str, Any] = {"weights": cells, "features": features, "sizes": sizes, "pooled": pooled}
    arguments |= {"masks_count": count, "cells": cells.shape[1], "d": width}
    launch(POOL, DTYPES[features.dtype], {}, arguments)
    return pooled[:, :depth], area


def _push_down(
    masks: torch.Tensor,
    count: int,
    size: tuple[int, int],
    weights: torch.Tensor | None,
    rows: _Axis,
    cols: _Axis,
    launch: Launch,
) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of each mask each patch stands for [M, patches of all windows], and the pixels [M]."""
    h, w = size
    form = LABELS if masks.ndim == 2 else SOFT if masks.dtype == torch.float32 else BYTES
    masks = aligned(masks.view(torch.uint8) if masks.dtype == torch.bool else masks)
    sums = torch.empty((count, rows.patches, w), dtype=torch.float32, device=masks.device)
    counts = sums.new_empty((count, rows.patches, -(-w // ROW_BLOCK)), dtype=torch.int32)
    arguments: dict[str, Any] = {
        "masks": masks,
        "first": rows.first,
        "weights": rows.weights,
        "owner": rows.owner,
    }
    arguments |= {"pixel_weights": sums if weights is None else aligned(weights)}
    arguments |= {"weights_stride": 0 if weights is None or weights.ndim == 2 else h * w}
    arguments |= {"sums": sums, "counts": counts, "masks_count": count, "patches": rows.patches}
    variant = {"FORM": form, "WEIGHTED": int(weights is not None)}
    launch(PUSH_ROWS[form], "fp32", variant, arguments | {"h": h, "w": w, "span": rows.span})

    cells = sums.new_empty((count, rows.patches * cols.patches))
    arguments = {"sums": sums, "first": cols.first, "weights": cols.weights, "out": cells}
    arguments |= {"row_at": rows.at, "patch_at": cols.at, "lines": count * rows.patches}
    arguments |= {"rows": rows.patches, "patches": cols.patches, "w": w, "span": cols.span}
    launch(PUSH_COLS, "fp32", {}, arguments)
    return cells, counts.sum((1, 2))


def unpacked(bits: torch.Tensor, width: int) -> torch.Tensor:
    """Masks uint8 [M, H, width] of bits, the first pixel in the highest bit of a byte."""
    places = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    return ((bits[..., None] >> places) & 1).flatten(-2)[..., :width]


@dataclass(frozen=True)
class _Axis:
    """The pixels that each patch along an axis reaches, with their weights, on the GPU."""

    first: torch.Tensor
    weights: torch.Tensor
    owner: torch.Tensor  # of each pixel: the patch that weighs most there
    at: torch.Tensor  # where a patch lies among the patches of all windows

    @property
    def patches(self) -> int:
        return self.weights.shape[0]

    @property
    def span(self) -> int:
        return self.weights.shape[1]


@lru_cache(maxsize=8)
def _axes(plan: WindowPlan, size: tuple[int, int], device: torch.device) -> tuple[_Axis, _Axis]:
    rows, cols = axis_matrices(plan, size)
    grid = plan.grid_h * plan.grid_w
    row, col = np.arange(rows.shape[1]), np.arange(cols.shape[1])
    row_at = row // plan.grid_h * len(plan.xs) * grid + row % plan.grid_h * plan.grid_w
    col_at = col // plan.grid_w * grid + col % plan.grid_w
    return _upload_axis(rows, row_at, device), _upload_axis(cols, col_at, device)


def _upload_axis(matrix: Matrix, at: NDArray[np.int64], device: torch.device) -> _Axis:
    owner = matrix.argmax(1).astype(np.int32)
    return _Axis(*(upload(array, device) for array in (*spans(matrix), owner, at.astype(np.int32))))


def expand_codes(
    codes: Sequence[NDArray[np.integer]], size: tuple[int, int], device: torch.device, launch: Launch
) -> torch.Tensor:
    """Masks uint8 [M, W, H] of run-length codes."""
    ends = [np.cumsum(code, dtype=np.int64).astype(np.int32) for code in codes]
    runs = [len(code) for code in codes]
    masks = torch.empty((len(codes), size[1], size[0]), dtype=torch.uint8, device=device)
    arguments: dict[str, Any] = {
        "run_ends": upload(np.concatenate(ends), device),
        "first_run": upload(np.cumsum([0, *runs], dtype=np.int32), device),
        "masks": masks,
        "masks_count": len(codes),
        "pixels": size[0] * size[1],
        "search_steps": max(runs).bit_length(),
    }
    launch(EXPAND, "fp32", {}, arguments)
    return masks
