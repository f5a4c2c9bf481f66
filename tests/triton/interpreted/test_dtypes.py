"""Half precision in: the kernels compute in float32, so they equal the specification on the rounded values."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from vocabseg import ops

DTYPES = [np.float16, ml_dtypes.bfloat16]
rng = np.random.default_rng(0)


def both(op: str, *args, **kwargs) -> tuple:
    results = [getattr(ops, op)(*args, impl=impl, **kwargs) for impl in ("triton", "reference")]
    return tuple(result if isinstance(result, tuple) else (result,) for result in results)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (65, 70, 67), (40, 129, 3)])
def test_similarity(dtype, normalize, shape) -> None:
    n, d, q = shape
    features, text = rng.standard_normal((n, d)).astype(dtype), rng.standard_normal((q, d)).astype(dtype)
    (result,), (expected,) = both("patch_text_similarity", features, text, normalize=normalize)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_rows_at_the_ends_of_bfloat16(scale) -> None:
    features = (rng.standard_normal((9, 40)) * scale).astype(ml_dtypes.bfloat16)
    text = rng.standard_normal((3, 40)).astype(ml_dtypes.bfloat16)
    (result,), (expected,) = both("patch_text_similarity", features, text)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_similarity_of_mixed_types(dtype) -> None:
    features, text = (
        rng.standard_normal((20, 16)).astype(dtype),
        rng.standard_normal((3, 16)).astype(np.float32),
    )
    (result,), (expected,) = both("patch_text_similarity", features, text)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_decoding(dtype) -> None:
    scores = rng.standard_normal((19, 3, 5)).astype(dtype)
    settings = {"logit_scale": 3.0, "return_scores": True}
    (labels, best), (expected_labels, expected_best) = both("decode_labels", scores, (11, 13), **settings)
    assert (labels == expected_labels).mean() > 0.99
    np.testing.assert_allclose(best, expected_best, rtol=0, atol=1e-5)
    (maps,), (expected,) = both("upsample_scores", scores, (11, 13))
    np.testing.assert_allclose(maps, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 70])
def test_mask_pooling(dtype, width) -> None:
    features, masks = rng.standard_normal((3, 5, width)).astype(dtype), rng.random((17, 11, 13)) < 0.3
    (pooled, area), (expected, expected_area) = both("mask_pool", features, masks)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=5e-6)
    np.testing.assert_array_equal(area, expected_area)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_stay_in_their_masks(value) -> None:
    features = rng.standard_normal((1, 4, 70)).astype(np.float32)
    features[0, 3, 5] = value
    features[0, 2, 6] = -value
    masks = np.zeros((2, 4, 16), bool)
    masks[0, :, :6] = True  # reaches patches 0 and 1
    masks[1, :, 12:] = True
    (pooled, _), (expected, _) = both("mask_pool", features, masks)
    assert np.isfinite(pooled[0]).all()
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("head_dim", [1, 33, 96, 200])
@pytest.mark.parametrize("dtype", [np.float32, *DTYPES])
def test_attention_heads_of_any_width(dtype, head_dim) -> None:
    q, k, v = rng.standard_normal((3, 1, 2, 37, head_dim)).astype(dtype)
    settings = {"gaussian": (2.0, (6, 6)), "bias": rng.standard_normal((37, 37)).astype(np.float32)}
    (result,), (expected,) = both("correlative_attention", q, k, v, ("kk", "qk"), **settings)
    atol = 1e-5 if dtype == np.float32 else 4e-2
    np.testing.assert_allclose(result.astype(np.float32), expected.astype(np.float32), rtol=0, atol=atol)
