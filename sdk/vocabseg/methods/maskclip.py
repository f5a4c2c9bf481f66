"""MaskCLIP (DenseCLIP): the value path of the last block, and its two optional refinements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.attention import merge_heads
from ..clip.transformer import Block
from ..clip.visual import Padding, PositionResize, VisualTransformer
from . import checks
from .base import LastBlockMethod

Head = Literal["official", "identity"]


@dataclass(frozen=True)
class MaskCLIP(LastBlockMethod):
    """Every token attends only to itself in the last block: y = out_proj(v).

    ``head="official"`` is the released ViT code: the skip connection and the feed-forward stay, positions are
    resized to the exact grid, and the picture is padded bottom and right to whole patches. Its published numbers
    also use exact GELU and a layer-norm epsilon of 1e-6, which are arguments of ``clip.load_visual``.
    ``head="identity"`` is what later papers (ClearCLIP, ProxyCLIP) call MaskCLIP: no skip connection, no
    feed-forward, positions as in the SCLIP family.
    """

    name = "maskclip"
    source = "Zhou, Loy, Dai, Extract Free Dense Labels from CLIP, ECCV 2022"

    head: Head = "official"

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.choice(self, "head", ("official", "identity"))

    @property
    def position(self) -> PositionResize:  # type: ignore[override]
        return "size" if self.head == "official" else "offset"

    @property
    def padding(self) -> Padding:  # type: ignore[override]
        return "corner" if self.head == "official" else "none"

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        _, _, v = block.qkv(x)
        y = block.attn.project(v)
        return block.feed_forward(x + y) if self.head == "official" else y

    @torch.inference_mode()
    def keys(self, visual: VisualTransformer, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, h·w, width]: out_proj of the last block's keys, for ``key_smoothing``."""
        x, _ = visual.embed(images, self.position, self.padding)
        for block in visual.blocks[:-1]:
            x = block(x)
        last = visual.blocks[-1]
        return last.attn.out_proj(merge_heads(last.qkv(x)[1]))[:, 1:]


def prompt_denoising(logits: Tensor, threshold: float = 0.5) -> Tensor:
    """Drop the classes that no position is sure of (section 3.3).

    Args:
        logits: [B, C, h, w] cosines.
        threshold: a class whose largest softmax(100 · logits) over positions is lower gets -100 everywhere.
    """
    best = (100 * logits).softmax(dim=1).amax(dim=(2, 3), keepdim=True)
    return torch.where(best < threshold, torch.full_like(logits, -100.0), logits)


def key_smoothing(logits: Tensor, keys: Tensor, threshold: float = 1.0) -> Tensor:
    """Average the predictions of unsure positions over positions with similar keys (section 3.3).

    Args:
        logits: [B, C, h, w] cosines.
        keys: [B, h·w, width], see ``MaskCLIP.keys``.
        threshold: positions whose best probability is lower are replaced.

    Returns:
        [B, C, h, w] probabilities softmax(100 · logits), smoothed where unsure. As in the official code the keys
        are normalised over tokens, not channels, and the weights of the average are not normalised.
    """
    batch, classes, height, width = logits.shape
    probability = (100 * logits).softmax(dim=1).flatten(2)
    unit = F.normalize(keys, dim=1)
    smooth = (unit @ (unit.transpose(1, 2) @ probability.transpose(1, 2))).transpose(1, 2)
    sure = probability.amax(dim=1, keepdim=True) >= threshold
    return torch.where(sure, probability, smooth).reshape(batch, classes, height, width)
