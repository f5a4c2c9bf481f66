"""From a frame to the windows that a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.common.window_plan import WindowPlan, make_plan
from .arrays import MAX_FRAME_SIDE, FloatArray, check_plan, expect, image_array
from .exchange import Given, dtype_name
from .registry import run

# CLIP's own, on the 0..255 scale, in the digits that the SCLIP family writes.
MEAN = (122.771, 116.746, 104.094)
STD = (68.501, 66.632, 70.323)


def window_plan(
    size: Sequence[int],
    *,
    crop: int | Sequence[int],
    stride: int | Sequence[int],
    patch: int,
    pad: bool = False,
    source: Sequence[int] | None = None,
) -> WindowPlan:
    """Windows of ``crop`` pixels every ``stride`` over a frame that is resized to ``size`` (H, W).

    ``pad`` zero-pads windows to whole patches; otherwise the patch grid is stretched over the window, so a
    remainder of pixels that the patch does not divide is lost to the network. ``source`` is the frame's size
    before resizing (None: ``size``).
    """
    net, crop, stride = _pair(size), _pair(crop), _pair(stride)
    if min(*net, *crop, *stride, patch) < 1:
        raise ShapeError(
            f"size, crop, stride and patch must be positive, got {net}, {crop}, {stride}, {patch}"
        )
    window = (min(crop[0], net[0]), min(crop[1], net[1]))
    padded = (-(-window[0] // patch) * patch, -(-window[1] // patch) * patch) if pad else window
    grid = (max(padded[0] // patch, 1), max(padded[1] // patch, 1))
    frame = net if source is None else _pair(source)
    return check_plan(make_plan(frame, net=net, crop=crop, stride=stride, grid=grid, padded=padded))


def preprocess(
    image: Any,
    plan: WindowPlan,
    *,
    resize: str = "bilinear",
    format: str = "hwc",
    channels: str = "rgb",
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    dtype: str = "float32",
    impl: str = "auto",
    threads: int | None = None,
) -> FloatArray:
    """Normalised windows [W, 3, padded_h, padded_w] of a frame; their channels are red, green, blue.

    ``image`` is uint8 [H, W, 3] (``format="hwc"``) with ``channels`` ``"rgb"`` or ``"bgr"``, any strides; or,
    with ``format="nv12"``, uint8 [3H/2, W], or its two planes: luma [H, W] and chroma [H/2, W]. NV12 is BT.601
    in its limited range, converted as OpenCV's ``COLOR_YUV2RGB_NV12`` does; its sides must be even.

    ``resize`` is ``"bilinear"`` (OpenCV's INTER_LINEAR, no antialias) or ``"bicubic"`` (Pillow's BICUBIC,
    antialiased), both equal to those libraries' uint8 results. ``mean`` and ``std`` are of red, green and blue
    on the 0..255 scale. ``dtype`` is ``"float32"``, ``"float16"`` or ``"bfloat16"``, rounded to nearest, ties
    to even.
    """
    given = Given(*image) if isinstance(image, tuple | list) else Given(image)
    frame, size = _frame(given.arrays, format, channels)
    if size != (check_plan(plan).source_h, plan.source_w):
        raise ShapeError(f"got a frame {list(size)} for a plan of {plan.source_h} x {plan.source_w}")
    expect(resize, "resize", "bilinear", "bicubic")
    expect(dtype, "dtype", "float32", "float16", "bfloat16")
    normal = {"mean": _channels(mean, "mean"), "std": _channels(std, "std")}
    if min(normal["std"]) <= 0:
        raise ShapeError(f"std must be positive, got {std}")
    settings = {"resize": resize, "dtype": dtype, "threads": threads}
    return given.back(run("preprocess", impl, given.device, frame, plan, **normal, **settings))


def _frame(arrays: list[Any], format: str, channels: str) -> tuple[Any, tuple[int, int]]:
    """The frame as implementations take it, uint8 [H, W, 3] in RGB or a tuple of NV12 planes; and its size."""
    expect(format, "format", "hwc", "nv12")
    expect(channels, "channels", "rgb", "bgr")
    if format == "nv12":
        if channels != "rgb":
            raise ShapeError('an NV12 frame has no channel order: leave channels at "rgb"')
        luma, chroma = _nv12_planes(arrays)
        return (luma, chroma), (luma.shape[0], luma.shape[1])
    if len(arrays) != 1:
        raise ShapeError(f'got {len(arrays)} planes, expected one uint8 [H, W, 3], or format="nv12"')
    image = image_array(arrays[0])
    size = (image.shape[0], image.shape[1])
    if channels == "rgb":
        return image, size
    return image[..., ::-1] if isinstance(image, np.ndarray) else image.flip(-1), size


def _nv12_planes(arrays: list[Any]) -> tuple[Any, Any]:
    """Luma [H, W] and chroma [H / 2, W] of one array [3H / 2, W] or of two planes."""
    shapes = [list(array.shape) for array in arrays]
    if any(dtype_name(array) != "uint8" for array in arrays) or len(arrays) > 2:
        raise ShapeError(
            f"got {shapes} as NV12, expected uint8 [3H/2, W], or luma [H, W] and chroma [H/2, W]"
        )
    if len(arrays) == 1 and arrays[0].ndim == 2 and arrays[0].shape[0] % 3 == 0:
        rows = arrays[0].shape[0] // 3 * 2
        arrays = [arrays[0][:rows], arrays[0][rows:]]
    if len(arrays) == 2 and arrays[1].ndim == 3:  # [H / 2, W / 2, (u, v)]
        arrays = [arrays[0], arrays[1].reshape(arrays[1].shape[0], -1)]
    if len(arrays) == 2 and arrays[0].ndim == arrays[1].ndim == 2:
        (height, width), chroma = arrays[0].shape, tuple(arrays[1].shape)
        even = height > 0 and width > 0 and height % 2 == width % 2 == 0
        if even and max(height, width) <= MAX_FRAME_SIDE and chroma == (height // 2, width):
            return arrays[0], arrays[1]
    raise ShapeError(
        f"got NV12 of shape {shapes}, expected [3H/2, W], or luma [H, W] and chroma [H/2, W], with even sides "
        f"of at most {MAX_FRAME_SIDE}"
    )


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int | np.integer) else size
    return int(height), int(width)


def _channels(values: Sequence[float], name: str) -> NDArray[np.float32]:
    channels = np.asarray(values, np.float32)
    if channels.shape != (3,) or not np.isfinite(channels).all():
        raise ShapeError(f"{name} must be three finite numbers, got {values}")
    return channels
