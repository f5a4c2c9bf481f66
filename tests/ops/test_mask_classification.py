from __future__ import annotations

import numpy as np
import pytest
from plans import PLANS, scores_for

from vocabseg import ops
from vocabseg.errors import MaskError, ShapeError

OP = "mask_classification"
WIDTH = 6
# Four patches in a row, unit vectors; mask m holds the pixels nearest to patch m alone.
FEATURES = np.eye(4, WIDTH, dtype=np.float32)[None]
MASKS = np.zeros((5, 4, 16), bool)
MASKS[0, :, :2], MASKS[1, :, 6], MASKS[2, :, 10], MASKS[3, :, 14:] = True, True, True, True


def unit_rows(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("name", PLANS)
def test_equals_its_parts(op, name, normalize) -> None:
    plan = PLANS[name]
    patches = scores_for(plan, WIDTH)
    features = np.moveaxis(patches, 1, -1).reshape(plan.windows, -1, WIDTH)
    rng = np.random.default_rng(3)
    masks = rng.random((9, plan.source_h, plan.source_w)) < 0.3
    masks[4] = False
    text, mapping = unit_rows(7), np.array([2, 0, 1, 2, 0, 3, 3])
    settings = {"query_to_class": mapping, "logit_scale": 20.0, "threshold": 0.3, "unlabeled": 9}
    labels, scores, area = op(features, masks, text, normalize=normalize, plan=plan, **settings)
    pooled, expected_area = ops.mask_pool(features, masks, plan=plan, impl="reference")
    cosines = ops.patch_text_similarity(pooled, text, normalize=normalize, impl="reference")
    expected, best = ops.decode_labels(
        cosines[:, None], (1, 9), return_scores=True, impl="reference", **settings
    )
    empty = expected_area == 0
    assert empty[4]
    np.testing.assert_array_equal(labels, np.where(empty, 9, expected[0]))
    np.testing.assert_allclose(scores, np.where(empty, 0, best[0]), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(area, expected_area)
    assert labels.dtype == np.uint8
    assert scores.dtype == np.float32


def test_forms_agree(op) -> None:
    text = unit_rows(3)
    labels = np.random.default_rng(0).integers(-1, 5, (4, 16))
    masks = labels == np.arange(5)[:, None, None]
    expected = op(FEATURES, masks, text, logit_scale=30.0)
    for given in (labels, ops.PackedMasks.pack(masks), masks.astype(np.float32)):
        for got, wanted in zip(op(FEATURES, given, text, logit_scale=30.0), expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_unlabelled(op) -> None:
    text = np.eye(2, WIDTH, dtype=np.float32)
    labels, scores, area = op(FEATURES, MASKS, text, logit_scale=50.0, threshold=0.6)
    assert labels[0] == 0
    assert labels[4] == 255  # empty
    assert scores[4] == 0
    assert area[4] == 0
    assert labels[3] == 255  # near neither word: probability 0.5
    assert scores[3] == pytest.approx(0.5)


def test_ties_go_to_the_lower_class(op) -> None:
    text = np.repeat(unit_rows(1), 3, axis=0)
    labels, scores, _ = op(FEATURES, MASKS, text, query_to_class=[2, 1, 1])
    assert labels[:4].tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(scores[:4], 1 / 3, atol=1e-6)


def test_nan_never_wins(op) -> None:
    features = FEATURES.copy()
    features[0, 3] = np.nan
    labels, scores, _ = op(features, MASKS, unit_rows(3))
    assert labels[3] == 255
    assert scores[3] == 0
    assert (labels[:2] < 3).all()
    text = np.eye(3, WIDTH, dtype=np.float32)
    text[0] = np.nan
    labels, scores, _ = op(FEATURES, MASKS, text, logit_scale=50.0)
    assert labels[0] == 1
    assert scores[0] == pytest.approx(0.5)


def test_disabled_classes_stay_in_the_softmax(op) -> None:
    text = np.eye(2, WIDTH, dtype=np.float32)
    labels, scores, _ = op(FEATURES, MASKS, text, class_enabled=[False, True])
    assert labels[0] == 1
    assert scores[0] == pytest.approx(1 / (1 + np.e), abs=1e-5)
    labels, scores, _ = op(FEATURES, MASKS, text, class_enabled=[False, False])
    assert (labels == 255).all()
    assert (scores == 0).all()


def test_many_classes(op) -> None:
    labels, _, _ = op(FEATURES, MASKS, unit_rows(2), query_to_class=[0, 300])
    assert labels.dtype == np.uint16
    assert labels[4] == 65535


def test_no_masks(op) -> None:
    labels, scores, area = op(FEATURES, MASKS[:0], unit_rows(2))
    assert (labels.shape, scores.shape, area.shape) == ((0,), (0,), (0,))
    assert labels.dtype == np.uint8


def test_more_masks_than_a_chunk(op) -> None:
    labels = np.arange(80 * 80).reshape(80, 80)
    features = np.random.default_rng(0).standard_normal((2, 2, WIDTH)).astype(np.float32)
    got, scores, area = op(features, labels, unit_rows(5))
    pixels = np.moveaxis(ops.upsample_scores(np.moveaxis(features, -1, 0), (80, 80)), 0, -1)
    cosines = (pixels / np.linalg.norm(pixels, axis=-1, keepdims=True)) @ unit_rows(5).T
    top = np.sort(cosines, axis=-1)
    clear = (top[..., -1] - top[..., -2] > 1e-4).ravel()
    np.testing.assert_array_equal(got[clear], cosines.argmax(-1).ravel()[clear])
    assert (scores > 0).all()
    assert (area == 1).all()


def test_weights(op) -> None:
    text = np.eye(4, WIDTH, dtype=np.float32)
    weights = np.zeros((4, 16), np.float32)
    weights[:, 10] = 1
    labels, _, area = op(FEATURES, np.ones((1, 4, 16), bool), text, weights=weights)
    assert labels.tolist() == [2]
    assert area.tolist() == [64]


@pytest.mark.parametrize(
    "settings",
    [
        {"query_to_class": [0, 1]},
        {"query_to_class": [0, 1, -1]},
        {"query_to_class": [0, 1, 3], "classes": 3},
        {"class_enabled": [True]},
        {"logit_scale": 0.0},
        {"logit_scale": np.nan},
        {"threshold": 1.5},
        {"unlabeled": 70000},
    ],
)
def test_bad_settings(op, settings) -> None:
    with pytest.raises(ShapeError):
        op(FEATURES, MASKS, unit_rows(3), **settings)


@pytest.mark.parametrize("text", [unit_rows(3)[:, :4], unit_rows(3)[:0], unit_rows(3)[0]])
def test_bad_text(op, text) -> None:
    with pytest.raises(ShapeError):
        op(FEATURES, MASKS, text)


def test_bad_masks(op) -> None:
    with pytest.raises(MaskError):
        op(FEATURES, MASKS[0].astype(np.float32), unit_rows(3))
