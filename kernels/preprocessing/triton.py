"""Preprocessing on a GPU, with the same integers as the core: bilinear in one pass, bicubic in three."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..common.optional_triton import tl, triton
from ..common.triton_axes import upload
from ..common.triton_kernel import DTYPES, Block, Factor, Kernel, Launch, aligned, launch_metadata
from ..common.window_plan import WindowPlan
from . import reference


def _windows_work(a: dict[str, int]) -> tuple[int, int]:
    values = 3 * a["windows"] * a["padded_pixels"]
    return (12 if a["BILINEAR"] else 1) * values, values * a["itemsize"] + 3 * a["image_pixels"]


@triton.jit(launch_metadata=launch_metadata(_windows_work, "out"))
def _windows(
    image,  # uint8 [h, w, 3] with strides: the source if BILINEAR, else the resized frame
    row_taps,  # [4, net_h]: low and high row, and their weights in 1 / 2048
    col_taps,  # [4, net_w]
    ys,  # [windows / across]: where windows start in the resized frame
    xs,  # [across]
    lookup,  # [3, 256] float32: normalised values
    out,  # [windows, 3, padded_h, padded_w]
    windows,
    across,
    image_pixels,
    net_h,
    net_w,
    window_h,
    window_w,
    padded_pixels,
    padded_w,
    pad_top,
    pad_left,
    row_stride,
    pixel_stride,
    channel_stride,
    BILINEAR: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    window = tl.program_id(0) % windows
    pixel = (tl.program_id(0) // windows) * BLOCK_P + tl.arange(0, BLOCK_P)
    valid = pixel < padded_pixels
    y, x = pixel // padded_w - pad_top, pixel % padded_w - pad_left
    inside = valid & (y >= 0) & (y < window_h) & (x >= 0) & (x < window_w)
    y += tl.load(ys + window // across)
    x += tl.load(xs + window % across)
    if BILINEAR:
        low_row = tl.load(row_taps + y, mask=inside, other=0).to(tl.int64) * row_stride
        high_row = tl.load(row_taps + net_h + y, mask=inside, other=0).to(tl.int64) * row_stride
        row_low_weight = tl.load(row_taps + 2 * net_h + y, mask=inside, other=0)
        row_high_weight = tl.load(row_taps + 3 * net_h + y, mask=inside, other=0)
        low_col = tl.load(col_taps + x, mask=inside, other=0).to(tl.int64) * pixel_stride
        high_col = tl.load(col_taps + net_w + x, mask=inside, other=0).to(tl.int64) * pixel_stride
        col_low_weight = tl.load(col_taps + 2 * net_w + x, mask=inside, other=0)
        col_high_weight = tl.load(col_taps + 3 * net_w + x, mask=inside, other=0)
    else:
        low_row = y.to(tl.int64) * row_stride
        low_col = x.to(tl.int64) * pixel_stride
    for channel in tl.static_range(3):
        plane = image + tl.cast(channel_stride, tl.int64) * channel
        value = tl.load(plane + low_row + low_col, mask=inside, other=0).to(tl.int32)
        if BILINEAR:
            right = tl.load(plane + low_row + high_col, mask=inside, other=0).to(tl.int32)
            below = tl.load(plane + high_row + low_col, mask=inside, other=0).to(tl.int32)
            corner = tl.load(plane + high_row + high_col, mask=inside, other=0).to(tl.int32)
            low = (value * col_low_weight + right * col_high_weight) >> 4
            high = (below * col_low_weight + corner * col_high_weight) >> 4
            value = (((row_low_weight * low) >> 16) + ((row_high_weight * high) >> 16) + 2) >> 2
        normal = tl.load(lookup + channel * 256 + value, mask=inside, other=0.0)
        target = out + (window.to(tl.int64) * 3 + channel) * padded_pixels + pixel
        tl.store(target, normal.to(out.dtype.element_ty), mask=valid)


def _filter_work(a: dict[str, int]) -> tuple[int, int]:
    written = a["values"]
    return 2 * written * a["taps"], written + written // a["length"] * a["size"]


@triton.jit(launch_metadata=launch_metadata(_filter_work))
def _filter(
    source,  # uint8 [outer, size, inner]
    first,  # [length]
    weights,  # [taps, length] int32, in units of 2^-22
    filtered,  # uint8 [outer, length, inner]
    values,
    size,
    length,
    inner,
    taps,
    BLOCK: tl.constexpr,
):
    """Weighted sums along the middle axis, rounded to bytes."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < values
    outer, i, j = at // inner // length, at // inner % length, at % inner
    start = tl.load(first + i, mask=inside, other=0)
    column = source + (outer * size + start) * inner + j
    total = tl.full((BLOCK,), 1 << 21, tl.int32)
    for tap in range(taps):
        weight = tl.load(weights + tap * length + i, mask=inside, other=0)
        value = tl.load(column + tl.cast(tap, tl.int64) * inner, mask=inside & (start + tap < size), other=0)
        total += weight * value.to(tl.int32)
    rounded = tl.minimum(tl.maximum(total >> 22, 0), 255)
    tl.store(filtered + at, rounded.to(tl.uint8), mask=inside)


def _nv12_work(a: dict[str, int]) -> tuple[int, int]:
    return 10 * a["pixels"], 9 * a["pixels"] // 2


@triton.jit(launch_metadata=launch_metadata(_nv12_work))
def _nv12(
    luma,  # uint8 [h, w]
    chroma,  # uint8 [h / 2, w]: u and v in turn
    image,  # uint8 [h, w, 3]
    pixels,
    w,
    BLOCK_P: tl.constexpr,
):
    """OpenCV's COLOR_YUV2RGB_NV12: BT.601 limited range, weights in 2^-20."""
    pixel = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)
    inside = pixel < pixels
    pair = chroma + pixel // w // 2 * w + pixel % w // 2 * 2
    y = tl.maximum(tl.load(luma + pixel, mask=inside, other=0).to(tl.int32) - 16, 0) * 1220542 + (1 << 19)
    u = tl.load(pair, mask=inside, other=0).to(tl.int32) - 128
    v = tl.load(pair + 1, mask=inside, other=0).to(tl.int32) - 128
    target = image + pixel.to(tl.int64) * 3
    for channel in tl.static_range(3):
        if channel == 0:
            value = y + 1673527 * v
        elif channel == 1:
            value = y - 852492 * v - 409993 * u
        else:
            value = y + 2116026 * u
        value = tl.minimum(tl.maximum(value >> 20, 0), 255)
        tl.store(target + channel, value.to(tl.uint8), mask=inside)


WINDOWS = Kernel(
    name="preprocess_windows",
    function=_windows,
    signature={"image": "*u8", "row_taps": "*i32", "col_taps": "*i32", "ys": "*i32", "xs": "*i32"}
    | {"lookup": "*fp32", "out": "*T"}
    | dict.fromkeys(("windows", "across", "image_pixels", "net_h", "net_w", "window_h", "window_w"), "i32")
    | dict.fromkeys(("padded_pixels", "padded_w", "pad_top", "pad_left"), "i32")
    | dict.fromkeys(("row_stride", "pixel_stride", "channel_stride"), "i32"),
    dtypes=("fp32", "fp16", "bf16"),
    variants=({"BILINEAR": 0}, {"BILINEAR": 1}),
    grid=((Factor("windows"), Factor("padded_pixels", "BLOCK_P")),),
    blocks=lambda arch, dtype: Block({"BLOCK_P": 256}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_windows_work,
)
FILTER = Kernel(
    name="preprocess_filter",
    function=_filter,
    signature={"source": "*u8", "first": "*i32", "weights": "*i32", "filtered": "*u8"}
    | dict.fromkeys(("values", "size", "length", "inner", "taps"), "i32"),
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("values", "BLOCK"),),),
    blocks=lambda arch, dtype: Block({"BLOCK": 512}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_filter_work,
)
NV12 = Kernel(
    name="preprocess_nv12",
    function=_nv12,
    signature={"luma": "*u8", "chroma": "*u8", "image": "*u8", "pixels": "i32", "w": "i32"},
    dtypes=("fp32",),
    variants=({},),
    grid=((Factor("pixels", "BLOCK_P"),),),
    blocks=lambda arch, dtype: Block({"BLOCK_P": 512}, num_warps=4, num_stages=1),
    divisible=(),
    uses_dot=False,
    work=_nv12_work,
)
KERNELS = (WINDOWS, FILTER, NV12)


def preprocess(
    frame: tuple[torch.Tensor, ...],
    plan: WindowPlan,
    *,
    resize: str,
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
    dtype: torch.dtype,
    launch: Launch,
) -> torch.Tensor:
    """Normalised windows [W, 3, padded_h, padded_w] of an image uint8 [H, W, 3], or of NV12's two planes."""
    image = frame[0] if len(frame) == 1 else _rgb(frame[0], frame[1], launch)
    device = image.device
    if resize == "bicubic":
        image = _bicubic(image, (plan.net_h, plan.net_w), launch)
    row_taps, col_taps, ys, xs = _tables(plan, device)
    image = image if image.data_ptr() % 16 == 0 else image.clone()
    levels = np.arange(256, dtype=np.float32)
    out = torch.empty((plan.windows, 3, plan.padded_h, plan.padded_w), dtype=dtype, device=device)
    arguments: dict[str, Any] = {
        "image": image,
        "row_taps": row_taps,
        "col_taps": col_taps,
        "ys": ys,
        "xs": xs,
        "lookup": upload((levels - mean[:, None]) / std[:, None], device),
        "out": out,
        "windows": plan.windows,
        "across": len(plan.xs),
        "image_pixels": image.shape[0] * image.shape[1],
        "net_h": plan.net_h,
        "net_w": plan.net_w,
        "window_h": plan.window_h,
        "window_w": plan.window_w,
        "padded_pixels": plan.padded_h * plan.padded_w,
        "padded_w": plan.padded_w,
        "pad_top": plan.pad_top,
        "pad_left": plan.pad_left,
    }
    strides = dict(zip(("row_stride", "pixel_stride", "channel_stride"), image.stride(), strict=True))
    launch(WINDOWS, DTYPES[dtype], {"BILINEAR": int(resize == "bilinear")}, arguments | strides)
    return out


def _rgb(luma: torch.Tensor, chroma: torch.Tensor, launch: Launch) -> torch.Tensor:
    h, w = luma.shape
    image = luma.new_empty((h, w, 3))
    arguments: dict[str, Any] = {
        "luma": aligned(luma),
        "chroma": aligned(chroma),
        "image": image,
        "pixels": h * w,
        "w": w,
    }
    launch(NV12, "fp32", {}, arguments)
    return image


@lru_cache(maxsize=8)
def _tables(plan: WindowPlan, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Bilinear taps of rows and columns [4, length], and where windows start."""
    rows = reference._bilinear_taps(plan.source_h, plan.net_h, keep_border_fraction=True)
    cols = reference._bilinear_taps(plan.source_w, plan.net_w, keep_border_fraction=False)
    tables = (np.stack(rows), np.stack(cols), np.array(plan.ys), np.array(plan.xs))
    return tuple(upload(table.astype(np.int32), device) for table in tables)


def _bicubic(image: torch.Tensor, size: tuple[int, int], launch: Launch) -> torch.Tensor:
    """Pillow's bicubic resize, in its order of passes."""
    fall = (image.shape[0] - size[0], image.shape[1] - size[1])
    axes = (0, 1) if fall[0] > max(0, 2 * fall[1]) else (1, 0)
    for axis in axes:
        image = _filter_axis(image, axis, size[axis], launch)
    return image


def _filter_axis(image: torch.Tensor, axis: int, length: int, launch: Launch) -> torch.Tensor:
    shape = list(image.shape)
    size, shape[axis] = shape[axis], length
    filtered = image.new_empty(shape)
    first, weights = _filters(size, length, image.device)
    arguments: dict[str, Any] = {
        "source": aligned(image),
        "first": first,
        "weights": weights,
        "filtered": filtered,
    }
    sizes = {"values": filtered.numel(), "size": size, "length": length, "taps": len(weights)}
    sizes |= {"inner": 3 * shape[1] if axis == 0 else 3}
    launch(FILTER, "fp32", {}, arguments | sizes)
    return filtered


@lru_cache(maxsize=16)
def _filters(size: int, length: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """First pixel [length] and weights [taps, length] of each filter, padded with weights of zero."""
    filters = reference._bicubic_filters(size, length)
    weights = np.zeros((max(len(taps) for _, taps in filters), length), np.int32)
    for i, (_, taps) in enumerate(filters):
        weights[: len(taps), i] = taps
    first = np.array([start for start, _ in filters], np.int32)
    return upload(first, device), upload(weights, device)
