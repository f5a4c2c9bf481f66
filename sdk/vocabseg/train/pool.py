"""A pool of rendered scenes on disk: pictures as one memory-mapped array, contents as JSON. No pixel labels."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .scenes import SceneGenerator, SceneStyle, Thing

CHUNK = 500


class ScenePool:
    """`images` uint8 `[n, size, size, 3]`; `things[i]`, `backgrounds[i]`: what captions of picture i may name."""

    def __init__(self, folder: Path) -> None:
        contents = json.loads((folder / "contents.json").read_text())
        self.things = [[Thing(**t) for t in row["things"]] for row in contents]
        self.backgrounds = [row["backgrounds"] for row in contents]
        self.images = np.load(folder / "images.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.things)


def make_pool(
    folder: Path, count: int, size: int, seed: int, style: SceneStyle, workers: int = 2
) -> ScenePool:
    """Render `count` scenes into `folder`, or open the pool that is already there; complete only with its JSON."""
    if not (folder / "contents.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, size, size, 3))
        images.flush()
        jobs = [
            (folder, start, min(start + CHUNK, count), size, seed, style) for start in range(0, count, CHUNK)
        ]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            contents = [row for rows in pool.map(_render, jobs) for row in rows]
        temporary = folder / "contents.json.tmp"
        temporary.write_text(json.dumps(contents))
        os.replace(temporary, folder / "contents.json")
    return ScenePool(folder)


_generators: dict[tuple[int, int, SceneStyle], SceneGenerator] = {}


def _render(job: tuple[Path, int, int, int, int, SceneStyle]) -> list[dict]:
    folder, start, stop, size, seed, style = job
    if (size, seed, style) not in _generators:
        _generators[size, seed, style] = SceneGenerator(size, size, seed, style)
    generate = _generators[size, seed, style]
    images = np.load(folder / "images.npy", mmap_mode="r+")
    contents = []
    for index in range(start, stop):
        scene = generate(index)
        images[index] = scene.image
        contents.append({"things": [asdict(t) for t in scene.things], "backgrounds": scene.backgrounds})
    images.flush()
    return contents
