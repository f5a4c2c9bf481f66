"""The contrastive loss, with several right captions a picture."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def contrastive_loss(image: Tensor, text: Tensor, holds: Tensor, logit_scale: Tensor) -> Tensor:
    """Softmax over captions and over pictures; all right answers share the target equally.

    Args:
        image: [B, D] unit rows.
        text: [T, D] unit rows.
        holds: [B, T] bool, caption t says nothing but what picture b's own captions say; every row and
            column has at least one True. With one True each it is CLIP's loss (Radford et al. 2021).
        logit_scale: logarithm of the scale.
    """
    logits = logit_scale.exp() * image @ text.T
    target = holds.float()
    of_captions = -(logits.log_softmax(1) * target).sum(1) / target.sum(1)
    of_pictures = -(F.log_softmax(logits, 0) * target).sum(0) / target.sum(0)
    return (of_captions.mean() + of_pictures.mean()) / 2
