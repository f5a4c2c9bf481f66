"""Dense features: one call per method name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

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
        images: [B, 3, H, W] float32, normalised with the model's mean and standard deviation.
        text: [Q, D] unit rows, for the methods that look at the words; ignored by the others.

    Returns:
        [B, h·w, D] after LN_post and the projection, class token dropped, rows not normalised.
    """
    if isinstance(method, str):
        from .. import methods

        method = methods.get(method)
    return method.features(visual, images, text)
