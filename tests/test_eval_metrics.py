"""Confusion matrix and mIoU as mmsegmentation counts them."""

from __future__ import annotations

import numpy as np
import pytest

from vocabseg.eval.metrics import ConfusionMatrix, mean_iou


def textbook_iou(truths: list[np.ndarray], predictions: list[np.ndarray], classes: int) -> np.ndarray:
    out = np.full(classes, np.nan)
    for c in range(classes):
        hit = sum(((t == c) & (p == c)).sum() for t, p in zip(truths, predictions, strict=True))
        union = sum(
            (((t == c) | (p == c)) & (t != 255)).sum() for t, p in zip(truths, predictions, strict=True)
        )
        out[c] = hit / union if union else np.nan
    return out


def test_iou_equals_the_definition() -> None:
    rng = np.random.default_rng(0)
    truths = [rng.choice([0, 1, 2, 4, 255], (9, 7)).astype(np.uint8) for _ in range(3)]
    predictions = [rng.choice([0, 1, 2, 4, 255], (9, 7)).astype(np.uint8) for _ in range(3)]
    matrix = ConfusionMatrix(5)
    for truth, prediction in zip(truths, predictions, strict=True):
        matrix.add(truth, prediction)
    iou = matrix.iou()
    np.testing.assert_allclose(iou, textbook_iou(truths, predictions, 5))
    assert np.isnan(iou[3]) and mean_iou(iou) == pytest.approx(100 * np.nanmean(iou))


def test_one_matrix_over_the_set_is_not_a_mean_over_pictures() -> None:
    matrix = ConfusionMatrix(2)
    matrix.add(np.zeros((1, 9), np.uint8), np.zeros((1, 9), np.uint8))
    matrix.add(np.zeros((1, 1), np.uint8), np.ones((1, 1), np.uint8))
    np.testing.assert_allclose(matrix.iou(), [0.9, 0.0])
    assert matrix.accuracy() == pytest.approx(0.9)


def test_mean_over_a_part_of_the_classes() -> None:
    iou = np.array([0.5, np.nan, 0.1])
    assert mean_iou(iou, slice(0, 2)) == pytest.approx(50)
    assert np.isnan(mean_iou(iou, [1]))


def test_bad_input_is_refused() -> None:
    matrix = ConfusionMatrix(2)
    with pytest.raises(ValueError, match="shape"):
        matrix.add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="label 7"):
        matrix.add(np.full((2, 2), 7, np.uint8), np.zeros((2, 2), np.uint8))
