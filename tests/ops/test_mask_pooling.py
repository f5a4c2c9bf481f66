from __future__ import annotations

import numpy as np
import pytest
from plans import PLANS, scores_for, textbook

from vocabseg import rle
from vocabseg.errors import MaskError, ShapeError

OP = "mask_pool"
WIDTH = 5


def features_for(plan) -> np.ndarray:
    """[W, N, D]"""
    patches = scores_for(plan, WIDTH)
    return np.ascontiguousarray(np.moveaxis(patches, 1, -1).reshape(plan.windows, -1, WIDTH))


def patches_of(features: np.ndarray, plan) -> np.ndarray:
    return np.moveaxis(features.reshape(plan.windows, plan.grid_h, plan.grid_w, -1), -1, 1)


def masks_for(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Speckles, a block, everything, one pixel, nothing."""
    height, width = size
    masks = np.zeros((5, height, width), bool)
    masks[0] = np.random.default_rng(seed).random(size) < 0.4
    masks[1, height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = True
    masks[2] = True
    masks[3, -1, -1] = True
    return masks


def expected_of(features: np.ndarray, masks: np.ndarray, plan) -> np.ndarray:
    pixels = textbook(patches_of(features, plan), plan, masks.shape[1:])
    return np.stack([pixels[:, mask].mean(1) if mask.any() else np.zeros(len(pixels)) for mask in masks])


def coco(mask: np.ndarray, form: str) -> dict:
    counts = rle.encode(mask)
    code = rle.compress(counts)
    forms = {"list": counts.tolist(), "bytes": code.encode(), "str": code}
    return {"size": list(mask.shape), "counts": forms[form]}


@pytest.mark.parametrize("name", PLANS)
def test_equals_the_textbook(op, name) -> None:
    plan = PLANS[name]
    features, masks = features_for(plan), masks_for((plan.source_h, plan.source_w))
    expected = expected_of(features, masks, plan)
    codes = [
        coco(mask, form) for mask, form in zip(masks, ("list", "bytes", "str", "list", "bytes"), strict=True)
    ]
    for given in (masks, masks.astype(np.uint8) * 7, codes):
        pooled, area = op(features, given, plan=plan)
        assert pooled.dtype == np.float32
        assert area.dtype == np.int64
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(area, masks.sum((1, 2)))
    assert (pooled[4] == 0).all()


@pytest.mark.parametrize("name", PLANS)
def test_label_map(op, name) -> None:
    plan = PLANS[name]
    features = features_for(plan)
    labels = np.random.default_rng(1).integers(-2, 6, (plan.source_h, plan.source_w))
    masks = labels == np.arange(7)[:, None, None]
    expected = expected_of(features, masks, plan)
    for given in (labels, labels.astype(np.int32), labels.astype(np.int8)):
        pooled, area = op(features, given, count=7, plan=plan)
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(area, masks.sum((1, 2)))


def test_without_a_plan(op) -> None:
    plan = PLANS["stretched"]
    features = features_for(plan)
    masks = masks_for((23, 31))
    pooled, _ = op(features.reshape(3, 5, WIDTH), masks)
    np.testing.assert_allclose(pooled, expected_of(features, masks, plan), rtol=0, atol=2e-6)


def test_no_masks(op) -> None:
    features = np.ones((3, 5, WIDTH), np.float32)
    for masks in (np.zeros((0, 6, 7), bool), [], np.full((6, 7), -1)):
        pooled, area = op(features, masks)
        assert pooled.shape == (0, WIDTH)
        assert area.shape == (0,)


def test_nan_patches_touch_only_their_masks(op) -> None:
    features = np.ones((1, 4, WIDTH), np.float32)
    features[0, 3] = np.nan
    masks = np.zeros((2, 4, 16), bool)
    masks[0, :, :10] = True  # reaches patch centres 0 to 2 only
    masks[1, :, 12:] = True
    pooled, _ = op(features, masks)
    assert (pooled[0] == 1).all()
    assert np.isnan(pooled[1]).all()


def test_views(op) -> None:
    plan = PLANS["slide"]
    features, masks = features_for(plan), masks_for((40, 52))
    expected, _ = op(features, np.ascontiguousarray(masks[::-1, :, ::-1]), plan=plan)
    np.testing.assert_array_equal(op(features, masks[::-1, :, ::-1], plan=plan)[0], expected)
    transposed = np.asfortranarray(masks)
    np.testing.assert_array_equal(op(features, transposed, plan=plan)[0], op(features, masks, plan=plan)[0])


def test_same_bits_for_any_thread_count(op) -> None:
    plan = PLANS["slide, ragged"]
    features, masks = features_for(plan), masks_for((37, 29))
    labels = np.random.default_rng(1).integers(0, 9, (37, 29))
    for given in (masks, labels, [coco(mask, "list") for mask in masks]):
        expected, _ = op(features, given, plan=plan, threads=1)
        for threads in (2, 3):
            np.testing.assert_array_equal(op(features, given, plan=plan, threads=threads)[0], expected)


@pytest.mark.parametrize(
    "masks",
    [
        np.zeros((2, 4, 4), np.float32),
        np.zeros((2, 0, 4), bool),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), np.float64),
        np.zeros((0, 4), np.int32),
        [{"size": [4, 4], "counts": [3, 4]}],
        [{"size": [4, 4], "counts": [20, -4]}],
        [{"size": [4, 4], "counts": [16]}, {"size": [4, 5], "counts": [20]}],
        [{"size": [4, 4], "counts": b"~"}],
        [{"size": [4, 4], "counts": "P"}],
        [{"size": [4, 4], "counts": "é"}],
        [{"size": [4, 4]}],
        [{"size": [4], "counts": [4]}],
        [{"size": [0, 4], "counts": []}],
    ],
)
def test_bad_masks(op, masks) -> None:
    with pytest.raises(MaskError):
        op(np.zeros((2, 2, WIDTH), np.float32), masks)


def test_ids_out_of_range(op) -> None:
    with pytest.raises(MaskError, match="id 3"):
        op(np.zeros((2, 2, WIDTH), np.float32), np.full((4, 4), 3), count=3)


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3), (2, 2, 0)])
def test_bad_features(op, shape) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros(shape, np.float32), np.zeros((1, 4, 4), bool))
