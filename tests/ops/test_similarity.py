from __future__ import annotations

import numpy as np
import pytest

from vocabseg import ops
from vocabseg.errors import ShapeError

OP = "patch_text_similarity"
SHAPES = [(1, 1, 1), (3, 7, 5), (16, 8, 2), (17, 33, 1), (196, 64, 20), (0, 4, 2)]  # N, D, Q


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


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types(op, dtype) -> None:
    features, text = inputs(20, 8, 3)
    features, text = features.astype(dtype), text.astype(dtype)
    np.testing.assert_allclose(op(features, text), cosines(features, text), rtol=0, atol=1e-6)


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


def test_auto_takes_the_core() -> None:
    features, text = inputs(4, 3, 2)
    with ops.record() as used:
        ops.patch_text_similarity(features, text)
    assert used == ["patch_text_similarity/cpu"]
