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
    """image uint8 [H, W, 3] to labels [H, W]: enlarge by `zoom`, one window, cosines, bilinear, argmax."""

    model: CLIP
    method: Method | str
    rows: Tensor
    zoom: float = 1.0

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        x = torch.from_numpy((image - MEAN) / STD).permute(2, 0, 1)[None].float()
        patch = self.model.visual.config.patch_size
        size = [max(patch, round(side * self.zoom / patch) * patch) for side in (height, width)]
        if size != [height, width]:
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        features = F.normalize(dense_features(self.model.visual, self.method, x), dim=-1)
        scores = (features @ self.rows.T).transpose(1, 2).unflatten(2, (size[0] // patch, size[1] // patch))
        scores = F.interpolate(scores, (height, width), mode="bilinear", align_corners=False)
        return scores[0].argmax(0).numpy().astype(np.uint8)


def evaluate(segment: Callable[[np.ndarray], np.ndarray], scenes: Iterable[Scene], classes: int) -> ConfusionMatrix:
    """Confusion matrix of any segmenter (a function from picture to label map) over scenes."""
    matrix = ConfusionMatrix(classes)
    for scene in scenes:
        matrix.add(scene.labels, segment(scene.image))
    return matrix
