"""The pair of towers, and how a new pair is initialised."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .text import TextTransformer
from .transformer import Transformer
from .visual import VisualTransformer


class CLIP(nn.Module):
    """Both towers and the learned temperature (a logarithm, as CLIP trains it)."""

    def __init__(self, visual: VisualTransformer, text: TextTransformer) -> None:
        super().__init__()
        self.visual = visual
        self.text = text
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Unit image embeddings [B, D] and unit text embeddings [T, D]."""
        image, text = self.visual(images), self.text(tokens)
        return nn.functional.normalize(image, dim=-1), nn.functional.normalize(text, dim=-1)


@torch.no_grad()
def initialize(model: CLIP, seed: int = 0) -> CLIP:
    """Random weights with the standard deviations of CLIP's own training (Radford et al. 2021)."""
    generator = torch.Generator().manual_seed(seed)
    visual, text = model.visual, model.text
    scale = visual.config.width**-0.5
    normal(visual.class_embedding, scale, generator)
    normal(visual.positional_embedding, scale, generator)
    normal(visual.proj, scale, generator)
    normal(visual.conv1.weight, (3 * visual.config.patch_size**2) ** -0.5, generator)
    normal(text.token_embedding.weight, 0.02, generator)
    normal(text.positional_embedding, 0.01, generator)
    normal(text.text_projection, text.config.width**-0.5, generator)
    initialize_blocks(visual.transformer, visual.config.width, generator)
    initialize_blocks(text.transformer, text.config.width, generator)
    return model


def initialize_blocks(transformer: Transformer, width: int, generator: torch.Generator) -> None:
    """Residual projections shrink with depth, so that the sum over blocks keeps its scale."""
    residual = width**-0.5 * (2 * len(transformer.blocks)) ** -0.5
    for block in transformer.blocks:
        normal(block.attn.in_proj_weight, width**-0.5, generator)
        normal(block.attn.out_proj.weight, residual, generator)
        normal(block.mlp.c_fc.weight, (2 * width) ** -0.5, generator)
        normal(block.mlp.c_proj.weight, residual, generator)
        for bias in (block.attn.in_proj_bias, block.attn.out_proj.bias):
            bias.zero_()
        for linear in (block.mlp.c_fc, block.mlp.c_proj):
            linear.bias.zero_()


def normal(parameter: Tensor, std: float, generator: torch.Generator) -> None:
    parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
