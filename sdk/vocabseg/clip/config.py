"""Sizes of the two towers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VisualConfig:
    """A CLIP vision transformer. ``grid`` is the side of its native, square patch grid."""

    width: int
    layers: int
    heads: int
    patch_size: int
    grid: int
    embed_dim: int
    mlp_width: int
    activation: str = "quick_gelu"
    eps: float = 1e-5


@dataclass(frozen=True)
class TextConfig:
    """A CLIP text transformer; ``context_length`` and ``vocab_size`` are counted in tokens."""

    width: int
    layers: int
    heads: int
    context_length: int
    vocab_size: int
    embed_dim: int
    mlp_width: int
    activation: str = "quick_gelu"
    eps: float = 1e-5
