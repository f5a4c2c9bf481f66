"""Draw one object: polygons to an anti-aliased RGBA picture, with a pattern and soft light."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .classes import COLOURS
from .shapes import SHAPES, TURN_FREELY, Part, Rng

SUPERSAMPLE = 2
PATTERNS = ("plain", "striped", "spotted")


def shade(colour: np.ndarray, amount: float) -> np.ndarray:
    """Towards white (amount > 0) or black (amount < 0)."""
    return colour + (255 - colour) * amount if amount > 0 else colour * (1 + amount)


def _pattern(name: str, rng: Rng, size: int) -> np.ndarray:
    """Boolean `[size, size]`: where the second shade goes."""
    y, x = np.ogrid[0:size, 0:size]
    period = size * rng.uniform(0.14, 0.22)
    if name == "striped":
        angle = rng.uniform(0, np.pi)
        return ((x * np.cos(angle) + y * np.sin(angle)) % period) < period * 0.45
    u, v = x % period - period / 2, y % period - period / 2
    return u * u + v * v < (period * 0.3) ** 2


def _transform(rng: Rng, noun: str, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    angle = rng.uniform(0, 2 * np.pi) if noun in TURN_FREELY else rng.normal(0, np.radians(7))
    stretch = np.diag([rng.uniform(0.9, 1.1) * rng.choice([-1, 1]), rng.uniform(0.9, 1.1)])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (stretch @ turn.T).astype(np.float32), np.float32(pixels / 2)


def draw(rng: Rng, noun: str, colour: str, pattern: str, pixels: int, grain: np.ndarray) -> np.ndarray:
    """One object, about `pixels` wide: RGBA uint8 `[h, w, 4]`, cut to its outline."""
    parts: list[Part] = SHAPES[noun](rng)
    matrix, _ = _transform(rng, noun, pixels)
    outlines = [points @ matrix for _, points in parts]
    low = np.min([o.min(0) for o in outlines], 0)
    high = np.max([o.max(0) for o in outlines], 0)
    scale = pixels * SUPERSAMPLE / float((high - low).max())
    width, height = (max(SUPERSAMPLE, int(v)) // SUPERSAMPLE * SUPERSAMPLE for v in (high - low) * scale)

    main = np.clip(np.asarray(COLOURS[colour], np.float32) + rng.normal(0, 10, 3), 8, 250)
    light, dark = shade(main, 0.45), shade(main, -0.28)
    palette = [main]  # index 0 (outside) takes the main colour, so that soft edges have no dark fringe
    canvas = Image.new("L", (width, height), 0)
    pencil = ImageDraw.Draw(canvas)
    for (paint, _), outline in zip(parts, outlines, strict=True):
        if paint != "none":
            fixed = (
                {"main": main, "light": light, "dark": dark}.get(paint) if isinstance(paint, str) else paint
            )
            palette.append(np.asarray(fixed, np.float32))
        pencil.polygon(
            [tuple(p) for p in ((outline - low) * scale).tolist()], 0 if paint == "none" else len(palette) - 1
        )
    index = np.asarray(canvas)

    rgba = np.empty((height, width, 4), np.uint8)
    rgba[..., :3] = np.asarray(palette, np.float32).astype(np.uint8)[index]
    rgba[..., 3] = (index > 0) * np.uint8(255)
    if pattern != "plain":
        is_main = np.asarray([p is main for p in palette])[index]
        mask = _pattern(pattern, rng, max(width, height))[:height, :width] & is_main
        rgba[mask, :3] = (light if main.mean() < 200 else shade(main, -0.35)).astype(np.uint8)
    small = np.asarray(Image.fromarray(rgba).reduce(SUPERSAMPLE)).copy()
    return _light(rng, small, grain)


def _light(rng: Rng, rgba: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Multiply a soft gradient and some surface grain into the colours, in place."""
    h, w = rgba.shape[:2]
    gx, gy = rng.uniform(-0.1, 0.1), rng.uniform(-0.02, 0.16)
    x, y = np.linspace(gx, -gx, w, dtype=np.float32), np.linspace(gy, -gy, h, dtype=np.float32)
    top, left = rng.integers(0, grain.shape[0] - h + 1), rng.integers(0, grain.shape[1] - w + 1)
    factor = 1 + x[None] + y[:, None] + 0.06 * grain[top : top + h, left : left + w]
    np.clip(rgba[..., :3] * factor[..., None], 0, 255, out=rgba[..., :3], casting="unsafe")
    return rgba
