"""CLIP's vision transformer with its trunk open: embed, blocks, project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import VisualConfig
from .transformer import Block, LayerNorm, Transformer

PositionResize = Literal["offset", "size"]
Padding = Literal["none", "corner"]


class VisualTransformer(nn.Module):
    """A CLIP ViT (Dosovitskiy et al. 2021; Radford et al. 2021), parameters named as in OpenAI's state dicts."""

    def __init__(self, config: VisualConfig) -> None:
        super().__init__()
        self.config = config
        width, patch = config.width, config.patch_size
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(config.grid**2 + 1, width))
        self.ln_pre = LayerNorm(width, eps=config.eps)
        self.transformer = Transformer(
            width, config.layers, config.heads, config.mlp_width, config.activation, config.eps
        )
        self.ln_post = LayerNorm(width, eps=config.eps)
        self.proj = nn.Parameter(torch.empty(width, config.embed_dim))

    @property
    def blocks(self) -> Sequence[Block]:
        """The transformer's blocks, first to last."""
        return self.transformer.blocks

    def embed(
        self, images: Tensor, position: PositionResize = "offset", padding: Padding = "none"
    ) -> tuple[Tensor, tuple[int, int]]:
        """Normalised images to the tokens that enter the first block.

        Args:
            images: [B, 3, H, W].
            position: how the position embedding is resized, see ``resize_positions``.
            padding: ``none`` drops the remainder of a side that the patch does not divide, as a strided
                convolution does; ``corner`` pads bottom and right with zeros up to the next patch.

        Returns:
            tokens [B, 1 + h·w, D], class token first, and the grid (h, w).
        """
        if padding == "corner":
            patch = self.config.patch_size
            images = F.pad(images, (0, -images.shape[3] % patch, 0, -images.shape[2] % patch))
        patches = self.conv1(images)
        grid = (patches.shape[2], patches.shape[3])
        patches = patches.flatten(2).transpose(1, 2)
        class_token = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        x = torch.cat([class_token, patches], dim=1)
        return self.ln_pre(x + self.positions(grid, position).to(x.dtype)), grid

    def positions(self, grid: tuple[int, int], position: PositionResize = "offset") -> Tensor:
        """Position embedding [1 + h·w, D] for a grid; the class token's row is never resized."""
        native = self.config.grid
        if grid == (native, native):
            return self.positional_embedding
        first, rest = self.positional_embedding[:1], self.positional_embedding[1:]
        table = rest.T.reshape(1, -1, native, native).float()
        resized = resize_positions(table, grid, position).to(rest.dtype)
        return torch.cat([first, resized.flatten(2)[0].T])

    def project(self, x: Tensor) -> Tensor:
        """Tokens after the last block to the joint space: LN_post, then the projection."""
        return self.ln_post(x) @ self.proj

    def forward(self, images: Tensor) -> Tensor:
        """CLIP's image embedding [B, embed_dim]: the projected class token, not normalised."""
        x, _ = self.embed(images)
        return self.project(self.transformer(x)[:, 0])


def resize_positions(table: Tensor, grid: tuple[int, int], position: PositionResize) -> Tensor:
    """Bicubic resize of a position table [1, D, g, g] to [1, D, h, w], without antialiasing.

    ``offset`` samples with the scale ((h + 0.1) / g, (w + 0.1) / g), as DINO introduced it and the SCLIP
    family took it over; ``size`` samples with (h / g, w / g), as mmsegmentation does. The two differ by up
    to 0.04 in a cosine. A non-square grid with the native token count is resized too, where the official
    code of the SCLIP family compares only counts and silently leaves the table as it is.
    """
    if position == "size":
        return F.interpolate(table, size=grid, mode="bicubic", align_corners=False)
    native = table.shape[-1]
    scale = ((grid[0] + 0.1) / native, (grid[1] + 0.1) / native)
    return F.interpolate(table, scale_factor=scale, mode="bicubic", align_corners=False)
