"""Procedural background textures: one function per background, each `[size, size, 3]` uint8 RGB."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

Rng = np.random.Generator


def resized_noise(rng: Rng, size: int, rows: int, cols: int) -> np.ndarray:
    """Smooth noise, float32 `[size, size]`, about zero mean and unit scale: a rows x cols grid, resized."""
    grid = rng.standard_normal((rows, cols)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC))


def fractal(rng: Rng, size: int, octaves: tuple[int, ...], stretch: float = 1.0) -> np.ndarray:
    """Sum of noise octaves (cells per side), amplitude falling with frequency; `stretch` > 1: vertical strokes."""
    total = np.zeros((size, size), np.float32)
    for step, cells in enumerate(octaves):
        rows, cols = max(2, int(cells / max(stretch, 1))), max(2, int(cells * min(stretch, 1)))
        total += resized_noise(rng, size, rows, cols) * 0.7**step
    return total / (np.abs(total).mean() * 2 + 1e-6)


def _tint(base: tuple[float, float, float], rng: Rng, spread: float = 12) -> np.ndarray:
    return (
        np.asarray(base, np.float32) + rng.normal(0, spread / 2, 3).astype(np.float32) + rng.normal(0, spread)
    )


def _paint(base: np.ndarray, *layers: tuple[np.ndarray, tuple[float, float, float]]) -> np.ndarray:
    size = layers[0][0].shape[0]
    out = np.broadcast_to(base, (size, size, 3)).copy()
    for field, colour in layers:
        out += field[..., None] * np.asarray(colour, np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)


def grass(rng: Rng, size: int) -> np.ndarray:
    blades = fractal(rng, size, (size // 2, size // 3), stretch=4)
    patches = fractal(rng, size, (4, 9))
    return _paint(_tint((84, 138, 52), rng), (blades, (30, 34, 20)), (patches, (16, 12, 6)))


def sand(rng: Rng, size: int) -> np.ndarray:
    y = np.linspace(0, rng.uniform(40, 90), size, dtype=np.float32)[:, None]
    ripples = np.sin(y + 3 * fractal(rng, size, (3, 6)))
    grain = fractal(rng, size, (size // 2,))
    return _paint(_tint((222, 194, 142), rng), (ripples, (10, 10, 9)), (grain, (11, 11, 10)))


def water(rng: Rng, size: int) -> np.ndarray:
    waves = fractal(rng, size, (40, 90), stretch=0.25)
    depth = fractal(rng, size, (3, 5))
    glints = np.clip(waves - 0.9, 0, None)
    return _paint(
        _tint((28, 104, 138), rng), (waves, (14, 26, 28)), (depth, (6, 12, 12)), (glints, (90, 80, 70))
    )


def sky(rng: Rng, size: int) -> np.ndarray:
    height = np.repeat(np.linspace(-1, 1, size, dtype=np.float32)[:, None], size, axis=1)
    clouds = np.clip(fractal(rng, size, (4, 8, 16, 32)) - rng.uniform(0, 0.8), 0, 1.2)
    return _paint(_tint((118, 178, 236), rng, 8), (height, (30, 20, 6)), (clouds, (110, 66, 20)))


def snow(rng: Rng, size: int) -> np.ndarray:
    drifts = fractal(rng, size, (3, 6, 12))
    grain = fractal(rng, size, (size // 3,))
    return _paint(_tint((232, 238, 246), rng, 5), (drifts, (11, 8, 5)), (grain, (5, 5, 4)))


def brick(rng: Rng, size: int) -> np.ndarray:
    height = int(rng.integers(14, 26))
    width = int(height * rng.uniform(1.9, 2.5))
    y, x = np.mgrid[0:size, 0:size]
    row = y // height
    x = x + (row % 2) * (width // 2)
    tone = rng.normal(0, 1, (size // height + 2, size // width + 3)).astype(np.float32)[row, x // width]
    mortar = ((y % height < 3) | (x % width < 3)).astype(np.float32)
    grain = fractal(rng, size, (size // 3, size // 8))
    base = _tint((164, 78, 58), rng)
    return _paint(base, (tone * (1 - mortar), (17, 13, 11)), (grain, (10, 9, 8)), (mortar, (36, 104, 112)))


def wood(rng: Rng, size: int) -> np.ndarray:
    plank = int(rng.integers(36, 70))
    x = np.arange(size) // plank
    tone = np.repeat(rng.normal(0, 1, size // plank + 1).astype(np.float32)[x][None], size, axis=0)
    seam = np.repeat((np.arange(size) % plank < 2).astype(np.float32)[None], size, axis=0)
    grain = fractal(rng, size, (90, 160), stretch=14)
    out = _paint(
        _tint((160, 110, 66), rng), (tone, (12, 11, 9)), (grain, (17, 15, 11)), (seam, (-80, -60, -45))
    )
    return out if rng.random() < 0.5 else out.transpose(1, 0, 2)


def gravel(rng: Rng, size: int) -> np.ndarray:
    points = rng.uniform(0, size, (int(size * size / 150), 2)).astype(np.float32)
    cells = (
        24  # nearest point among the 3x3 neighbouring cells would need an index; blocks of rows are enough
    )
    owner = np.empty((size, size), np.int32)
    edge = np.empty((size, size), np.float32)
    x = np.arange(size, dtype=np.float32)
    for top in range(0, size, cells):
        y = np.arange(top, min(top + cells, size), dtype=np.float32)
        near = np.flatnonzero(np.abs(points[:, 0] - y.mean()) < cells + 14)
        dist = (y[:, None, None] - points[near, 0]) ** 2 + (x[None, :, None] - points[near, 1]) ** 2
        two = np.partition(dist, 1, axis=2)[..., :2]
        owner[top : top + cells] = near[dist.argmin(2)]
        edge[top : top + cells] = np.sqrt(two[..., 1]) - np.sqrt(two[..., 0])
    tone = rng.normal(0, 1, len(points)).astype(np.float32)[owner]
    shade = np.clip(1 - edge / 3.0, 0, 1)
    return _paint(_tint((146, 144, 142), rng, 9), (tone, (24, 23, 22)), (shade, (-62, -62, -60)))


PAINTERS: dict[str, Callable[[Rng, int], np.ndarray]] = {
    "grass": grass,
    "sand": sand,
    "water": water,
    "sky": sky,
    "snow": snow,
    "brick": brick,
    "wood": wood,
    "gravel": gravel,
}


class TextureBank:
    """Some variants of every background, painted once; crops of them are random in place, zoom and mirroring."""

    def __init__(self, seed: int, variants: int = 8, size: int = 384) -> None:
        rng = np.random.default_rng(seed)
        self.size = size
        self.tiles = {
            name: [Image.fromarray(np.ascontiguousarray(paint(rng, size))) for _ in range(variants)]
            for name, paint in PAINTERS.items()
        }
        self.grain = [fractal(rng, size, (4, 12, 48)) for _ in range(4)]

    def crop(self, rng: Rng, name: str, height: int, width: int) -> np.ndarray:
        """A random `[height, width, 3]` uint8 piece of a background."""
        tile = self.tiles[name][rng.integers(len(self.tiles[name]))]
        zoom = max(rng.uniform(0.75, 1.5), max(height, width) / self.size)
        h, w = min(height / zoom, self.size), min(width / zoom, self.size)
        top, left = rng.uniform(0, self.size - h), rng.uniform(0, self.size - w)
        out = np.asarray(
            tile.resize((width, height), Image.Resampling.BILINEAR, (left, top, left + w, top + h))
        )
        out = out if rng.random() < 0.5 else out[:, ::-1]
        return np.clip(out * np.float32(rng.uniform(0.85, 1.12)), 0, 255).astype(np.uint8)
