"""PAMR in torch, for the methods whose network contains it; frames are refined by ``vocabseg.ops.pamr``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def pamr(scores: Tensor, images: Tensor, steps: int = 10, dilations: Sequence[int] = (8, 16)) -> Tensor:
    """Score maps [B, Q, H, W] refined by the images [B, 3, H, W] they belong to; see ``kernels/pamr``."""
    around = neighbours(images, dilations)
    centre = images.unsqueeze(2).expand(-1, -1, len(dilations), -1, -1)
    std = torch.cat([around, centre], 2).std(2, keepdim=True)
    distance = (images.unsqueeze(2) - around).abs()
    weights = (-distance / (1e-8 + 0.1 * std)).mean(1, keepdim=True).softmax(2)
    for _ in range(steps):
        scores = (neighbours(scores, dilations) * weights).sum(2)
    return scores


def neighbours(maps: Tensor, dilations: Sequence[int]) -> Tensor:
    """[B, K, H, W] -> [B, K, 8 per dilation, H, W], borders replicated."""
    height, width = maps.shape[2:]
    found = []
    for dilation in dilations:
        padded = F.pad(maps, (dilation,) * 4, mode="replicate")
        for y in (0, dilation, 2 * dilation):
            for x in (0, dilation, 2 * dilation):
                if (y, x) != (dilation, dilation):
                    found.append(padded[:, :, y : y + height, x : x + width])
    return torch.stack(found, 2)
