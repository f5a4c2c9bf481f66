"""Score maps that follow the edges of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .arrays import FLOATS, FloatArray, floats, image_array
from .exchange import Given, dtype_name
from .registry import run


def pamr(
    scores: Any,
    image: Any,
    *,
    steps: int = 10,
    dilations: Sequence[int] = (8, 16),
    impl: str = "auto",
    threads: int | None = None,
) -> FloatArray:
    """Score maps [Q, H, W] refined by the image they belong to (pixel-adaptive mask refinement).

    ``image`` is uint8 [H, W, 3], or float planes [3, H, W] of any scale. Each of the ``steps`` replaces a value
    by its neighbours' average, weighted by how like theirs the pixel is; neighbours are the 8 at each of the
    ``dilations``, in pixels. NaN and infinite scores spread, in their own map only, to the pixels that have
    them as neighbours, step by step. Result is float32. Raises ``ShapeError`` where sizes differ.
    Araslanov and Roth, CVPR 2020, section 3.2.
    """
    given = Given(scores, image)
    scores, image = given.arrays
    scores, planes = floats(scores, "scores", 3), _planes(image)
    if planes.shape[1:] != scores.shape[1:] or 0 in scores.shape:
        raise ShapeError(f"got scores {list(scores.shape)} for an image of {list(planes.shape[1:])}")
    dilations = [int(dilation) for dilation in dilations]
    if steps < 0 or not dilations or min(dilations) < 1 or max(dilations) > 4096:
        raise ShapeError(f"got {steps} steps and dilations {dilations}, expected dilations of 1 to 4096")
    settings = {"steps": int(steps), "dilations": dilations, "threads": threads}
    return given.back(run("pamr", impl, given.device, scores, planes, **settings))


def _planes(image: Any) -> Any:
    """An image as planes [3, H, W] of its own type, without a copy."""
    if dtype_name(image) not in FLOATS:
        image = image_array(image)
        return np.moveaxis(image, -1, 0) if isinstance(image, np.ndarray) else image.permute(2, 0, 1)
    planes = floats(image, "image planes", 3)
    if planes.shape[0] != 3:
        raise ShapeError(f"got float image planes {list(planes.shape)}, expected [3, H, W]")
    return planes
