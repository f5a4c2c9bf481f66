from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from vocabseg import ops
from vocabseg.errors import ShapeError

OP = "patch_text_similarity"
SHAPES = [(1, 1, 1), (3, 7, 5), (16, 8, 2), (17, 33, 1), (196, 64, 20), (61, 515, 67), (0, 4, 2)]  # N, D, Q


def inputs(n: int, d: int, q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    text = rng.standard_normal((q, d))
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    return rng.standard_normal((n, d)).astype(np.float32), text.astype(np.float32)


def cosines(features: np.ndarray, text: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    return text.astype(np.float64) @ (features / np.linalg.norm(features, axis=-1, keepdims=True)).swapaxes(
        -1, -2
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_numpy(op, shape) -> None:
    features, text = inputs(*shape)
    result = op(features, text)
    assert result.shape == (shape[2], shape[0])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, cosines(features, text), rtol=0, atol=1e-6)
    raw = text.astype(np.float64) @ features.T.astype(np.float64)
    np.testing.assert_allclose(op(features, text, normalize=False), raw, rtol=1e-5, atol=1e-5)


def test_batch(op) -> None:
    features, text = inputs(30, 8, 3)
    batch = features.reshape(5, 6, 8)
    np.testing.assert_allclose(op(batch, text), cosines(batch, text), rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e20, 1e30])
def test_tiny_and_huge_rows(op, scale) -> None:
    features, text = inputs(9, 16, 3)
    expected = cosines(features, text)
    np.testing.assert_allclose(op(features * np.float32(scale), text), expected, rtol=0, atol=1e-5)


def test_zero_rows_give_zero(op) -> None:
    features, text = inputs(20, 8, 3)
    features[4] = 0
    assert (op(features, text)[:, 4] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_give_nan(op, value) -> None:
    features, text = inputs(20, 8, 3)
    features[4, 2] = value
    result = op(features, text)
    assert np.isnan(result[:, 4]).all()
    assert np.isfinite(np.delete(result, 4, axis=1)).all()


DTYPES = [np.float16, ml_dtypes.bfloat16, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_other_float_types(op, dtype) -> None:
    features, text = inputs(45, 37, 3)
    features, text = features.astype(dtype), text.astype(dtype)
    expected = cosines(features.astype(np.float32), text.astype(np.float32))
    np.testing.assert_allclose(op(features, text), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(op(features[::-2, ::-1], text[:, ::-1]), expected[:, ::-2], rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, *DTYPES])
def test_the_least_and_the_largest_values_of_a_type(op, dtype) -> None:
    """No finite row over- or underflows, not even where squares do."""
    info = ml_dtypes.finfo(np.float32 if dtype is np.float64 else dtype)
    features, text = inputs(4, 16, 3)
    for value in (info.smallest_subnormal, info.tiny, info.max):
        row = np.zeros((1, 16), dtype)
        row[0, [1, 5]] = value
        expected = text[:, [1, 5]].astype(np.float64).sum(1, keepdims=True) / np.sqrt(2)
        np.testing.assert_allclose(op(row, text), expected, rtol=0, atol=1e-6)


def test_strides(op) -> None:
    features, text = inputs(40, 16, 6)
    np.testing.assert_array_equal(
        op(features[::-2], text[::-1]), op(features[::-2].copy(), text[::-1].copy())
    )
    mirrored = op(features[:, ::-1], text[:, ::-1])
    np.testing.assert_array_equal(mirrored, op(features[:, ::-1].copy(), text[:, ::-1].copy()))


def test_same_bits_for_any_thread_count(op) -> None:
    features, text = inputs(83, 24, 7)
    expected = op(features, text, threads=1)
    for threads in (2, 3, 8):
        np.testing.assert_array_equal(op(features, text, threads=threads), expected)
    alone = np.concatenate([op(features[i : i + 1], text) for i in range(len(features))], axis=1)
    np.testing.assert_array_equal(alone, expected)


@pytest.mark.parametrize(
    "features, text",
    [
        (np.zeros((4, 3), np.float32), np.zeros((2, 4), np.float32)),
        (np.zeros((4, 3), np.float32), np.zeros((0, 3), np.float32)),
        (np.zeros((4, 0), np.float32), np.zeros((2, 0), np.float32)),
        (np.zeros((4, 3), np.int32), np.zeros((2, 3), np.float32)),
        (np.zeros((4, 3), np.complex64), np.zeros((2, 3), np.float32)),
        (np.zeros(3, np.float32), np.zeros((2, 3), np.float32)),
        (np.zeros((4, 3), np.float32), np.zeros(3, np.float32)),
    ],
)
def test_bad_input(op, features, text) -> None:
    with pytest.raises(ShapeError):
        op(features, text)


QUERY_TO_CLASS = np.array([4, 0, 2, 2, 0, 1, 4])  # class 3 has no query


@pytest.mark.parametrize("shape", [(1, 5), (83, 24), (130, 600)])
def test_maximum_of_classes(op, shape) -> None:
    features, text = inputs(*shape, 7)
    scores = op(features, text)
    best = op(features, text, query_to_class=QUERY_TO_CLASS)
    assert best.shape == (5, shape[0])
    for index in (0, 1, 2, 4):
        np.testing.assert_array_equal(best[index], scores[index == QUERY_TO_CLASS].max(0))
    assert (best[3] == -np.inf).all()
    batch = op(np.stack([features, -features]), text, query_to_class=QUERY_TO_CLASS, classes=8)
    np.testing.assert_array_equal(batch[0, :5], best)
    assert (batch[:, 5:] == -np.inf).all()


def test_nan_loses_the_maximum_of_classes(op) -> None:
    features, text = inputs(40, 8, 7)
    features[3] = np.nan
    text[[1, 5]] = np.nan
    best = op(features, text, query_to_class=QUERY_TO_CLASS)
    np.testing.assert_array_equal(best[0, 4:], op(features, text)[4, 4:])
    assert np.isnan(best[1]).all()
    assert np.isnan(best[[0, 1, 2, 4], 3]).all()


@pytest.mark.op("top_classes")
@pytest.mark.parametrize("mapping", [None, QUERY_TO_CLASS])
@pytest.mark.parametrize("shape", [(1, 1), (77, 24), (140, 300)])
def test_top_classes(op, mapping, shape) -> None:
    features, text = inputs(*shape, 7)
    label, score, margin = op(features, text, query_to_class=mapping)
    classes = cosines(features, text)
    if mapping is not None:
        classes = np.stack([classes[mapping == c].max(0, initial=-np.inf) for c in range(5)])
    second, best = np.sort(classes, axis=0)[-2:]
    clear = best - second > 1e-6
    assert label.dtype == np.int32 and score.dtype == margin.dtype == np.float32
    np.testing.assert_array_equal(label[clear], classes.argmax(0)[clear])
    np.testing.assert_allclose(score, best, rtol=0, atol=1e-6)
    np.testing.assert_allclose(margin, best - second, rtol=0, atol=1e-6)
    batch = op(np.stack([features[:5], features[-5:]]), text, query_to_class=mapping)
    np.testing.assert_array_equal(batch[0], np.stack([label[:5], label[-5:]]))


@pytest.mark.op("top_classes")
def test_top_classes_of_ties_and_nan(op) -> None:
    features, text = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    text[2] = text[1]
    features[3] = np.nan
    label, score, margin = op(features, text)
    np.testing.assert_array_equal(label, [0, 1, 0, -1])
    np.testing.assert_array_equal(score, [1, 1, 0, np.nan])
    np.testing.assert_array_equal(margin, [1, 0, 0, np.nan])
    text[0] = np.nan
    label, score, margin = op(features, text)
    np.testing.assert_array_equal(label, [1, 1, 1, -1])
    for one in (op(features, text[1:2]), op(features, text[1:3], query_to_class=np.array([1, 1]))):
        assert (one[2][:3] == np.inf).all() and np.isnan(one[2][3])


@pytest.mark.op("top_classes")
def test_top_classes_same_bits_for_any_thread_count(op) -> None:
    features, text = inputs(83, 24, 7)
    expected = op(features, text, threads=1)
    for threads in (2, 5):
        np.testing.assert_array_equal(op(features, text, threads=threads), expected)


@pytest.mark.parametrize(
    "classes",
    [
        {"query_to_class": np.array([0, -1])},
        {"query_to_class": np.array([0, 1]), "classes": 1},
        {"query_to_class": np.array([0, 1, 2])},
        {"query_to_class": np.array([0.0, 1.0])},
        {"query_to_class": np.array([0, 1 << 40])},
        {"classes": 2},
    ],
)
def test_bad_classes(op, classes) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros((4, 3), np.float32), np.zeros((2, 3), np.float32), **classes)


def test_auto_takes_the_core() -> None:
    features, text = inputs(4, 3, 2)
    with ops.record() as used:
        ops.patch_text_similarity(features, text)
    assert used == ["patch_text_similarity/cpu"]
