"""The sample picture of the quick start: `python -m vocabseg.train.sample sample.jpg`.

One composed scene of 480 x 640 pixels from a fixed seed that neither training nor evaluation uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from .classes import CLASS_NAMES
from .scenes import Scene, Thing, paste
from .sprites import draw
from .textures import TextureBank

SEED = 424_242
SIZE = (480, 640)
# noun, colour, pattern, size in pixels, centre (x, y)
LAYOUT = (
    ("house", "red", "plain", 190, (150, 250)),
    ("tree", "green", "plain", 200, (535, 235)),
    ("car", "blue", "plain", 165, (345, 320)),
    ("ball", "orange", "plain", 88, (205, 425)),
    ("umbrella", "purple", "plain", 120, (470, 410)),
    ("mushroom", "red", "plain", 82, (65, 420)),
    ("flower", "pink", "plain", 92, (595, 410)),
    ("butterfly", "yellow", "plain", 84, (335, 90)),
    ("star", "yellow", "plain", 66, (60, 70)),
)


def sample_scene() -> Scene:
    """Sky above grass with a beach in the right-hand corner, and the objects of LAYOUT."""
    rng = np.random.default_rng(SEED)
    bank = TextureBank(SEED, size=max(SIZE))
    height, width = SIZE
    y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    ground = y > 0.52 + 0.03 * np.sin(5 * x + 1)
    beach = ground & (y > 1.28 - 0.62 * x + 0.03 * np.sin(9 * x))
    image, labels = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.uint8)
    for name, region in (("sky", ~ground), ("grass", ground & ~beach), ("sand", beach)):
        image[region] = bank.crop(rng, name, height, width)[region]
        labels[region] = CLASS_NAMES.index(name)
    scene = Scene(image, labels, [], ["sky", "grass", "sand"])
    for noun, colour, pattern, pixels, (cx, cy) in LAYOUT:
        sprite = draw(rng, noun, colour, pattern, pixels, bank.grain[0])
        paste(scene, sprite, cy - sprite.shape[0] // 2, cx - sprite.shape[1] // 2, CLASS_NAMES.index(noun))
        scene.things.append(Thing(noun, colour, pattern))
    return scene


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m vocabseg.train.sample OUT.jpg")
    Image.fromarray(sample_scene().image).save(Path(sys.argv[1]), quality=92)


if __name__ == "__main__":
    main()
