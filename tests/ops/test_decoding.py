from __future__ import annotations

import numpy as np
import pytest
from plans import PLANS, scores_for, textbook

from vocabseg import ops
from vocabseg.errors import ShapeError

OP = "decode_labels"
QUERY_TO_CLASS = np.array([2, 0, 1, 1, 0, 3, 2])  # classes out of order, with synonyms
CLOSE = 1e-5  # probabilities nearer than this may change places in float32


def class_probabilities(pixels: np.ndarray, query_to_class: np.ndarray, scale: float) -> np.ndarray:
    terms = np.exp(scale * (pixels - pixels.max(0)))
    probabilities = terms / terms.sum(0)
    return np.stack([probabilities[query_to_class == c].max(0) for c in range(query_to_class.max() + 1)])


def assert_labels(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0, unlabeled: int = 255
) -> None:
    """Labels are right where two classes, or the best one and the threshold, are not too close to tell."""
    second, best = np.sort(probabilities, axis=0)[-2:]
    expected = np.where(best < threshold, unlabeled, probabilities.argmax(0))
    clear = (best - second > CLOSE) & (np.abs(best - threshold) > CLOSE)
    np.testing.assert_array_equal(labels[clear], expected[clear])
    assert clear.mean() > 0.9


@pytest.mark.parametrize("name", PLANS)
def test_equals_the_textbook(op, name) -> None:
    plan = PLANS[name]
    scores = scores_for(plan, len(QUERY_TO_CLASS))
    size = (plan.source_h, plan.source_w)
    probabilities = class_probabilities(textbook(scores, plan, size), QUERY_TO_CLASS, 4.0)
    settings = {"plan": plan, "query_to_class": QUERY_TO_CLASS, "logit_scale": 4.0}
    labels, best = op(scores, return_scores=True, **settings)
    assert labels.dtype == np.uint8
    assert best.dtype == np.float32
    assert_labels(labels, probabilities)
    np.testing.assert_allclose(best, probabilities.max(0), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(op(scores, **settings), labels)
    assert_labels(op(scores, threshold=0.4, **settings), probabilities, threshold=0.4)


def test_other_output_size(op) -> None:
    plan = PLANS["resized"]
    scores = scores_for(plan, 5)
    probabilities = class_probabilities(textbook(scores, plan, (33, 50)), np.arange(5), 1.0)
    assert_labels(op(scores, (33, 50), plan=plan), probabilities)


@pytest.mark.parametrize("queries", [1, 2, 3, 17, 64])
def test_numbers_of_queries(op, queries) -> None:
    plan = PLANS["stretched"]
    scores = scores_for(plan, queries)
    labels, best = op(scores[0], (23, 31), return_scores=True)
    pixels = textbook(scores, plan, (23, 31))
    if queries == 1:
        assert (labels == 0).all() and (best == 1).all()
    else:
        assert_labels(labels, class_probabilities(pixels, np.arange(queries), 1.0))


def test_more_than_255_classes(op) -> None:
    scores = scores_for(PLANS["stretched"], 300)[0]
    scores[:, 0, 0] = np.nan
    labels = op(scores, (23, 31))
    assert labels.dtype == np.uint16
    assert labels[0, 0] == 65535
    assert labels.max(where=labels < 65535, initial=0) > 255


def test_ties_go_to_the_lower_class(op) -> None:
    scores = np.ones((4, 2, 3), np.float32)
    labels, best = op(scores, (8, 9), query_to_class=[3, 1, 2, 1], return_scores=True)
    assert (labels == 1).all()
    np.testing.assert_allclose(best, 0.25)


def test_large_scores_do_not_overflow(op) -> None:
    scores = np.array([1e30, -1e30, 3e30], np.float32).reshape(3, 1, 1)
    labels, best = op(scores, (2, 2), logit_scale=100.0, return_scores=True)
    assert (labels == 2).all()
    assert (best == 1).all()


def test_nan_never_wins(op) -> None:
    scores = np.array([np.nan, 1, 2], np.float32).reshape(3, 1, 1)
    labels, best = op(scores, (2, 2), return_scores=True)
    assert (labels == 2).all()
    np.testing.assert_allclose(best, 1 / (1 + np.exp(-1)), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_pixels_without_a_winner_are_unlabelled(op, value) -> None:
    scores = np.full((3, 1, 2), 1, np.float32)
    scores[:, 0, 0] = value
    labels, best = op(scores, (1, 4), return_scores=True)
    # Pixel centres at patch coordinates -0.25, 0.25, 0.75, 1.25: only the last has no share of the first.
    np.testing.assert_array_equal(labels, [[255, 255, 255, 0]])
    np.testing.assert_allclose(best, [[0, 0, 0, 1 / 3]], atol=1e-6)


def test_infinity_wins(op) -> None:
    scores = np.array([np.inf, 1, np.inf], np.float32).reshape(3, 1, 1)
    labels, best = op(scores, (1, 1), return_scores=True)
    assert labels[0, 0] == 0
    assert best[0, 0] == 0.5


def test_disabled_classes_stay_in_the_softmax(op) -> None:
    scores = np.array([1, 2, 3], np.float32).reshape(3, 1, 1)
    settings = {"class_enabled": [True, True, False], "return_scores": True}
    labels, best = op(scores, (1, 1), **settings)
    assert labels[0, 0] == 1
    np.testing.assert_allclose(best, np.exp(2) / np.exp([1, 2, 3]).sum(), rtol=1e-6)
    assert op(scores, (1, 1), threshold=0.25, **settings)[0][0, 0] == 255
    assert op(scores, (1, 1), class_enabled=[False] * 3)[0, 0] == 255


def test_area_threshold(op) -> None:
    scores = np.zeros((3, 1, 10), np.float32)
    scores[0] = 0.5
    scores[1, 0, :4] = 2
    scores[2, 0, 4] = 1
    labels = op(scores, (1, 10), area_threshold=0.25, unlabeled=0)
    np.testing.assert_array_equal(labels, [[1] * 4 + [0] * 6])
    np.testing.assert_array_equal(
        op(scores, (1, 10), area_threshold=0.1, unlabeled=0), [[1] * 4 + [2] + [0] * 5]
    )


def test_strides_and_types(op) -> None:
    scores = scores_for(PLANS["stretched"], 6)[0]
    for view in (scores[::-1], scores[:, ::-1, ::2], scores.astype(np.float16), scores.astype(np.float64)):
        np.testing.assert_array_equal(
            op(view, (20, 30)), op(np.ascontiguousarray(view, np.float32), (20, 30))
        )


def test_same_bits_for_any_thread_count(op) -> None:
    plan = PLANS["slide, ragged"]
    settings = {"plan": plan, "logit_scale": 3.0, "return_scores": True}
    expected = op(scores_for(plan, 9), threads=1, **settings)
    for threads in (2, 5):
        for array, same in zip(op(scores_for(plan, 9), threads=threads, **settings), expected, strict=True):
            np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": (0, 4)},
        {"size": (4, 1 << 20)},
        {"size": None},
        {"query_to_class": [0, 1]},
        {"query_to_class": [0, 1, -1]},
        {"query_to_class": [0.0, 1.0, 2.0]},
        {"query_to_class": [0, 1, 2], "classes": 2},
        {"class_enabled": [True]},
        {"logit_scale": 0.0},
        {"logit_scale": np.nan},
        {"threshold": -0.1},
        {"threshold": np.nan},
        {"unlabeled": -1},
        {"unlabeled": 70000},
        {"classes": 70000},
        {"plan": PLANS["slide"]},
    ],
)
def test_bad_settings(op, settings) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros((3, 2, 2), np.float32), **{"size": (4, 4), **settings})


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 0, 2), (2, 2), (1, 1, 2, 2)])
def test_bad_scores(op, shape) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros(shape, np.float32), (4, 4))


@pytest.mark.parametrize("impl", ["cpu", "reference"])
@pytest.mark.parametrize("name", PLANS)
def test_upsample_scores(name, impl) -> None:
    plan = PLANS[name]
    scores = scores_for(plan, 3)
    size = (plan.source_h, plan.source_w)
    with ops.record() as used:
        result = ops.upsample_scores(scores, plan=plan, impl=impl)
    assert used == [f"label_decoding/{impl}"]
    np.testing.assert_allclose(result, textbook(scores, plan, size), rtol=0, atol=2e-6)


def test_upsampling_equals_torch() -> None:
    torch = pytest.importorskip("torch")
    scores = scores_for(PLANS["stretched"], 4)
    expected = torch.nn.functional.interpolate(torch.from_numpy(scores), (50, 77), mode="bilinear").numpy()
    np.testing.assert_allclose(ops.upsample_scores(scores[0], (50, 77)), expected[0], rtol=0, atol=2e-6)
