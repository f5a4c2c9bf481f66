"""CLIPtrase: all three self-correlations in the last block, and an affinity of patches to cluster by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.attention import correlation
from ..clip.transformer import Block
from ..clip.visual import VisualTransformer
from .base import Method, attend

# Of a cluster's map: enlarged so many times, then filtered with a window of so many pixels.
UPSAMPLE, MEDIAN = 4, 7


@dataclass(frozen=True)
class CLIPtrase(Method):
    """y = block with (softmax(q qᵀ / √d) + softmax(k kᵀ / √d) + softmax(v vᵀ / √d)) v, skip connection and MLP kept.

    The block before gives C, the mean over q, k, v and heads of cosines between tokens, and with it the affinity
    W_ij = relu(C_ij - C_cls,j) of patches: what a patch shares with another beyond what all share. Rows of W are
    clustered (DBSCAN with ``eps`` and ``min_samples``; the authors use 0.7 and 3 at 224 pixels, 1.1 and 7 at 336);
    every cluster's mean row, up-sampled and median-filtered, is its map; pixels belong to the cluster whose map
    is largest there, and take the label that most of them have.

    The paper sums the attentions and describes a denoising by W_ii; the released code subtracts the class token's
    row, which is what runs here.
    """

    name = "cliptrase"
    source = "Shao et al., Explore the Potential of CLIP for Training-Free Open Vocabulary Semantic Segmentation, ECCV 2024"

    eps: float = 0.7
    min_samples: int = 3

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        return self.outputs(visual, images)["features"]

    def outputs(self, visual: VisualTransformer, images: Tensor) -> dict[str, Tensor]:
        """``features`` [B, N, D]; ``class_features`` [B, D], the class token's; ``affinity`` W [B, N, N]."""
        x, _ = visual.embed(images, self.position, self.padding)
        for block in visual.blocks[:-2]:
            x = block(x)
        correlations = token_cosines(visual.blocks[-2], x)
        projected = visual.project(last_block(visual.blocks[-1], visual.blocks[-2](x)))
        return {
            "features": projected[:, 1:],
            "class_features": projected[:, 0],
            "affinity": (correlations[:, 1:, 1:] - correlations[:, :1, 1:]).relu(),
        }

    def post_steps(self) -> list[dict[str, Any]]:
        clusters = {"eps": self.eps, "min_samples": self.min_samples}
        return [{"name": "segment_vote", **clusters, "upsample": UPSAMPLE, "median": MEDIAN}]


def last_block(block: Block, x: Tensor) -> Tensor:
    q, k, v = block.qkv(x)
    attention = correlation(q, q) + correlation(k, k) + correlation(v, v)
    return attend(block, x, attention, v, residual=True)


def token_cosines(block: Block, x: Tensor) -> Tensor:
    """Mean over q, k, v and heads of the cosines between tokens, [B, 1 + N, 1 + N]."""
    unit = [F.normalize(tokens, dim=-1) for tokens in block.qkv(x)]
    return torch.stack([tokens @ tokens.transpose(-1, -2) for tokens in unit]).mean((0, 2))
