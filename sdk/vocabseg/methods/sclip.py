"""SCLIP: correlative self-attention."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..clip.attention import correlation
from ..clip.transformer import Block
from .base import LastBlockMethod, attend


@dataclass(frozen=True)
class SCLIP(LastBlockMethod):
    """A = softmax(q qᵀ / √d) + softmax(k kᵀ / √d) in the last block.

    The two maps are summed, so rows of A sum to 2, as in the official code. Skip connection and feed-forward
    stay; ``residual=False`` drops them (ClearCLIP's reading, "SCLIP + ClearCLIP" in its tables).
    """

    name = "sclip"
    source = (
        "Wang, Mei, Yuille, SCLIP: Rethinking Self-Attention for Dense Vision-Language Inference, ECCV 2024"
    )

    residual: bool = True

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        q, k, v = block.qkv(x)
        return attend(block, x, correlation(q, q) + correlation(k, k), v, self.residual)
