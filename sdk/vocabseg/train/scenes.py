"""Random scenes: backgrounds, objects on them, and exact labels (the labels serve evaluation only)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .classes import BACKGROUND_NAMES, CAMOUFLAGE, CLASS_NAMES, COLOURS, OBJECT_NAMES
from .sprites import PATTERNS, draw
from .textures import Rng, TextureBank

# upper and lower half of a scene with a horizon
UPPER = {
    "sky": ("grass", "sand", "water", "snow", "gravel", "brick"),
    "brick": ("grass", "wood", "snow", "sand"),
    "water": ("sand", "gravel", "wood", "snow"),
    "wood": ("gravel", "grass"),
}
# as in the world, many things have a usual colour; the rest of the time it is any colour
USUAL_COLOURS = {
    "ball": ("orange", "blue"),
    "box": ("brown",),
    "star": ("yellow",),
    "heart": ("pink", "red"),
    "moon": ("yellow", "white"),
    "ring": ("purple",),
    "tree": ("green",),
    "house": ("red", "orange"),
    "fish": ("orange", "blue"),
    "car": ("blue", "red"),
    "flower": ("pink", "purple"),
    "mushroom": ("red",),
    "umbrella": ("black", "purple"),
    "butterfly": ("yellow", "orange"),
}
USUAL_ODDS = 0.5
PATTERN_ODDS = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Thing:
    """One object of a scene, as a caption may name it."""

    noun: str
    colour: str
    pattern: str


@dataclass
class Scene:
    """image uint8 `[H, W, 3]`, labels uint8 `[H, W]` (index into CLASS_NAMES), and what is in it."""

    image: np.ndarray
    labels: np.ndarray
    things: list[Thing] = field(default_factory=list)
    backgrounds: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SceneStyle:
    """How crowded scenes are: odds of 0, 1, 2, ... objects, object size as a share of the shorter side, odds of a
    horizon, and the share of an object's height and width that may lie outside the frame."""

    count_odds: tuple[float, ...] = (0.06, 0.30, 0.30, 0.22, 0.12)
    size: tuple[float, float] = (0.22, 0.62)
    two_backgrounds: float = 0.4
    cut: float = 0.12


class SceneGenerator:
    """Deterministic source of scenes: scene `i` of a seed is always the same."""

    def __init__(
        self,
        height: int,
        width: int,
        seed: int,
        style: SceneStyle | None = None,
        bank: TextureBank | None = None,
    ) -> None:
        self.height, self.width, self.seed = height, width, seed
        self.style = style or SceneStyle()
        self.bank = bank or TextureBank(seed)

    def __call__(self, index: int) -> Scene:
        rng = np.random.default_rng((self.seed, index))
        scene = self._background(rng)
        boxes: list[tuple[int, int, int, int]] = []
        for _ in range(rng.choice(len(self.style.count_odds), p=self.style.count_odds)):
            self._add_object(rng, scene, boxes)
        return scene

    def _background(self, rng: Rng) -> Scene:
        h, w = self.height, self.width
        if rng.random() >= self.style.two_backgrounds:
            name = BACKGROUND_NAMES[rng.integers(len(BACKGROUND_NAMES))]
            labels = np.full((h, w), CLASS_NAMES.index(name), np.uint8)
            return Scene(np.ascontiguousarray(self.bank.crop(rng, name, h, w)), labels, [], [name])
        upper = str(rng.choice(list(UPPER)))
        lower = str(rng.choice(UPPER[upper]))
        below = self._horizon(rng)
        image = np.where(below[..., None], self.bank.crop(rng, lower, h, w), self.bank.crop(rng, upper, h, w))
        labels = np.where(below, CLASS_NAMES.index(lower), CLASS_NAMES.index(upper)).astype(np.uint8)
        return Scene(image, labels, [], [upper, lower])

    def _horizon(self, rng: Rng) -> np.ndarray:
        x = np.linspace(0, 1, self.width)
        wave = sum(rng.normal(0, 0.03 / k) * np.sin(2 * np.pi * (k * x + rng.random())) for k in (1, 2, 3))
        line = self.height * (rng.uniform(0.35, 0.65) + rng.normal(0, 0.08) * (x - 0.5) + wave)
        return np.arange(self.height)[:, None] > line[None]

    def _add_object(self, rng: Rng, scene: Scene, boxes: list[tuple[int, int, int, int]]) -> None:
        noun = OBJECT_NAMES[rng.integers(len(OBJECT_NAMES))]
        thing = Thing(noun, _colour(rng, noun, scene.backgrounds), str(rng.choice(PATTERNS, p=PATTERN_ODDS)))
        low, high = self.style.size
        pixels = int(min(self.height, self.width) * np.exp(rng.uniform(np.log(low), np.log(high))))
        grain = self.bank.grain[rng.integers(len(self.bank.grain))]
        sprite = draw(rng, thing.noun, thing.colour, thing.pattern, min(pixels, self.bank.size - 2), grain)
        place = self._place(rng, sprite.shape[0], sprite.shape[1], boxes)
        if place is None:
            return
        paste(scene, sprite, *place, CLASS_NAMES.index(noun))
        boxes.append((*place, *sprite.shape[:2]))
        scene.things.append(thing)

    def _place(
        self, rng: Rng, h: int, w: int, boxes: list[tuple[int, int, int, int]]
    ) -> tuple[int, int] | None:
        """A corner where the object hides at most a sixth of another one."""
        cut = self.style.cut
        for _ in range(12):
            top = int(rng.uniform(-cut * h, self.height - (1 - cut) * h))
            left = int(rng.uniform(-cut * w, self.width - (1 - cut) * w))
            if all(_overlap((top, left, h, w), other) < 0.16 for other in boxes):
                return top, left
        return None


def _colour(rng: Rng, noun: str, backgrounds: list[str]) -> str:
    """A colour that can be seen on the backgrounds."""
    visible = [c for c in COLOURS if not any(c in CAMOUFLAGE[name] for name in backgrounds)]
    usual = [c for c in USUAL_COLOURS[noun] if c in visible]
    return str(rng.choice(usual if usual and rng.random() < USUAL_ODDS else visible))


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Common area over the smaller box's area; boxes are (top, left, height, width)."""
    dy = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    dx = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(dy, 0) * max(dx, 0) / min(a[2] * a[3], b[2] * b[3])


def paste(scene: Scene, sprite: np.ndarray, top: int, left: int, label: int) -> None:
    """Draw an RGBA sprite and its faint shadow into the scene; the part outside the frame is cut off."""
    shadow = max(1, sprite.shape[0] // 24)
    _blend(scene.image, sprite[..., 3] * np.float32(0.3 / 255), np.float32(0), top + shadow, left + shadow)
    ys, xs, cut = _clip(scene.image, sprite, top, left)
    if cut.size:
        _blend(scene.image, sprite[..., 3] * np.float32(1 / 255), sprite[..., :3], top, left)
        scene.labels[ys, xs][cut[..., 3] > 127] = label


def _clip(image: np.ndarray, patch: np.ndarray, top: int, left: int) -> tuple[slice, slice, np.ndarray]:
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + patch.shape[0], image.shape[0]), min(left + patch.shape[1], image.shape[1])
    return slice(y0, y1), slice(x0, x1), patch[y0 - top : y1 - top, x0 - left : x1 - left]


def _blend(
    image: np.ndarray, alpha: np.ndarray, colour: np.ndarray | np.float32, top: int, left: int
) -> None:
    ys, xs, a = _clip(image, alpha, top, left)
    if a.size == 0:
        return
    over = colour if np.ndim(colour) == 0 else _clip(image, np.asarray(colour), top, left)[2]
    base = image[ys, xs]
    image[ys, xs] = (base + (over - base.astype(np.float32)) * a[..., None]).astype(np.uint8)
