"""ResCLIP: attention of the middle layers, and attention inside the regions of a first segmentation."""

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
from .naclip import gaussian_bias
from .refinement import pamr
from .same_region import same_region

PAMR_STEPS, PAMR_DILATIONS = 10, (8, 16)
# Base method -> the pairs whose attentions it adds up, and whether skip connection and feed-forward stay.
BASES: dict[str, tuple[tuple[tuple[str, str], ...], bool]] = {
    "vanilla": ((("q", "k"),), True),
    "sclip": ((("q", "q"), ("k", "k")), True),
    "clearclip": ((("q", "q"),), False),
    "naclip": ((("k", "k"),), False),
}


@dataclass(frozen=True)
class ResCLIP(Method):
    """The last block of ``base``, with two residuals for its attention.

    ``rcs=(τ, λ)``, residual cross-correlation self-attention: A <- τ ((1 - λ) A + λ A_c), A_c the mean attention of
    ``rcs_layers`` (first, end), head by head; the authors take blocks 6 to 9 whatever the depth. ``sfr=(τ, λ)``,
    semantic feedback refinement: a first pass labels every patch with a query, pixels under ``temp_thd`` with query
    0; S says which patches share a region, and the logits of a second pass are s <- τ ((1 - λ) s + λ S). ``None``
    switches either off (in the official code the switches are tuples, always true). ``std`` is NACLIP's.

    The defaults are the published numbers' code: PAMR inside the first pass, a walk between two patches that stops
    early, a blur along flattened patches, S rounded to half precision. ``strict_paper`` is what the paper says:
    none of these.
    """

    name = "resclip"
    source = "Yang et al., ResCLIP: Residual Attention for Training-free Dense Vision-language Inference, CVPR 2025"

    base: str = "naclip"
    rcs: tuple[float, float] | None = (2.0, 0.6)
    sfr: tuple[float, float] | None = (2.1, 0.6)
    temp_thd: float = 0.1
    std: float = 5.0
    logit_scale: float = 40.0
    connected: bool = True
    strict_paper: bool = False
    rcs_layers: tuple[int, int] = (5, 9)

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.choice(self, "base", BASES)
        for name in ("rcs", "sfr"):
            if getattr(self, name) is not None:
                gain = "(τ, λ), a positive gain and a share of 0 to 1, or None"
                checks.pair(self, name, gain, lambda gain, share: gain > 0 and 0 <= share <= 1)
        layers = "(first, end), two whole numbers, 0 <= first < end"
        checks.pair(self, "rcs_layers", layers, lambda a, b: 0 <= a < b and a % 1 == b % 1 == 0, int)
        checks.share(self, "temp_thd")
        checks.positive(self, "std")
        checks.positive(self, "logit_scale")

    @property
    def uses_text(self) -> bool:  # type: ignore[override]
        return self.sfr is not None

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        first = self.outputs(visual, images)
        if self.sfr is None:
            return first["features"]
        if text is None:
            raise ShapeError(
                "resclip with sfr looks at the words: pass text [Q, D], or switch it off with sfr=None"
            )
        patch = visual.config.patch_size
        grid = (images.shape[2] // patch, images.shape[3] // patch)
        labels = self._patch_labels(first["features"], text, images, grid)
        shared = same_region(labels, grid, connected=self.connected, strict=self.strict_paper)
        return self.feedback(visual, grid, first["tokens"], shared, first.get("attention"))

    def outputs(self, visual: VisualTransformer, images: Tensor) -> dict[str, Tensor]:
        """``features`` of the first pass, the only one without ``sfr``; and for the second one ``tokens`` that enter
        the last block [B, 1 + N, D] and, with ``rcs``, ``attention`` A_c [B, heads, 1 + N, 1 + N]."""
        x, grid = visual.embed(images, self.position, self.padding)
        middle = []
        for block in visual.blocks[:-1]:
            q, k, v = block.qkv(x)
            attention = correlation(q, k)
            middle.append(attention)
            x = attend(block, x, attention, v, residual=True)
        cross = None if self.rcs is None else self._cross(middle)
        features = visual.project(self._last_block(visual.blocks[-1], x, grid, cross, None)[:, 1:])
        outputs = {"features": features}
        if self.sfr is not None:
            outputs["tokens"] = x
            if cross is not None:
                outputs["attention"] = cross
        return outputs

    def feedback(
        self,
        visual: VisualTransformer,
        grid: tuple[int, int],
        tokens: Tensor,
        shared: Tensor,
        attention: Tensor | None = None,
    ) -> Tensor:
        """Features [B, N, D] of the second pass; ``shared`` is S [B, N, N], see ``same_region``."""
        return visual.project(self._last_block(visual.blocks[-1], tokens, grid, attention, shared)[:, 1:])

    def post_steps(self) -> list[dict[str, Any]]:
        if self.sfr is None:
            return []
        labels = {"threshold": self.temp_thd, "logit_scale": self.logit_scale}
        refinement = {"pamr_steps": 0 if self.strict_paper else PAMR_STEPS, "dilations": list(PAMR_DILATIONS)}
        return [
            {
                "name": "feedback",
                **labels,
                **refinement,
                "connected": self.connected,
                "strict": self.strict_paper,
            }
        ]

    def _cross(self, attentions: list[Tensor]) -> Tensor:
        first, end = self.rcs_layers
        if end > len(attentions):
            raise ShapeError(
                f"rcs_layers={self.rcs_layers} (first, end) does not fit a model whose layers before the last are 0 to "
                f"{len(attentions) - 1}: set rcs_layers within them, or switch it off with rcs=None"
            )
        return torch.stack(attentions[first:end]).mean(0)

    def _last_block(
        self, block: Block, x: Tensor, grid: tuple[int, int], cross: Tensor | None, shared: Tensor | None
    ) -> Tensor:
        tokens = dict(zip("qkv", block.qkv(x), strict=True))
        pairs, residual = BASES[self.base]
        attention = torch.stack([self._attention(tokens[a], tokens[b], grid, shared) for a, b in pairs]).sum(
            0
        )
        if self.rcs is not None and cross is not None:
            gain, share = self.rcs
            attention = gain * ((1 - share) * attention + share * cross)
        return attend(block, x, attention, tokens["v"], residual)

    def _attention(self, a: Tensor, b: Tensor, grid: tuple[int, int], shared: Tensor | None) -> Tensor:
        logits = (a * a.shape[-1] ** -0.5) @ b.transpose(-1, -2)
        if self.sfr is not None and shared is not None:
            gain, share = self.sfr
            feedback = share * F.pad(shared, (1, 0, 1, 0))  # rounded as the map is
            logits = gain * ((1 - share) * logits + feedback.to(logits).unsqueeze(1))
        if self.base == "naclip":
            logits = logits + gaussian_bias(grid, self.std).to(logits)
        return logits.softmax(-1)

    def _patch_labels(self, features: Tensor, text: Tensor, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """The query that most pixels of a patch are labelled with, int [B, N]; ties go to the lower one."""
        scores = (F.normalize(features, dim=-1) @ text.T).transpose(1, 2).unflatten(2, grid)
        scores = F.interpolate(scores, size=images.shape[2:], mode="bilinear")
        if not self.strict_paper:
            scores = pamr(scores, images, PAMR_STEPS, PAMR_DILATIONS)
        best, labels = (self.logit_scale * scores).softmax(1).max(1)
        labels = torch.where(best < self.temp_thd, torch.zeros_like(labels), labels)
        patch = (images.shape[2] // grid[0], images.shape[3] // grid[1])
        votes = (labels.unsqueeze(1) == torch.arange(text.shape[0])[:, None, None]).float()
        return F.avg_pool2d(votes, patch).argmax(1).flatten(1)
