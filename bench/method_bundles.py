"""Bundles of one model with random weights, one per method and window, and words for them."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vocabseg import Vocabulary, clip, methods, ops
from vocabseg.clip.config import VisualConfig
from vocabseg.export.build import export_bundle
from vocabseg.export.source import Source, from_seed
from vocabseg.export.window import Window, sliding, whole
from vocabseg.kernels.common.window_plan import WindowPlan, slide_plan, whole_plan

from .methods import words_of

# Deep enough for every method, and small enough for a test.
TINY = VisualConfig(64, 12, 2, 16, 14, 32, 256, "quick_gelu")
WORDS = 21
# With random weights rows of the affinity lie further apart than with trained ones; so far apart they make some clusters.
PARAMETERS = {"cliptrase": {"eps": 1.2, "min_samples": 3}}


@functools.cache
def source(model: str) -> Source:
    """The vision tower of a model of open_clip, or ``tiny``, with random weights."""
    if model != "tiny":
        return replace(from_seed(model, None, 0), text=None)
    tower = clip.initialize(clip.build(TINY, clip.TextConfig(64, 1, 1, 8, 520, 32, 64, "quick_gelu")))
    return Source(model, "none", tower.visual.eval(), None, None, None, "random weights")


def method(name: str) -> methods.Method:
    return methods.get(name, **PARAMETERS.get(name, {}))


def window(text: str) -> Window:
    """``slide``: windows of 224 pixels every 112 over a short side of 336; ``HxW``: whole frames of that size."""
    if text == "slide":
        return sliding()
    height, width = (int(side) for side in text.split("x"))
    return whole(height, width)


def plan(text: str, frame: tuple[int, int], patch: int) -> WindowPlan:
    """The windows of a frame (height, width), as the runtime cuts them."""
    rule = window(text)
    if rule.mode == "whole":
        return whole_plan(frame, crop=rule.size, grid=rule.grid(patch))
    assert rule.stride is not None and rule.short_side is not None
    sides = {"short_side": rule.short_side, "long_side": rule.long_side}
    return slide_plan(frame, crop=rule.size, stride=rule.stride, grid=rule.grid(patch), **sides)


def bundle(folder: Path, model: str, name: str, windows: str, picture: np.ndarray) -> Path:
    """The bundle in ``folder``, made where it is missing, with its words beside it."""
    path = folder / f"{model}-{name}-{windows}"
    if not path.is_dir() or not words_of(path).is_file():
        print(f"making {path}", file=sys.stderr, flush=True)
        tower = source(model)
        vocabulary = words(tower, method(name), windows, picture)
        export_bundle(tower, method(name), window(windows), path, force=True, step=lambda text: None)
        vocabulary.save(words_of(path))
    return path


def words(tower: Source, system: methods.Method, windows: str, picture: np.ndarray) -> Vocabulary:
    """Words that split a picture's patches into regions, as words do with trained weights: features of patches that are
    unlike each other, without what all patches share."""
    layout = plan(windows, picture.shape[:2], tower.visual.config.patch_size)
    inputs = torch.from_numpy(ops.preprocess(picture, layout))
    first_pass = replace(system, sfr=None) if system.name == "resclip" else system
    features = F.normalize(clip.dense_features(tower.visual, first_pass, inputs).flatten(0, 1), dim=-1)
    mean = F.normalize(features.mean(0), dim=0)
    own = F.normalize(features - (features @ mean)[:, None] * mean, dim=-1)
    chosen = [0]
    for _ in range(WORDS - 1):
        chosen.append(int((own @ own[chosen].T).amax(1).argmin()))
    names = tuple(f"word {number}" for number in range(WORDS))
    return Vocabulary(names, names, np.arange(WORDS, dtype=np.int32), embeddings=own[chosen].numpy())
