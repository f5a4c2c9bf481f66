"""The demo model's sizes, and the image tower's forward pass over a part of the patches."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clip import CLIP, TextConfig, TextTransformer, VisualConfig, VisualTransformer, initialize

CONTEXT_LENGTH = 32
HEAD_WIDTH = 64


def demo_clip(vocab_size: int, grid: int, width: int = 192, layers: int = 6, text_width: int = 128,
              text_layers: int = 3, embed_dim: int = 128, mlp_ratio: int = 4, seed: int = 0) -> CLIP:  # fmt: skip
    """A new small CLIP with random weights, patch 16."""
    visual = VisualConfig(width, layers, width // HEAD_WIDTH, 16, grid, embed_dim, mlp_ratio * width)
    text = TextConfig(text_width, text_layers, text_width // HEAD_WIDTH, CONTEXT_LENGTH, vocab_size, embed_dim,
                      4 * text_width)  # fmt: skip
    return initialize(CLIP(VisualTransformer(visual), TextTransformer(text)), seed)


def encode_patches(visual: VisualTransformer, patches: Tensor, kept: Tensor) -> Tensor:
    """The class token's embedding from some patches only (Li et al. 2023, FLIP).

    Args:
        patches: [B, K, 3·p·p] normalised pixels.
        kept: [B, K] positions of these patches in the native grid.

    Returns:
        [B, embed_dim], not normalised. With every patch kept it equals `visual(images)`.
    """
    x = patches @ visual.conv1.weight.flatten(1).T
    positions = visual.positional_embedding
    x = x + positions[1:][kept]
    first = (visual.class_embedding + positions[0]).expand(len(x), 1, -1)
    x = visual.ln_pre(torch.cat([first, x], 1))
    return visual.project(visual.transformer(x)[:, 0])
