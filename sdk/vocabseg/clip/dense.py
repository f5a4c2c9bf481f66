"""Dense features: one call per method name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import ShapeError
from .visual import VisualTransformer

if TYPE_CHECKING:
    from ..methods.base import Method


@torch.inference_mode()
def dense_features(
    visual: VisualTransformer, method: Method | str, images: Tensor, text: Tensor | None = None
) -> Tensor:
    """Patch features of a method of the literature.

    Args:
        visual: the vision tower, see ``load_visual``.
        method: a name (``"sclip"``) or a configured method (``methods.get("naclip", std=5.0)``).
        images: [B, 3, H, W] float32, normalised with the model's mean and standard deviation; at least one patch.
        text: [Q, D] unit rows, for the methods that look at the words; ignored by the others.

    Returns:
        [B, h·w, D] after LN_post and the projection, class token dropped, rows not normalised. An image that
        holds NaN has NaN features; those of the batch's other images are as without it.

    Raises:
        ValueError: no method of this name.
        ShapeError: images or text of another shape, or a model or image too small for the method.
    """
    if isinstance(method, str):
        from .. import methods

        method = methods.get(method)
    patch = visual.config.patch_size
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < patch or len(images) == 0:
        raise ShapeError(f"got images {list(images.shape)}, expected [B, 3, H, W], sides of at least {patch}")
    width = visual.config.embed_dim
    if text is not None and method.uses_text and (text.ndim != 2 or text.shape[1] != width or len(text) == 0):
        raise ShapeError(f"got text {list(text.shape)}, expected at least one row of {width}, [Q, {width}]")
    return method.features(visual, images, text)
