"""CLIP itself: the baseline whose patch features nobody trained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..clip.attention import correlation
from ..clip.transformer import Block
from .base import LastBlockMethod, attend


@dataclass(frozen=True)
class Vanilla(LastBlockMethod):
    """softmax(q kᵀ / √d) v, as trained.

    ``residual=False`` drops the last block's skip connection and feed-forward (a baseline of ClearCLIP).
    """

    name = "vanilla"
    source = (
        "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021"
    )

    residual: bool = True

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        q, k, v = block.qkv(x)
        return attend(block, x, correlation(q, k), v, self.residual)
