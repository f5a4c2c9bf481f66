"""What the published pipelines do with PyTorch, op by op: the peers of ``bench.kernels``.

Plainly written, whole arrays at full resolution, as in the SCLIP family's segmentors. They are also correct: the
benchmark compares their results with ours before it times them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

Tensor = torch.Tensor


def similarity(features: Tensor, text: Tensor) -> Tensor:
    """[N, D], [Q, D] -> [Q, N]"""
    return (F.normalize(features, dim=-1) @ text.T).T


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """[K, h, w] -> [K, H, W]"""
    return F.interpolate(maps[None], tuple(size), mode="bilinear")[0]


def decode_labels(
    scores: Tensor, net: Sequence[int], size: Sequence[int], query_to_class: Tensor, logit_scale: float
) -> tuple[Tensor, Tensor]:
    """Scores [Q, h, w] to labels [H, W] and the best class's probability, through the network's input size."""
    probabilities = (logit_scale * resize(resize(scores, net), size)).softmax(0)
    classes = int(query_to_class.max()) + 1
    if classes < len(query_to_class):
        one_hot = F.one_hot(query_to_class).T[:, :, None, None]
        probabilities = (probabilities[None] * one_hot).amax(1)
    best, labels = probabilities.max(0)
    return labels, best


def mask_pool(features: Tensor, masks: Tensor) -> Tensor:
    """[h, w, D], bool [M, H, W] -> [M, D], by one product over all pixels."""
    pixels = resize(features.permute(2, 0, 1).contiguous(), masks.shape[1:]).flatten(1)
    weights = masks.float().flatten(1)
    return weights @ pixels.T / weights.sum(1).clamp(min=1)[:, None]


def segment_pool(features: Tensor, labels: Tensor, count: int) -> Tensor:
    """[h, w, D], int [H, W] -> [count, D], by adding every pixel's features to its segment."""
    pixels = resize(features.permute(2, 0, 1).contiguous(), labels.shape).flatten(1).T
    ids = labels.flatten().long()
    sums = torch.zeros(count, features.shape[2]).index_add_(0, ids, pixels)
    return sums / torch.bincount(ids, minlength=count).clamp(min=1)[:, None]


def correlative_attention(q: Tensor, k: Tensor, v: Tensor, terms: Sequence[str]) -> Tensor:
    """[B, h, N, d] each -> [B, h, N, d], with the attention matrices written out."""
    named = {"q": q, "k": k, "v": v}
    scale = q.shape[-1] ** -0.5
    weights = sum(
        torch.softmax(scale * named[term[0]] @ named[term[1]].transpose(-1, -2), -1) for term in terms
    )
    return weights @ v


def pamr(scores: Tensor, image: Tensor, steps: int, dilations: Sequence[int]) -> Tensor:
    """[Q, H, W], [3, H, W] -> [Q, H, W], with all neighbours of all maps in memory."""
    around = neighbours(image, dilations)
    centre = image[:, None].expand(-1, len(dilations), -1, -1)
    std = torch.cat([around, centre], 1).std(1, keepdim=True)
    affinity = (-(image[:, None] - around).abs() / (1e-8 + 0.1 * std)).mean(0).softmax(0)
    for _ in range(steps):
        scores = (neighbours(scores, dilations) * affinity).sum(1)
    return scores


def neighbours(maps: Tensor, dilations: Sequence[int]) -> Tensor:
    """[K, H, W] -> [K, 8 per dilation, H, W], borders replicated."""
    height, width = maps.shape[1:]
    found = []
    for dilation in dilations:
        padded = F.pad(maps[None], [dilation] * 4, mode="replicate")[0]
        offsets = [(y, x) for y in (0, 1, 2) for x in (0, 1, 2) if (y, x) != (1, 1)]
        for y, x in offsets:
            found.append(padded[:, y * dilation :, x * dilation :][:, :height, :width])
    return torch.stack(found, 1)
