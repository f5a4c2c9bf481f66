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
from ..errors import ShapeError
from . import checks
from .base import Method, attend

# Of a cluster's map: enlarged so many times, then filtered with a window of so many pixels.
UPSAMPLE, MEDIAN = 4, 7
RULES = ("majority", "mean")


@dataclass(frozen=True)
class CLIPtrase(Method):
    """y = block with (softmax(q qᵀ / √d) + softmax(k kᵀ / √d) + softmax(v vᵀ / √d)) v, skip connection and MLP kept.

    The block before gives C, the mean over q, k, v and heads of cosines between tokens, and with it the affinity
    W_ij = relu(C_ij - C_cls,j) of patches: what a patch shares with another beyond what all share. Rows of W are
    clustered (DBSCAN with ``eps`` and ``min_samples``; the authors use 0.7 and 3 at 224 pixels, 1.1 and 7 at 336);
    every cluster's mean row, up-sampled and median-filtered, is its map; pixels belong to the cluster whose map
    is largest there, and take the label that most of them have (``rule="mean"``, the official code's second
    path: the best of their mean scores). With ``class_token``, as the authors do on VOC20, scores are multiplied by
    those of the class token.

    The paper sums the attentions and describes a denoising by W_ii; the released code subtracts the class token's
    row, which is what runs here.
    """

    name = "cliptrase"
    source = "Shao et al., Explore the Potential of CLIP for Training-Free Open Vocabulary Semantic Segmentation, ECCV 2024"

    eps: float = 0.7
    min_samples: int = 3
    rule: str = "majority"
    class_token: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.positive(self, "eps")
        checks.whole(self, "min_samples", least=1)
        checks.choice(self, "rule", RULES)

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        return self.outputs(visual, images)["features"]

    def outputs(self, visual: VisualTransformer, images: Tensor) -> dict[str, Tensor]:
        """``features`` [B, N, D]; ``affinity`` W [B, N, N]; with ``class_token`` also ``class_features`` [B, D]."""
        if len(visual.blocks) < 2:
            raise ShapeError("cliptrase reads the last two blocks; this model has one")
        x, _ = visual.embed(images, self.position, self.padding)
        for block in visual.blocks[:-2]:
            x = block(x)
        correlations = token_cosines(visual.blocks[-2], x)
        projected = visual.project(last_block(visual.blocks[-1], visual.blocks[-2](x)))
        outputs = {
            "features": projected[:, 1:],
            "affinity": (correlations[:, 1:, 1:] - correlations[:, :1, 1:]).relu(),
        }
        if self.class_token:
            outputs["class_features"] = projected[:, 0]
        return outputs

    def post_steps(self) -> list[dict[str, Any]]:
        clusters = {"eps": self.eps, "min_samples": self.min_samples}
        maps = {"upsample": UPSAMPLE, "median": MEDIAN}
        vote: dict[str, Any] = {"name": "segment_vote", **clusters, **maps, "rule": self.rule}
        return [vote, {"name": "class_token"}] if self.class_token else [vote]


def last_block(block: Block, x: Tensor) -> Tensor:
    q, k, v = block.qkv(x)
    attention = correlation(q, q) + correlation(k, k) + correlation(v, v)
    return attend(block, x, attention, v, residual=True)


def token_cosines(block: Block, x: Tensor) -> Tensor:
    """Mean over q, k, v and heads of the cosines between tokens, [B, 1 + N, 1 + N]."""
    unit = [F.normalize(tokens, dim=-1) for tokens in block.qkv(x)]
    return torch.stack([tokens @ tokens.transpose(-1, -2) for tokens in unit]).mean((0, 2))
