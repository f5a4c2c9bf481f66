"""Multi-head attention in the pieces that the methods of the literature recombine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, N, D] -> [B, heads, N, D / heads]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """[B, heads, N, d] -> [B, N, heads * d]."""
    return x.transpose(1, 2).flatten(2)


def correlation(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(a bᵀ / √d + bias): attention weights of one token set over another.

    Args:
        a, b: [B, heads, N, d]; queries and keys, or any pair of q, k, v.
        bias: broadcastable to [B, heads, N, N]; added after the scale.

    Returns:
        [B, heads, N, N] in the dtype of ``a``. The softmax itself is always taken in float32.
    """
    scores = (a * a.shape[-1] ** -0.5) @ b.transpose(-2, -1)
    scores = scores.float()
    if bias is not None:
        scores = scores + bias
    return scores.softmax(dim=-1).to(a.dtype)


class Attention(nn.Module):
    """The projections of multi-head attention, named as in OpenAI's state dicts."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, N, D] -> q, k, v, each [B, heads, N, D / heads]."""
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        return split_heads(q, self.heads), split_heads(k, self.heads), split_heads(v, self.heads)

    def project(self, y: Tensor) -> Tensor:
        """Per-head outputs [B, heads, N, d] -> [B, N, D]."""
        return self.out_proj(merge_heads(y))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        q, k, v = self.qkv(x)
        return self.project(correlation(q, k, bias) @ v)
