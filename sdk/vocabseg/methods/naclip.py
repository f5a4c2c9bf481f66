"""NACLIP: key-key attention that prefers a patch's neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.attention import correlation
from ..clip.transformer import Block
from . import checks
from .base import LastBlockMethod, attend


@dataclass(frozen=True)
class NACLIP(LastBlockMethod):
    """y = out_proj(softmax(k kᵀ / √d + ω) v), ω a Gaussian of the distance between two patches.

    ``std`` is in patches; ``None`` leaves ω out. The paper's "reduced" architecture has no skip connection and
    no feed-forward; ``residual=True`` keeps them ("vanilla" architecture of the official code).
    """

    name = "naclip"
    source = "Hajimiri, Ben Ayed, Dolz, Pay Attention to Your Neighbours, WACV 2025"

    std: float | None = 5.0
    residual: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.std is not None:
            checks.positive(self, "std")

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        _, k, v = block.qkv(x)
        bias = None if self.std is None else gaussian_bias(grid, self.std).to(x.device)
        return attend(block, x, correlation(k, k, bias), v, self.residual)


def gaussian_bias(grid: tuple[int, int], std: float) -> Tensor:
    """ω [1 + h·w, 1 + h·w]: exp(-((i - m)² + (j - n)²) / (2 std²)), peak 1; class token's row and column 0."""
    height, width = grid
    rows, cols = gaussian(height, std), gaussian(width, std)
    bias = torch.einsum("im,jn->ijmn", rows, cols).reshape(height * width, height * width)
    return F.pad(bias, (1, 0, 1, 0))


def gaussian(length: int, std: float) -> Tensor:
    position = torch.arange(length, dtype=torch.float32)
    return torch.exp(-((position[:, None] - position[None]) ** 2) / (2 * std**2))
