"""ClearCLIP: query-query attention, no skip connection, no feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..clip.attention import correlation
from ..clip.transformer import Block
from .base import LastBlockMethod, attend


@dataclass(frozen=True)
class ClearCLIP(LastBlockMethod):
    """y = out_proj(softmax(q qᵀ / √d) v) in the last block, and nothing else.

    The configuration committed with the official code runs ``vanilla`` without residual instead; this is the
    paper's method (``model_type='ClearCLIP'``).
    """

    name = "clearclip"
    source = "Lan et al., ClearCLIP: Decomposing CLIP Representations for Dense Vision-Language Inference, ECCV 2024"

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        q, _, v = block.qkv(x)
        return attend(block, x, correlation(q, q), v, residual=False)
