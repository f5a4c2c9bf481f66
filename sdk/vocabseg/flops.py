"""Floating-point operations of a frame's image network, method by method, from the model's sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """Of a vision tower: by default ViT-B/16 on a window of 336 x 336 pixels, 441 patches."""

    width: int = 768
    layers: int = 12
    mlp_width: int = 3072
    embed_dim: int = 512
    patch_size: int = 16
    grid: tuple[int, int] = (21, 21)

    @property
    def patches(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def tokens(self) -> int:
        """With the class token."""
        return self.patches + 1

    @property
    def linear(self) -> int:
        """All tokens through a layer of width x width: one of q, k, v or out_proj."""
        return 2 * self.tokens * self.width**2

    @property
    def pairs(self) -> int:
        """Scores of all pairs of tokens, or their weights times the values; all heads together."""
        return 2 * self.tokens**2 * self.width

    @property
    def mlp(self) -> int:
        return 4 * self.tokens * self.width * self.mlp_width

    @property
    def block(self) -> int:
        """CLIP's block: q, k, v, out_proj; q kᵀ and A v; MLP."""
        return 4 * self.linear + 2 * self.pairs + self.mlp

    @property
    def embedding(self) -> int:
        return 2 * self.patches * self.width * 3 * self.patch_size**2

    @property
    def projection(self) -> int:
        """Patches to the joint space."""
        return 2 * self.patches * self.width * self.embed_dim


def flops(method: str, sizes: Sizes | None = None) -> int:
    """Operations of one window with a method's default parameters; a multiplication and an addition are two.

    Matrix products only: layer norms, softmax and activations are left out, and so are the steps after the network
    (similarity with the words, ResCLIP's first labels, CLIPtrase's clusters), which depend on the words and the
    picture. Products that a method's definition does not need (queries in key-key attention) do not count; exported
    graphs leave them out too. ``proxyclip`` is that with DINO's ViT-B/8.

    Raises:
        ValueError: no such method.
    """
    sizes = sizes or Sizes()
    if method not in _AFTER_TRUNK:
        raise ValueError(f"no method {method!r}; known: {', '.join(_AFTER_TRUNK)}")
    trunk = sizes.embedding + (sizes.layers - 1) * sizes.block
    return trunk + _AFTER_TRUNK[method](sizes)


def extra_share(method: str, sizes: Sizes | None = None) -> float:
    """Operations beyond those of ``vanilla``, as a share of these."""
    return flops(method, sizes) / flops("vanilla", sizes) - 1


def _vanilla(s: Sizes) -> int:
    return s.block + s.projection


def _maskclip(s: Sizes) -> int:
    return 2 * s.linear + s.mlp + s.projection  # v, out_proj


def _sclip(s: Sizes) -> int:
    return s.block + s.pairs + s.projection  # q qᵀ and k kᵀ instead of q kᵀ


def _one_correlation(s: Sizes) -> int:
    return 3 * s.linear + 2 * s.pairs + s.projection  # q or k, v, out_proj; no MLP


def _cliptrase(s: Sizes) -> int:
    affinity = 3 * s.pairs  # cosines of q, k and v in the block before
    return affinity + s.block + 2 * s.pairs + s.projection


def _resclip(s: Sizes) -> int:
    return 2 * _one_correlation(s)  # two passes through the last block of NACLIP


def _scclip(s: Sizes) -> int:
    pairs, linear = 2 * s.patches**2 * s.width, 2 * s.patches * s.width**2
    outliers = 3 * pairs  # distances; neighbours' means in two layers
    similarities = 2 * pairs
    attention = 3 * linear + 2 * pairs  # k, v, out_proj
    return outliers + similarities + pairs + 2 * (attention + pairs) + s.projection


def _proxyclip(s: Sizes) -> int:
    patch = 8
    grid = (s.grid[0] * s.patch_size // patch, s.grid[1] * s.patch_size // patch)
    dino = replace(s, width=768, layers=12, mlp_width=3072, patch_size=patch, grid=grid)
    backbone = dino.embedding + dino.layers * dino.block
    similarity = 2 * dino.patches**2 * dino.width
    attention = 2 * dino.patches**2 * s.width
    values, out = 2 * s.tokens * s.width**2, 2 * dino.patches * s.width**2
    projection = 2 * dino.patches * s.width * s.embed_dim
    return backbone + similarity + values + attention + out + projection


_AFTER_TRUNK: dict[str, Callable[[Sizes], int]] = {
    "vanilla": _vanilla,
    "maskclip": _maskclip,
    "sclip": _sclip,
    "clearclip": _one_correlation,
    "naclip": _one_correlation,
    "cliptrase": _cliptrase,
    "proxyclip": _proxyclip,
    "resclip": _resclip,
    "scclip": _scclip,
}
