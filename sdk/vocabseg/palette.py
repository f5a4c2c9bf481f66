"""One colour per class, far from those before it."""

from __future__ import annotations

import colorsys

import numpy as np

UNLABELED_COLOUR = (128, 128, 128)

# Hue, saturation and value step through their ranges by irrational parts, so that they never meet again. The
# offsets come from a random search for colours far apart in CIELAB: 35 between any of the first 8, 9 of 60.
_STEPS = np.array([0.6180339887498949, 0.6710436067037893, 0.5497004779019703])
_OFFSETS = np.array([0.33, 0.91, 0.79])
_LOWEST = np.array([0.0, 0.40, 0.45])


def make_palette(classes: int) -> np.ndarray:
    """uint8 [C, 3] RGB. The colour of a class depends on its index alone."""
    parts = (_OFFSETS + np.arange(classes)[:, None] * _STEPS) % 1.0
    colours = [colorsys.hsv_to_rgb(*hsv) for hsv in _LOWEST + (1.0 - _LOWEST) * parts]
    return np.rint(255.0 * np.array(colours).reshape(-1, 3)).astype(np.uint8)
