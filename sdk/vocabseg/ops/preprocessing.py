"""From a frame to the windows that a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..kernels.common.window_plan import WindowPlan, make_plan
from .arrays import FloatArray, check_plan, image_array
from .exchange import Given
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
    mean: Sequence[float] = MEAN,
    std: Sequence[float] = STD,
    impl: str = "auto",
    threads: int | None = None,
) -> FloatArray:
    """Normalised windows [W, 3, padded_h, padded_w] float32 of an image, uint8 [H, W, 3].

    ``resize`` is ``"bilinear"`` (OpenCV's INTER_LINEAR, no antialias) or ``"bicubic"`` (Pillow's BICUBIC,
    antialiased), both equal to those libraries' uint8 results. ``mean`` and ``std`` are on the 0..255 scale.
    """
    given = Given(image)
    image = image_array(*given.arrays)
    if image.shape[:2] != (check_plan(plan).source_h, plan.source_w):
        raise ShapeError(f"got an image {list(image.shape)} for a plan of {plan.source_h} x {plan.source_w}")
    if resize not in ("bilinear", "bicubic"):
        raise ShapeError(f'resize must be "bilinear" or "bicubic", got {resize!r}')
    normal = {"mean": _channels(mean, "mean"), "std": _channels(std, "std")}
    if min(normal["std"]) <= 0:
        raise ShapeError(f"std must be positive, got {std}")
    return given.back(
        run("preprocess", impl, given.device, image, plan, resize=resize, **normal, threads=threads)
    )


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int | np.integer) else size
    return int(height), int(width)


def _channels(values: Sequence[float], name: str) -> NDArray[np.float32]:
    channels = np.asarray(values, np.float32)
    if channels.shape != (3,) or not np.isfinite(channels).all():
        raise ShapeError(f"{name} must be three finite numbers, got {values}")
    return channels
