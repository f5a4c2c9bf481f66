from __future__ import annotations

import numpy as np
import pytest
from plans import PLANS, scores_for, textbook

from vocabseg import ops
from vocabseg.errors import MaskError, ShapeError
from vocabseg.kernels.common.upsample import upsample_windows
from vocabseg.kernels.common.window_plan import make_plan, single_window

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


INTERPOLATIONS = ["bilinear", "align_corners", "nearest"]
# Where few, where all queries are left over in a tile.
LARGE_PLANS = {
    "one window": single_window((41, 62), (5, 7)),
    "overlap": make_plan((50, 61), net=(48, 60), crop=(24, 24), stride=(12, 12), grid=(4, 4)),
    "grid larger than the output": single_window((7, 9), (20, 31)),
}


def smooth_scores(plan, queries: int, seed: int = 0) -> np.ndarray:
    """Cosines of words with features that change slowly over the picture, in CLIP's range."""
    rng = np.random.default_rng(seed)
    y = np.linspace(0, 3, plan.grid_h)[None, :, None]
    x = np.linspace(0, 4, plan.grid_w)[None, None]
    phase = rng.uniform(0, 6, (2, plan.windows, 16, 1, 1))
    features = np.sin(y + phase[0]) + np.cos(x + phase[1])
    text = rng.standard_normal((queries, 16)) / 4
    return (0.2 + 0.05 * np.einsum("qd,wdyx->wqyx", text, features)).astype(np.float32)


@pytest.mark.parametrize("queries", [171, 847])
@pytest.mark.parametrize("make", [smooth_scores, scores_for])
@pytest.mark.parametrize("name", LARGE_PLANS)
def test_many_queries(op, name, make, queries) -> None:
    plan = LARGE_PLANS[name]
    scores = make(plan, queries)
    query_to_class = np.random.default_rng(1).permutation(np.arange(queries) * 2 // 3)
    settings = {"plan": plan, "query_to_class": query_to_class}
    pixels = textbook(scores, plan, (plan.source_h, plan.source_w))
    for scale in (1.0, 100.0):
        probabilities = class_probabilities(pixels, query_to_class, scale)
        labels, best = op(scores, return_scores=True, logit_scale=scale, **settings)
        second, first = np.sort(probabilities, axis=0)[-2:]
        clear = first > second * (1 + scale * CLOSE)
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(labels[clear], probabilities.argmax(0)[clear])
        # Float32 scores of 1 to 4 have rounding errors of 2e-7, times 100 in the exponent.
        np.testing.assert_allclose(best, first, rtol=2e-6 + 1e-6 * scale)
        np.testing.assert_array_equal(op(scores, logit_scale=scale, **settings), labels)


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf, 3e38, -3e38])
@pytest.mark.parametrize("name", ["stretched", "slide, ragged", "resized"])
def test_irregular_patches(op, name, value) -> None:
    """The reference's labels and probabilities, around patches that are not ordinary numbers."""
    plan = PLANS[name]
    scores = scores_for(plan, 9)
    scores[:, [1, 4], 0, 1] = value
    scores[0, 7] = value
    settings = {"plan": plan, "logit_scale": 2.0, "return_scores": True}
    for enabled in (None, np.arange(9) % 4 != 0):
        labels, best = op(scores, class_enabled=enabled, **settings)
        expected, expected_best = ops.decode_labels(
            scores, class_enabled=enabled, impl="reference", **settings
        )
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_allclose(best, expected_best, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(op(scores, plan=plan, class_enabled=enabled), labels)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", PLANS)
def test_interpolations(op, name, interpolation) -> None:
    plan = PLANS[name]
    scores = scores_for(plan, len(QUERY_TO_CLASS))
    for size in ((plan.source_h, plan.source_w), (17, 40)):
        pixels = upsample_windows(scores, plan, size, interpolation)
        probabilities = class_probabilities(pixels, QUERY_TO_CLASS, 1.0)
        settings = {"plan": plan, "query_to_class": QUERY_TO_CLASS, "interpolation": interpolation}
        labels, best = op(scores, size, return_scores=True, **settings)
        assert_labels(labels, probabilities)
        np.testing.assert_allclose(best, probabilities.max(0), rtol=0, atol=1e-5)


def test_regions(op) -> None:
    scores = np.zeros((3, 2, 4), np.float32)
    scores[:, 0] = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
    scores[:, 1] = np.array([[0, 1, np.nan, 1], [0, 0, np.nan, 0], [1, 0, np.nan, 0]])
    regions = [[5, 5, 5, -1], [0, 0, 7, -3]]
    settings = {"return_scores": True, "interpolation": "nearest"}
    own = op(scores, (2, 4), **settings)
    np.testing.assert_array_equal(own[0], [[0, 1, 1, 2], [2, 0, 255, 0]])
    labels, best = op(scores, (2, 4), regions=regions, **settings)
    np.testing.assert_array_equal(labels, [[1, 1, 1, 2], [0, 0, 255, 0]])
    share = [[2 / 3, 2 / 3, 2 / 3, own[1][0, 3]], [0.5, 0.5, 0, own[1][1, 3]]]
    np.testing.assert_allclose(best, share, rtol=1e-6)
    # A region without a class, and pixels under the threshold, do not vote.
    labels = op(scores, (2, 4), regions=np.zeros((2, 4), int), threshold=1.0)
    assert (labels == 255).all()


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16])
def test_many_regions(op, dtype) -> None:
    plan = single_window((75, 101), (5, 7))
    scores = scores_for(plan, 300)
    regions = np.random.default_rng(2).integers(0, 900, (75, 101)).astype(dtype)
    regions[20:40, 30:60] = 1000
    if np.issubdtype(dtype, np.signedinteger):
        regions[:9] = -1
    own = op(scores, plan=plan)
    labels = op(scores, plan=plan, regions=regions)
    for region in np.unique(regions.astype(np.int64)):
        inside = regions == region
        counts = np.bincount(own[inside], minlength=300)
        expected = own[inside] if region < 0 else counts.argmax()
        np.testing.assert_array_equal(labels[inside], expected)


@pytest.mark.parametrize(
    "regions", [np.zeros((4, 5), int), np.zeros((4, 4)), np.full((4, 4), 1 << 20), np.zeros(16, int)]
)
def test_bad_regions(op, regions) -> None:
    with pytest.raises(MaskError):
        op(np.zeros((3, 2, 2), np.float32), (4, 4), regions=regions)


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
        {"interpolation": "bicubic"},
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


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(50, 77), (5, 3), (1, 1), (82, 94)])
def test_resizes_equal_torch(op, size, interpolation) -> None:
    """One window, resized once; and two resizes one after the other."""
    torch = pytest.importorskip("torch")
    mode = {"mode": "nearest"}
    if interpolation != "nearest":
        mode = {"mode": "bilinear", "align_corners": interpolation == "align_corners"}
    whole = single_window(size, (2, 5))
    resized = make_plan(size, net=(14, 33), crop=(14, 33), stride=(14, 33), grid=(2, 5))
    scores = scores_for(whole, 4)
    given = torch.from_numpy(scores)
    once = torch.nn.functional.interpolate(given, size, **mode)
    twice = torch.nn.functional.interpolate(
        torch.nn.functional.interpolate(given, (14, 33), **mode), size, **mode
    )
    for plan, expected in ((whole, once[0].numpy()), (resized, twice[0].numpy())):
        for impl in ("cpu", "reference"):
            maps = ops.upsample_scores(scores, plan=plan, interpolation=interpolation, impl=impl)
            np.testing.assert_allclose(maps, expected, rtol=0, atol=3e-6)
        labels = op(scores, plan=plan, interpolation=interpolation)
        assert_labels(labels, class_probabilities(expected.astype(np.float64), np.arange(4), 1.0))
