"""Evaluate a method on a torch CLIP: dense features, cosines with class names, a label per pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip import CLIP, dense_features
from ..methods import Method
from ..templates import get as template_set
from ..train.batches import MEAN, STD
from ..train.scenes import Scene
from .metrics import ConfusionMatrix


@torch.inference_mode()
def text_rows(model: CLIP, tokenize: Callable[[list[str]], np.ndarray], names: Sequence[str],
              templates: str = "simple7") -> Tensor:  # fmt: skip
    """Unit rows [C, D]: per class the mean of its templates' unit embeddings, normalised."""
    prompts = [prompt for name in names for prompt in template_set(templates).prompts(name)]
    rows = F.normalize(model.text(torch.from_numpy(tokenize(prompts))), dim=-1)
    return F.normalize(rows.unflatten(0, (len(names), -1)).mean(1), dim=-1)


@dataclass
class DenseSegmenter:
    """image uint8 [H, W, 3] to labels [H, W]: enlarge, sliding windows, cosines, bilinear, mean, argmax.

    Windows are `crop` pixels square (default: the model's native size) and `stride` apart (default: half of it);
    `crop=0` looks at the whole picture at once.
    """

    model: CLIP
    method: Method | str
    rows: Tensor
    zoom: float = 1.0
    crop: int | None = None
    stride: int | None = None

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        config = self.model.visual.config
        native = config.grid * config.patch_size if self.crop is None else self.crop
        x = torch.from_numpy((image - MEAN) / STD).permute(2, 0, 1)[None].float()
        size = [max(config.patch_size, round(side * self.zoom)) for side in (height, width)]
        if native == 0:
            size = [-(-side // config.patch_size) * config.patch_size for side in size]
        if size != [height, width]:
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        crop = [min(native or side, side) for side in size]
        stride = self.stride or max(1, native // 2)
        places = [(top, left) for top in starts(size[0], crop[0], stride) for left in starts(size[1], crop[1], stride)]
        windows = torch.cat([x[:, :, top : top + crop[0], left : left + crop[1]] for top, left in places])
        scores, count = torch.zeros(len(self.rows), *size), torch.zeros(size)
        for (top, left), window in zip(places, self.window_scores(windows), strict=True):
            scores[:, top : top + crop[0], left : left + crop[1]] += window
            count[top : top + crop[0], left : left + crop[1]] += 1
        scores = F.interpolate((scores / count)[None], (height, width), mode="bilinear", align_corners=False)
        return scores[0].argmax(0).numpy().astype(np.uint8)

    def window_scores(self, windows: Tensor) -> Tensor:
        """Cosines [B, C, h, w] at the windows' own resolution."""
        patch = self.model.visual.config.patch_size
        features = F.normalize(dense_features(self.model.visual, self.method, windows), dim=-1)
        grid = (windows.shape[2] // patch, windows.shape[3] // patch)
        scores = (features @ self.rows.T).transpose(1, 2).unflatten(2, grid)
        return F.interpolate(scores, windows.shape[2:], mode="bilinear", align_corners=False)


def starts(length: int, crop: int, stride: int) -> list[int]:
    """Where windows begin along an axis; the last one is shifted back inside."""
    count = max(length - crop + stride - 1, 0) // stride + 1
    return [max(min(i * stride + crop, length) - crop, 0) for i in range(count)]


def evaluate(segment: Callable[[np.ndarray], np.ndarray], scenes: Iterable[Scene], classes: int) -> ConfusionMatrix:
    """Confusion matrix of any segmenter (a function from picture to label map) over scenes."""
    matrix = ConfusionMatrix(classes)
    for scene in scenes:
        matrix.add(scene.labels, segment(scene.image))
    return matrix
