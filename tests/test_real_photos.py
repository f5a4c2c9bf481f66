"""Real photos of every shape go through segment and classify_masks, with a randomly initialised ViT-B/16.

The photos lie beside the repository on some machines and are never part of it. A sample runs by default, every
photo with ``-m slow``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vocabseg
from vocabseg.cli import main

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SETS = ("voc12_mini", "coco_tiny", "ade_mini", "camvid11")
SAMPLE = 3  # photos of each set: the widest, the tallest, and the first

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no real photos beside the repository")


def items(name: str) -> list[dict]:
    index = DATA / name / "index.json"
    return json.loads(index.read_text())["items"] if index.is_file() else []


def sample(name: str) -> list[dict]:
    def aspect(item: dict) -> float:
        with Image.open(DATA / name / item["image"]) as image:
            return image.width / image.height

    found = items(name)[:60]
    ranked = sorted(found, key=aspect)
    chosen = [ranked[0], ranked[-1], found[0]] if found else []
    return list({item["image"]: item for item in chosen}.values())[:SAMPLE]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory) -> vocabseg.Segmenter:
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    bundle = tmp_path_factory.mktemp("bundle") / "random-b16"
    arguments = ["export", "ViT-B-16", "--pretrained", "none", "--method", "sclip", "--out", str(bundle)]
    assert main(arguments) == 0
    segmenter = vocabseg.Segmenter.load(bundle)
    segmenter.set_vocabulary(
        ["sky", "road, street", "person", "background: building, wall"], templates="photo"
    )
    return segmenter


def check_labels(segmenter, path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        height, width = image.height, image.width
    result = segmenter(path)
    assert result.labels.shape == (height, width)
    assert result.labels.dtype == np.uint8
    assert set(np.unique(result.labels)) <= {0, 1, 2, 255}
    assert set(result.timing) >= {"preprocess", "encode", "similarity", "decode"}
    return height, width


def check_masks(segmenter, path: Path, masks: np.ndarray) -> None:
    regions = segmenter.classify_masks(path, masks)
    count = len(masks) if masks.ndim == 3 else int(masks.max()) + 1
    assert len(regions.class_ids) == count
    assert np.isfinite(regions.scores).all()
    assert (regions.class_ids[regions.area == 0] == -1).all()


def check_item(segmenter, name: str, item: dict) -> None:
    path = DATA / name / item["image"]
    size = check_labels(segmenter, path)
    instances = DATA / name / item["instance"] if item.get("instance") else None
    source = instances or DATA / name / item["label"]
    ids = np.asarray(Image.open(source)).astype(np.int32)
    if ids.shape == size:
        check_masks(segmenter, path, ids)
        values = [value for value in np.unique(ids) if value][:5]
        check_masks(segmenter, path, np.stack([ids == value for value in values] or [ids == 0]))


@pytest.mark.parametrize("name", SETS)
def test_sample_of_photos(segmenter, name) -> None:
    chosen = sample(name)
    assert chosen
    for item in chosen:
        check_item(segmenter, name, item)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_every_photo(segmenter, name) -> None:
    for item in items(name):
        check_item(segmenter, name, item)
