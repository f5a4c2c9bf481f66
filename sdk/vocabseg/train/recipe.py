"""Every number of the demo model's training in one place."""

from __future__ import annotations

from dataclasses import dataclass

from .scenes import SceneStyle

# Stages of the curriculum: large single objects first, then several of many sizes,
# cut by the frame as a sliding window cuts them.
EASY = SceneStyle(count_odds=(0.1, 0.7, 0.2), size=(0.5, 0.95), two_backgrounds=0.25)
MIXED = SceneStyle(count_odds=(0.06, 0.34, 0.36, 0.24), size=(0.28, 0.95), two_backgrounds=0.4, cut=0.3)


@dataclass(frozen=True)
class Stage:
    """Until which share of the run a pool of scenes is drawn from."""

    until: float
    style: SceneStyle
    seed: int


@dataclass(frozen=True)
class Recipe:
    """How the demo model is trained.

    `keep` is the share of patches that a step sees (FLIP); `read_late` and `skip_last_mlp` are the shares of steps
    with these options of `encode_patches`. The README beside this file says what each of them is good for.
    """

    pairs: int = 480_000
    batch: int = 128
    size: int = 112
    pool: int = 20_000
    keep: float = 0.7
    captions_each: int = 4
    read_late: float = 0.7
    skip_last_mlp: float = 0.5
    stages: tuple[Stage, ...] = (Stage(0.4, EASY, 101), Stage(1.0, MIXED, 102))
    width: int = 192
    layers: int = 6
    text_width: int = 128
    text_layers: int = 2
    embed_dim: int = 128
    matrix_rate: float = 0.02  # Muon: the blocks' matrices
    rate: float = 2e-3  # AdamW: everything else
    scale_rate: float = 1e-2  # AdamW: the temperature
    weight_decay: float = 0.1
    warm_up: float = 0.01  # share of the steps
    seed: int = 2026

    @property
    def steps(self) -> int:
        return self.pairs // self.batch

    def stage(self, step: int) -> int:
        """Index of the stage that a step belongs to."""
        share = step / self.steps
        return next(
            i for i, stage in enumerate(self.stages) if share < stage.until or i == len(self.stages) - 1
        )


DEMO = Recipe()
