"""Pixel-adaptive mask refinement on a GPU: affinities once, then one launch per step for all maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..common.optional_triton import tl, triton
from ..common.triton_axes import upload
from ..common.triton_kernel import Block, Factor, Kernel, Launch, aligned, launch_metadata


def _affinity_work(a: dict[str, int]) -> tuple[int, int]:
    pixels, neighbours = a["h"] * a["w"], 8 * a["dilations_count"]
    return 60 * pixels * neighbours, 4 * pixels * (3 + neighbours)


@triton.jit
def _neighbour(pixel, h, w, dilation, i):
    """The pixel at place i of a 3 x 3 pattern (4 is the centre); beyond the border it is the border's."""
    y = tl.minimum(tl.maximum(pixel // w + (i // 3 - 1) * dilation, 0), h - 1)
    x = tl.minimum(tl.maximum(pixel % w + (i % 3 - 1) * dilation, 0), w - 1)
    return y * w + x


@triton.jit
def _affinity(planes, plane, pixel, at, inside, spread_0, spread_1, spread_2):
    """Mean over channels of -|I - I_n| / spread."""
    total = tl.zeros_like(spread_0)
    for channel in tl.static_range(3):
        spread = spread_0 if channel == 0 else (spread_1 if channel == 1 else spread_2)
        centre = tl.load(planes + channel * plane + pixel, mask=inside, other=0.0)
        value = tl.load(planes + channel * plane + at, mask=inside, other=0.0)
        total -= tl.abs(value - centre) / spread
    return total / 3


@triton.jit
def _spread(plane, pixel, h, w, inside, dilations, dilations_count):
    """1e-8 + 0.1 * the unbiased deviation of one channel over the 9 samples of every dilation.

    Samples are taken relative to the centre, so that squares stay small.
    """
    centre = tl.load(plane + pixel, mask=inside, other=0.0)
    total = tl.zeros_like(centre)
    squares = tl.zeros_like(centre)
    for k in range(dilations_count):
        dilation = tl.load(dilations + k)
        for i in range(9):
            value = tl.load(plane + _neighbour(pixel, h, w, dilation, i), mask=inside, other=0.0) - centre
            total += value
            squares += value * value
    samples = 9.0 * dilations_count
    variance = (squares - total * total / samples) / (samples - 1)
    return 1e-8 + 0.1 * tl.sqrt(tl.maximum(variance, 0.0))


@triton.jit(launch_metadata=launch_metadata(_affinity_work))
def _affinities(
    planes,  # [3, h, w] float32
    dilations,  # [dilations_count]
    affinities,  # [8 * dilations_count, h, w] float32
    dilations_count,
    pixels,
    h,
    w,
    BLOCK_P: tl.constexpr,
):
    """Softmax over neighbours; they are visited once for the maximum and the sum, and again to write."""
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = pixel < pixels
    plane = tl.cast(pixels, tl.int64)
    spread_0 = _spread(planes, pixel, h, w, inside, dilations, dilations_count)
    spread_1 = _spread(planes + plane, pixel, h, w, inside, dilations, dilations_count)
    spread_2 = _spread(planes + 2 * plane, pixel, h, w, inside, dilations, dilations_count)
    peak = tl.full((BLOCK_P,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_P,), tl.float32)
    for k in range(dilations_count):
        dilation = tl.load(dilations + k)
        for i in range(8):
            at = _neighbour(pixel, h, w, dilation, i + (i >= 4))
            value = _affinity(planes, plane, pixel, at, inside, spread_0, spread_1, spread_2)
            higher = tl.maximum(peak, value)
            total = total * tl.exp(peak - higher) + tl.exp(value - higher)
            peak = higher
    for k in range(dilations_count):
        dilation = tl.load(dilations + k)
        for i in range(8):
            at = _neighbour(pixel, h, w, dilation, i + (i >= 4))
            value = _affinity(planes, plane, pixel, at, inside, spread_0, spread_1, spread_2)
            line = affinities + (8 * k + i) * plane
            tl.store(line + pixel, tl.exp(value - peak) / total, mask=inside)


def _step_work(a: dict[str, int]) -> tuple[int, int]:
    pixels, neighbours = a["h"] * a["w"], 8 * a["dilations_count"]
    return 2 * a["q"] * pixels * neighbours, 4 * pixels * (2 * a["q"] + neighbours)


@triton.jit(launch_metadata=launch_metadata(_step_work))
def _step(
    maps,  # [q, h, w] float32
    affinities,  # [8 * dilations_count, h, w] float32
    dilations,  # [dilations_count]
    refined,  # [q, h, w] float32
    dilations_count,
    q,
    pixels,
    h,
    w,
    BLOCK_Q: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    """Each map's pixel becomes its neighbours' weighted sum; affinities are read once for BLOCK_Q maps."""
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    query = tl.program_id(1).to(tl.int64) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    inside = pixel < pixels
    valid = (query[:, None] < q) & inside[None, :]
    base = query[:, None] * pixels
    total = tl.zeros((BLOCK_Q, BLOCK_P), tl.float32)
    plane = tl.cast(pixels, tl.int64)
    for k in range(dilations_count):
        dilation = tl.load(dilations + k)
        for i in range(8):
            weight = tl.load(affinities + (8 * k + i) * plane + pixel, mask=inside, other=0.0)
            at = _neighbour(pixel, h, w, dilation, i + (i >= 4))
            total += weight[None, :] * tl.load(maps + base + at[None, :], mask=valid, other=0.0)
    tl.store(refined + base + pixel[None, :], total, mask=valid)


AFFINITIES = Kernel(
    name="pamr_affinities",
    function=_affinities,
    signature={"planes": "*fp32", "dilations": "*i32", "affinities": "*fp32"}
    | dict.fromkeys(("dilations_count", "pixels", "h", "w"), "i32"),
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("pixels", "BLOCK_P"),),),
    blocks=lambda arch, dtype: Block({"BLOCK_P": 128}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_affinity_work,
)
STEP = Kernel(
    name="pamr_step",
    function=_step,
    signature={"maps": "*fp32", "affinities": "*fp32", "dilations": "*i32", "refined": "*fp32"}
    | dict.fromkeys(("dilations_count", "q", "pixels", "h", "w"), "i32"),
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("pixels", "BLOCK_P"),), (Factor("q", "BLOCK_Q"),)),
    blocks=lambda arch, dtype: Block({"BLOCK_Q": 16, "BLOCK_P": 128}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_step_work,
)
KERNELS = (AFFINITIES, STEP)


def pamr(
    scores: torch.Tensor, planes: torch.Tensor, *, steps: int, dilations: list[int], launch: Launch
) -> torch.Tensor:
    """Maps [Q, H, W] refined by image planes [3, H, W]; memory is the affinities and two sets of maps."""
    maps = aligned(scores.float())
    if steps == 0:
        return maps.clone()
    q, h, w = maps.shape
    planes = aligned(planes.float())
    shared: dict[str, Any] = {"dilations": upload(np.asarray(dilations, np.int32), maps.device)}
    shared |= {"affinities": maps.new_empty((8 * len(dilations), h, w))}
    shared |= {"dilations_count": len(dilations), "pixels": h * w, "h": h, "w": w}
    launch(AFFINITIES, "fp32", {}, shared | {"planes": planes})
    buffers = [torch.empty_like(maps) for _ in range(min(steps, 2))]
    for step in range(steps):
        refined = buffers[step % 2]
        launch(STEP, "fp32", {}, shared | {"maps": maps, "refined": refined, "q": q})
        maps = refined
    return maps
