"""Evaluate a method on a torch CLIP: its dense features, then the product's own ops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .. import methods, ops
from ..clip import CLIP
from ..methods import Method
from ..methods.cliptrase import CLIPtrase
from ..templates import get as template_set
from ..train.scenes import Scene
from .metrics import ConfusionMatrix
from .segments import frame_segments


@torch.inference_mode()
def text_rows(
    model: CLIP,
    tokenize: Callable[[list[str]], np.ndarray],
    names: Sequence[str],
    templates: str = "simple7",
) -> Tensor:
    """Unit rows [C, D]: per class the mean of its templates' unit embeddings, normalised."""
    prompts = [prompt for name in names for prompt in template_set(templates).prompts(name)]
    rows = F.normalize(model.text(torch.from_numpy(tokenize(prompts))), dim=-1)
    return F.normalize(rows.unflatten(0, (len(names), -1)).mean(1), dim=-1)


@dataclass
class DenseSegmenter:
    """image uint8 [H, W, 3] to labels [H, W]; the frame is enlarged by ``zoom`` before windows are cut.

    Windows are ``crop`` pixels square (default: the model's native size) and ``stride`` apart (default: half
    of it).
    """

    model: CLIP
    method: Method | str
    rows: Tensor
    zoom: float = 1.0
    crop: int | None = None
    stride: int | None = None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        config = self.model.visual.config
        crop = self.crop or config.grid * config.patch_size
        size = [max(config.patch_size, round(side * self.zoom)) for side in image.shape[:2]]
        stride = self.stride or max(1, crop // 2)
        plan = ops.window_plan(
            size, crop=crop, stride=stride, patch=config.patch_size, source=image.shape[:2]
        )
        method = methods.get(self.method) if isinstance(self.method, str) else self.method
        outputs = self._outputs(method, torch.from_numpy(ops.preprocess(image, plan)))
        scores = ops.patch_text_similarity(outputs["features"], self.rows.numpy())
        scores = scores.reshape(plan.windows, -1, plan.grid_h, plan.grid_w)
        segments = None
        if isinstance(method, CLIPtrase):
            segments = frame_segments(outputs["affinity"], plan, method)
        return ops.decode_labels(scores, plan=plan, classes=len(self.rows), regions=segments)

    @torch.inference_mode()
    def _outputs(self, method: Method, windows: Tensor) -> dict[str, np.ndarray]:
        visual = self.model.visual
        if method.uses_text:
            return {"features": method.features(visual, windows, self.rows).numpy()}
        return {name: value.numpy() for name, value in method.outputs(visual, windows).items()}


def evaluate(
    segment: Callable[[np.ndarray], np.ndarray], scenes: Iterable[Scene], classes: int
) -> ConfusionMatrix:
    """Confusion matrix of any segmenter (a function from picture to label map) over scenes."""
    matrix = ConfusionMatrix(classes)
    for scene in scenes:
        matrix.add(scene.labels, segment(scene.image))
    return matrix
