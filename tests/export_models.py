"""Models of the real layouts with small widths: patches, grids and heads as they are, channels and blocks few."""

from __future__ import annotations

import torch

from vocabseg.clip import CLIP, TextConfig, VisualConfig, build, initialize
from vocabseg.export.source import Source

# patch size, grid, heads, channels per head
LAYOUTS = {
    "ViT-B-32": (32, 7, 12, 8),
    "ViT-B-16": (16, 14, 12, 8),
    "ViT-L-14": (14, 16, 16, 8),
    "ViT-L-14-336": (14, 24, 16, 8),
    "ViT-H-14": (14, 16, 16, 10),
}
LAYERS = 2
EMBED_DIM = 32
MERGES = [
    ("a", "b</w>"),
    ("c", "a"),
    ("ca", "t</w>"),
    ("s", "k"),
    ("sk", "y</w>"),
    ("r", "e"),
    ("re", "d</w>"),
]
VOCAB_SIZE = 514 + len(MERGES)


def small_clip(
    layout: str = "ViT-B-16", activation: str = "quick_gelu", seed: int = 0, layers: int = LAYERS
) -> CLIP:
    """Both towers with random weights, biases and scales too, so that no engine can fold any of them away."""
    patch, grid, heads, channels = LAYOUTS[layout]
    width = heads * channels
    visual = VisualConfig(width, layers, heads, patch, grid, EMBED_DIM, 4 * width, activation)
    text = TextConfig(64, 2, 2, 16, VOCAB_SIZE, EMBED_DIM, 256, activation)
    clip = initialize(build(visual, text), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    for parameter in clip.parameters():
        noise = torch.randn(parameter.shape, generator=generator) if parameter.dim() else torch.zeros(())
        parameter.data += 0.05 * noise
    return clip.eval()


def small_source(layout: str = "ViT-B-16", activation: str = "quick_gelu", seed: int = 0) -> Source:
    clip = small_clip(layout, activation, seed)
    return Source(layout, "none", clip.visual, clip.text, None, None, "test")


def windows(batch: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(seed))


def tokens(batch: int, seed: int = 0) -> torch.Tensor:
    """Start, some words, end, padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCAB_SIZE - 2, (batch, 16), generator=generator)
    for row, end in enumerate(torch.randint(2, 16, (batch,), generator=generator).tolist()):
        ids[row, 0], ids[row, end], ids[row, end + 1 :] = VOCAB_SIZE - 2, VOCAB_SIZE - 1, 0
    return ids
