"""Checks and conversions that all implementations share, so that bad input fails alike everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.common.window_plan import WindowPlan, make_plan
from .exchange import dtype_name

FloatArray = NDArray[np.floating]
# Row and column numbers are 32-bit, and so are products of two sides.
MAX_SIDE = 1 << 15
# Byte offsets within a row of a frame are 32-bit.
MAX_FRAME_SIDE = 1 << 24
FLOATS = ("float32", "float16", "bfloat16", "float64")


def floats(array: Any, name: str, *dims: int) -> Any:
    """``array`` itself, if it is of a float type and one of the given numbers of dimensions.

    A NumPy array, or a torch tensor on a GPU; other things are read as NumPy arrays.
    """
    array = array if hasattr(array, "dtype") else np.asarray(array)
    if dtype_name(array) not in FLOATS:
        raise ShapeError(
            f"got {name} of dtype {dtype_name(array)}, expected one of {', '.join(FLOATS)}: convert it first"
        )
    if array.ndim not in dims:
        expected = " or ".join(map(str, dims))
        raise ShapeError(f"got {name} of shape {list(array.shape)}, expected {expected} dimensions")
    return array


def float32(array: Any) -> Any:
    """A NumPy array that the core's float32 bodies take as it is, or read as they convert it."""
    return array.astype(np.float32) if dtype_name(array) == "bfloat16" else array


def float_bits(array: Any) -> tuple[NDArray[Any], str]:
    """A NumPy array as the core's bodies for every float type take it: float32, or 16 bits as uint16; its type."""
    name = dtype_name(array)
    if name in ("float16", "bfloat16"):
        return array.view(np.uint16), name
    return array.astype(np.float32, copy=False), "float32"


def integers(array: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.integer]:
    """``array`` as integers of the given shape."""
    array = np.asarray(array)
    if array.dtype.kind not in "iu" or array.shape != shape:
        raise ShapeError(
            f"got {name} {array.dtype}{list(array.shape)}, expected integers of shape {list(shape)}"
        )
    return array


def size_pair(size: Sequence[int] | None, plan: WindowPlan | None) -> tuple[int, int]:
    """An output size (H, W); None means the plan's source."""
    if size is None:
        if plan is None:
            raise ShapeError("an output size (H, W) is needed where there is no plan")
        return plan.source_h, plan.source_w
    height, width = (int(side) for side in size)
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ShapeError(f"got an output of {height} x {width}, expected sides of 1 to {MAX_SIDE}")
    return height, width


def check_plan(plan: WindowPlan) -> WindowPlan:
    """``plan`` itself, if its lengths are positive and its windows cover the resized frame and no more."""
    axes = (
        (plan.source_h, plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.ys, plan.grid_h),
        (plan.source_w, plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.xs, plan.grid_w),
    )
    for source, net, window, padded, pad, starts, grid in axes:
        steps = np.diff(starts)
        positive = min(source, net, window, grid) > 0 and pad >= 0 and pad + window <= padded
        covered = len(starts) > 0 and starts[0] == 0 and starts[-1] + window == net
        if not (positive and covered and (steps > 0).all() and (steps <= window).all()):
            raise ShapeError(f"windows must lie inside the resized frame and cover it; got {plan}")
    return plan


def plan_of_grid(grid: tuple[int, int], size: tuple[int, int]) -> WindowPlan:
    """One window: a patch grid stretched over ``size``."""
    if min(grid) < 1:
        raise ShapeError(f"got a patch grid of {grid[0]} x {grid[1]}, expected at least 1 x 1")
    return make_plan(size, net=size, crop=size, stride=size, grid=grid)


def image_array(image: Any) -> Any:
    """``image`` as uint8 [H, W, 3], any strides: a NumPy array, or a torch tensor on a GPU."""
    image = image if hasattr(image, "dtype") else np.asarray(image)
    shape = tuple(image.shape)
    fits = dtype_name(image) == "uint8" and len(shape) == 3 and shape[2] == 3
    if not fits or 0 in shape or max(shape) > MAX_FRAME_SIDE:
        raise ShapeError(
            f"got an image {dtype_name(image)}{list(shape)}, expected uint8 [H, W, 3] with sides of at most "
            f"{MAX_FRAME_SIDE}"
        )
    return image


def expect(value: str, name: str, *choices: str) -> None:
    """Raise ``ShapeError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        listed = ", ".join(f'"{choice}"' for choice in choices)
        raise ShapeError(f"got {name} {value!r}, expected one of {listed}")
