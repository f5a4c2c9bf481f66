"""The demo model's sizes, and the towers' forward passes as training runs them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip import (
    CLIP,
    TextConfig,
    TextTransformer,
    VisualConfig,
    VisualTransformer,
    initialize,
)
from ..clip.text import causal_bias
from ..clip.transformer import Block

CONTEXT_LENGTH = 32
HEAD_WIDTH = 64
PATCH = 16


def demo_clip(
    vocab_size: int,
    grid: int,
    width: int = 192,
    layers: int = 6,
    text_width: int = 128,
    text_layers: int = 2,
    embed_dim: int = 128,
    seed: int = 0,
) -> CLIP:
    """A new small CLIP with random weights, patch 16."""
    visual = VisualConfig(width, layers, width // HEAD_WIDTH, PATCH, grid, embed_dim, 4 * width)
    text = TextConfig(
        text_width,
        text_layers,
        text_width // HEAD_WIDTH,
        CONTEXT_LENGTH,
        vocab_size,
        embed_dim,
        4 * text_width,
    )
    return initialize(CLIP(VisualTransformer(visual), TextTransformer(text)), seed)


def attend(
    block: Block, x: Tensor, queries: int | None = None, bias: Tensor | None = None, mlp: bool = True
) -> Tensor:
    """A block for the first `queries` tokens (all by default), which attend to every token.

    Equal to `block(x, bias)[:, :queries]`, less the feed-forward if `mlp` is false. The attention itself is taken in float32: PyTorch's bfloat16
    attention on CPUs is slower backwards than all matrix products of the model together.
    """
    q, k, v = (t.float() for t in block.qkv(x))
    with torch.autocast("cpu", enabled=False):
        y = F.scaled_dot_product_attention(q[:, :, :queries], k, v, attn_mask=bias)
    x = x[:, :queries] + block.attn.project(y)
    return block.feed_forward(x) if mlp else x


def encode_patches(
    visual: VisualTransformer,
    patches: Tensor,
    kept: Tensor,
    read_late: bool = False,
    skip_last_mlp: bool = False,
) -> Tensor:
    """The class token's embedding from some patches only (Li et al. 2023, FLIP).

    Args:
        patches: [B, K, 3·p·p] normalised pixels.
        kept: [B, K] positions of these patches in the native grid.
        read_late: the class token looks at the patches in the last block only, so that the patches themselves
            must hold what the caption says.
        skip_last_mlp: leave out the last block's feed-forward (stochastic depth), so that the last attention's
            output alone must match the caption.

    Returns:
        [B, embed_dim], not normalised. With every patch kept, and no flag, it equals `visual(images)`.
    """
    x = patches @ visual.conv1.weight.flatten(1).T
    positions = visual.positional_embedding
    x = x + positions[1:][kept]
    first = (visual.class_embedding + positions[0]).expand(len(x), 1, -1)
    x = visual.ln_pre(torch.cat([first, x], 1))
    bias = class_token_alone(x.shape[1]) if read_late else None
    for block in visual.blocks[:-1]:
        x = attend(block, x, bias=bias)
    x = attend(visual.blocks[-1], x, queries=1, mlp=not skip_last_mlp)  # only the class token is read
    return visual.project(x[:, 0])


def class_token_alone(tokens: int) -> Tensor:
    """[tokens, tokens] attention bias: the class token sees itself only, the others see everything."""
    bias = torch.zeros(tokens, tokens)
    bias[0, 1:] = float("-inf")
    return bias


def encode_tokens(text: TextTransformer, tokens: Tensor) -> Tensor:
    """`text(tokens)` through `attend`: [T, embed_dim], not normalised."""
    length = tokens.shape[1]
    x = text.token_embedding(tokens) + text.positional_embedding[:length]
    bias = causal_bias(length)
    for block in text.transformer.blocks:
        x = attend(block, x, bias=bias)
    x = text.ln_final(x)
    return x[torch.arange(len(x)), tokens.argmax(-1)] @ text.text_projection
