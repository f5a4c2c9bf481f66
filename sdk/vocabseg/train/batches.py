"""Batches: kept patches of pictures, some captions of each, and which caption holds for which picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..ops.preprocessing import MEAN, STD
from .bpe import Tokenizer
from .captions import caption, fact_matrix
from .pool import ScenePool


@dataclass
class Batch:
    """patches float32 `[B, K, 3·p·p]`, kept int64 `[B, K]` (grid positions), tokens: int64 `[B, T]` of the
    full captions and `[(C - 1)·B, T']` of the others, holds bool `[B, C·B]`: the caption says nothing that the
    picture's own C captions do not say."""

    patches: Tensor
    kept: Tensor
    tokens: list[Tensor]
    holds: Tensor


def to_patches(images: np.ndarray, patch: int) -> np.ndarray:
    """uint8 `[B, H, W, 3]` to `[B, N, 3, p, p]`, the channel order of a convolution's weights."""
    b, h, w, _ = images.shape
    grid = images.reshape(b, h // patch, patch, w // patch, patch, 3)
    return grid.transpose(0, 1, 3, 5, 2, 4).reshape(b, -1, 3, patch, patch)


def make_batch(
    pool: ScenePool,
    rows: np.ndarray,
    tokenizer: Tokenizer,
    rng: np.random.Generator,
    keep: float,
    captions_each: int = 2,
    patch: int = 16,
) -> Batch:
    """Pictures `rows` of a pool, mirrored at random, a share `keep` of their patches, colours jittered a little.

    Of a picture's captions the first names everything, the others a part.
    """
    rows = np.sort(rows)
    images = pool.images[rows]
    mirrored = rng.random(len(rows)) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    patches = to_patches(images, patch)
    count = max(1, round(keep * patches.shape[1]))
    kept = np.sort(rng.random(patches.shape[:2]).argsort(1)[:, :count], 1)
    gain = rng.normal(1, 0.05, (len(rows), 1, 3, 1, 1)).astype(np.float32)
    pixels = patches[np.arange(len(rows))[:, None], kept].astype(np.float32) * gain
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    pixels = (pixels - mean) / std

    captions = [
        caption(rng, pool.things[i], pool.backgrounds[i], full=turn == 0)
        for turn in range(captions_each)
        for i in rows
    ]
    facts = fact_matrix(captions)
    known = facts.reshape(captions_each, len(rows), -1).max(0)
    texts = [c.text for c in captions]
    return Batch(
        torch.from_numpy(pixels.reshape(len(rows), count, -1)),
        torch.from_numpy(kept),
        [tokenize(tokenizer, part) for part in (texts[: len(rows)], texts[len(rows) :]) if part],
        torch.from_numpy((1 - known) @ facts.T == 0),
    )


def tokenize(tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """int64 `[len(texts), T]`, T the longest text's length: short captions do not pay for long ones."""
    tokens = tokenizer(texts)
    return torch.from_numpy(tokens[:, : int((tokens > 0).sum(1).max())])
