"""Areas, masks, overlays and files of a result."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vocabseg import rle
from vocabseg.errors import BackendUnavailable, ImageError, VocabularyError
from vocabseg.palette import UNLABELED_COLOUR, make_palette
from vocabseg.results import RegionLabels, Segmentation

NAMES = ("road", "car", "sky", "tree")
LABELS = np.array([[0, 0, 1, 1], [0, 3, 3, 255]], np.uint8)
IMAGE = np.full((2, 4, 3), 100, np.uint8)


def make(labels=LABELS, names=NAMES, scores: bool = True) -> Segmentation:
    probabilities = np.linspace(0, 1, labels.size, dtype=np.float32).reshape(labels.shape) if scores else None
    timing = {"encode": 2.0, "total": 2.0}
    return Segmentation(
        labels, probabilities, names, (2,), make_palette(len(names)), "engine float32", timing
    )


def test_area() -> None:
    areas = make().area()
    assert list(areas) == ["road", "car", "tree", "unlabeled"]
    assert [area.pixels for area in areas.values()] == [3, 2, 2, 1]
    assert sum(area.share for area in areas.values()) == pytest.approx(1)
    assert areas["road"].score == pytest.approx((0 + 1 / 7 + 4 / 7) / 3)
    assert areas["unlabeled"].score == pytest.approx(1)
    assert make(scores=False).area()["road"].score is None


def test_area_of_a_class_without_pixels() -> None:
    assert make(np.zeros((2, 2), np.uint8)).area()["car"] == (0, 0.0, None)


def test_mask() -> None:
    result = make()
    np.testing.assert_array_equal(result.mask("car"), LABELS == 1)
    np.testing.assert_array_equal(result.mask(3), LABELS == 3)
    np.testing.assert_array_equal(result.mask("unlabeled"), LABELS == 255)
    assert not result.mask("sky").any()
    for name in ("cat", 4, -1, None):
        with pytest.raises(VocabularyError, match="no class"):
            result.mask(name)
    with pytest.raises(VocabularyError, match="did you mean 'road'"):
        result.mask("raod")


def test_unlabeled_follows_the_dtype() -> None:
    assert make().unlabeled == 255
    assert make(LABELS.astype(np.uint16)).unlabeled == 65535


def test_array_protocol() -> None:
    assert np.asarray(make()) is LABELS
    assert np.array(make(), dtype=np.int64).dtype == np.int64


def test_overlay_without_legend_keeps_the_size() -> None:
    picture = np.asarray(make().overlay(IMAGE, legend=False))
    assert picture.shape == IMAGE.shape
    plain = np.asarray(make(np.zeros((2, 4), np.uint8)).overlay(IMAGE, opacity=0.5, legend=False))
    np.testing.assert_allclose(plain[0, 0], (make_palette(1)[0].astype(float) + 100) / 2, atol=1)
    grey = np.asarray(make(np.full((2, 4), 255, np.uint8)).overlay(IMAGE, legend=False))
    np.testing.assert_array_equal(grey, IMAGE)


@pytest.mark.parametrize("size", [(4, 6), (64, 48), (480, 640), (1200, 900)])
def test_legend_holds_a_readable_line_per_class(size) -> None:
    labels = np.zeros(size, np.uint8)
    labels[: size[0] // 2] = 1
    labels[:, :2] = 255
    with_legend = make(labels).overlay(np.zeros((*size, 3), np.uint8))
    assert with_legend.height > size[0] + 15
    assert with_legend.width >= max(size[1], 100)
    legend = np.asarray(with_legend)[size[0] :]
    colours = {tuple(colour) for colour in legend.reshape(-1, 3).tolist()}
    assert {tuple(make_palette(2)[0]), tuple(make_palette(2)[1]), UNLABELED_COLOUR} <= colours
    assert tuple(make_palette(4)[3]) not in colours  # no pixels, no line


def test_many_and_long_names_fit() -> None:
    names = tuple(f"class {index} {'with a long name ' * 5}" for index in range(60))
    labels = np.arange(6000, dtype=np.uint8).reshape(60, 100) % 60
    picture = make(labels, names).overlay(np.zeros((60, 100, 3), np.uint8))
    assert picture.width < 700
    assert picture.height < 1200


def test_overlay_needs_the_picture_that_was_segmented() -> None:
    with pytest.raises(ImageError, match="2×4.*3×4"):
        make().overlay(np.zeros((3, 4, 3), np.uint8))


def test_saved_labels_are_exact_and_coloured(tmp_path) -> None:
    path = make().save(tmp_path / "labels.png", sidecar=True)
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), LABELS)
        colours = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colours[0, 2], make_palette(2)[1])
    assert tuple(colours[1, 3]) == UNLABELED_COLOUR
    sidecar = json.loads((tmp_path / "labels.json").read_text())
    assert sidecar["names"] == list(NAMES)
    assert sidecar["areas"]["car"]["pixels"] == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["labels.json", "labels.png"]


def test_wide_labels_are_saved_as_16_bit(tmp_path) -> None:
    labels = np.array([[0, 299], [65535, 256]], np.uint16)
    names = tuple(f"class {index}" for index in range(300))
    with Image.open(make(labels, names).save(tmp_path / "x.png")) as image:
        np.testing.assert_array_equal(np.asarray(image), labels)
    assert make(labels, names).overlay(np.zeros((2, 2, 3), np.uint8)).width >= 2


def test_labels_are_saved_as_png_only(tmp_path) -> None:
    with pytest.raises(ImageError, match=r"\.png"):
        make().save(tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compressed", [True, False])
def test_coco_rle(compressed) -> None:
    entries = make().to_coco_rle(compressed)
    assert [entry["name"] for entry in entries] == ["road", "car", "tree"]
    for entry in entries:
        height, width, counts = rle.parse(json.loads(json.dumps(entry["segmentation"])))
        np.testing.assert_array_equal(rle.decode(counts, height, width), entry["class_id"] == LABELS)
        assert entry["area"] == (entry["class_id"] == LABELS).sum()


def test_supervision() -> None:
    try:
        import supervision  # noqa: F401
    except ImportError:
        with pytest.raises(BackendUnavailable, match="pip install"):
            make().to_supervision()
        return
    detections = make().to_supervision()
    assert detections.class_id.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(detections.mask[1], LABELS == 1)


def test_palette_is_fixed_and_distinct() -> None:
    palette = make_palette(171).astype(int)
    np.testing.assert_array_equal(palette[:21], make_palette(21))
    assert make_palette(0).shape == (0, 3)
    for count, apart in ((8, 90), (21, 40), (171, 8)):
        colours = np.vstack([palette[:count], UNLABELED_COLOUR])
        distance = np.abs(colours[:, None] - colours[None]).sum(-1) + 999 * np.eye(count + 1, dtype=int)
        assert distance.min() >= apart


def test_region_labels() -> None:
    regions = RegionLabels(
        class_ids=np.array([1, -1], np.int32),
        scores=np.array([0.75, 0.0], np.float32),
        area=np.array([10, 0]),
        features=np.zeros((2, 4), np.float32),
        classes=NAMES,
        backend="engine",
        timing={"total": 1.0},
    )
    assert regions.names == ["car", None]
    assert list(regions) == [("car", 0.75), (None, 0.0)]
    assert len(regions) == 2
    assert json.loads(json.dumps(regions.to_json()))[0] == {
        "name": "car",
        "class_id": 1,
        "score": 0.75,
        "area": 10,
    }
