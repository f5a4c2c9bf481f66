"""Inputs that are stored in a bundle with what float32 torch makes of them, so that any engine can be checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .. import safetensors_io
from ..clip import TextTransformer, VisualTransformer
from ..methods import Method
from ..methods.resclip import ResCLIP
from ..methods.same_region import same_region
from .tokenization import Tokenize
from .trace import FeedbackEncoder, ImageEncoder, TextEncoder

WINDOWS = 2
PROMPTS = (
    "a photo of a cat.",
    "a photo of many traffic lights in the rain.",
    "sky",
    "the grey wall's brick, and 3 red doors!",
    "itap of my dog running over grass",
    "a bicycle leaning on a wooden fence at sunset",
)


def reference_windows(
    size: tuple[int, int], mean: Sequence[float], std: Sequence[float], seed: int = 0
) -> np.ndarray:
    """Normalised windows, float32 [2, 3, H, W]: rectangles and discs of flat colour on a coarse ramp.

    Flat colours keep the file small once it is compressed; edges and large areas are what real pictures have.
    """
    generator = np.random.default_rng(seed)
    height, width = size
    ys, xs = np.mgrid[:height, :width]
    pictures = np.empty((WINDOWS, height, width, 3), np.uint8)
    for picture in pictures:
        ramp = (ys * 8 // height + xs * 4 // width)[..., None]
        picture[:] = generator.integers(0, 128, 3) + ramp * generator.integers(1, 12, 3)
        for number in range(12):
            y, x = generator.integers(0, height), generator.integers(0, width)
            radius = generator.integers(min(size) // 16 + 1, min(size) // 3 + 2)
            dy, dx = np.abs(ys - y), np.abs(xs - x)
            shape = dy**2 + dx**2 < radius**2 if number % 2 else np.maximum(2 * dy, dx) < radius
            picture[shape] = generator.integers(0, 256, 3)
    normalised = (pictures - np.array(mean)) / np.array(std)
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), np.float32)


@torch.inference_mode()
def write_reference(
    path: Path,
    visual: VisualTransformer,
    method: Method,
    windows: np.ndarray,
    text: TextTransformer | None,
    tokenize: Tokenize | None,
) -> None:
    """Store windows and features; with a text tower also prompts, tokens and embeddings; with a second pass also
    labels of patches and its features."""
    encoder = ImageEncoder(visual, method).eval()
    # One window at a time: the batch must not change the result, and this bounds memory.
    outputs = [encoder(torch.from_numpy(window[None])) for window in windows]
    tensors = {"windows": windows, "features": np.concatenate([first.numpy() for first, *_ in outputs])}
    if isinstance(method, ResCLIP) and method.uses_text:
        patch = visual.config.patch_size
        grid = (windows.shape[2] // patch, windows.shape[3] // patch)
        tensors |= feedback_reference(visual, method, grid, outputs)
    metadata = {}
    if text is not None and tokenize is not None:
        tokens = tokenize(PROMPTS)
        embedding = TextEncoder(text).eval()(torch.from_numpy(tokens)).numpy()
        tensors |= {"tokens": tokens, "embedding": embedding}
        metadata["prompts"] = json.dumps(PROMPTS)
    safetensors_io.write(path, tensors, metadata)


def feedback_reference(
    visual: VisualTransformer, method: ResCLIP, grid: tuple[int, int], outputs: Sequence[tuple[Tensor, ...]]
) -> dict[str, np.ndarray]:
    """``patch_labels`` int64 [2, N], blocks of a few patches, and the second pass's ``feedback`` features with them."""
    rows, cols = np.mgrid[: grid[0], : grid[1]]
    labels = np.stack([(rows // 3 + cols // 4 + shift) % 3 for shift in range(WINDOWS)]).reshape(WINDOWS, -1)
    encoder = FeedbackEncoder(visual, method, grid).eval()
    features = []
    for (_, *inputs), of_window in zip(outputs, torch.from_numpy(labels), strict=True):
        tokens, *attention = inputs
        shared = same_region(of_window[None], grid, connected=method.connected, strict=method.strict_paper)
        features.append(encoder(tokens, shared.float(), *attention).numpy())
    return {"patch_labels": labels.astype(np.int64), "feedback": np.concatenate(features)}
