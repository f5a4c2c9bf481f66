from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from vocabseg.errors import ShapeError

OP = "correlative_attention"
SHAPES = [
    (1, 1, 1, 1),
    (1, 1, 13, 5),
    (2, 3, 50, 8),
    (1, 2, 197, 64),
    (2, 1, 301, 33),
    (1, 1, 600, 80),
]  # B, h, N, d
TERMS = [("qq", "kk"), ("qq",), ("vv",), ("vv", "qk"), ("qq", "kk", "vv")]


def inputs(shape: tuple[int, ...], dtype=np.float32, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for _ in "qkv"]


def softmax(scores: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def attention(q, k, v, terms, bias=0.0, scale=None) -> np.ndarray:
    tokens = {"q": q.astype(np.float64), "k": k.astype(np.float64), "v": v.astype(np.float64)}
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return sum(softmax(scale * tokens[a] @ tokens[b].swapaxes(-1, -2) + bias) @ tokens["v"] for a, b in terms)


def close(result: np.ndarray, expected: np.ndarray, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(result.astype(np.float64), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("terms", TERMS, ids="+".join)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_numpy(op, shape, terms) -> None:
    q, k, v = inputs(shape)
    result = op(q, k, v, terms)
    assert result.dtype == np.float32
    close(result, attention(q, k, v, terms))
    close(op(q, k, v, terms, reduce="mean", scale=0.3), attention(q, k, v, terms, 0, 0.3) / len(terms))


@pytest.mark.parametrize("dtype, atol", [(np.float16, 3e-3), (ml_dtypes.bfloat16, 2e-2), (np.float64, 1e-5)])
def test_other_float_types(op, dtype, atol) -> None:
    q, k, v = inputs((2, 2, 75, 24), dtype)
    result = op(q, k, v)
    assert result.dtype == dtype
    close(result, attention(q, k, v, ("qq", "kk")), atol)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_results_are_rounded_to_nearest(op, dtype) -> None:
    """With one token the weights are 1, so the result is v itself."""
    q, k, v = inputs((1, 4, 1, 37), dtype)
    np.testing.assert_array_equal(op(q, k, v, ("qk",)), v)
    np.testing.assert_array_equal(op(q, k, v, ("qq", "kk")), (2 * v.astype(np.float32)).astype(dtype))


def test_huge_logits(op) -> None:
    q, k, v = inputs((1, 2, 300, 16))
    q, k = 64 * np.round(q), -64 * np.round(k)  # exact scores up to some 1e5
    close(op(q, k, v, ("qk", "qq", "kk"), scale=1.0), attention(q, k, v, ("qk", "qq", "kk"), 0, 1.0))


def test_the_largest_score_comes_last(op) -> None:
    q, k, v = inputs((1, 1, 530, 4))
    q[:] = 1
    k[:] = np.arange(530)[:, None] - 400
    close(op(q, k, v, ("qk",), scale=0.5), attention(q, k, v, ("qk",), 0, 0.5), 1e-4)


BIASES = [(), (90,), (90, 1), (90, 90), (3, 1, 90), (2, 1, 1, 1), (2, 3, 90, 90)]


@pytest.mark.parametrize("shape", BIASES, ids=str)
def test_bias(op, shape) -> None:
    q, k, v = inputs((2, 3, 90, 8))
    bias = np.random.default_rng(1).standard_normal(shape).astype(np.float32) * 3
    close(op(q, k, v, bias=bias), attention(q, k, v, ("qq", "kk"), bias))


def test_masks(op) -> None:
    """Pairs with -infinity are left out, and a row without any pair gives zeros."""
    q, k, v = inputs((1, 2, 300, 8))
    similarity = np.random.default_rng(1).standard_normal((300, 300)).astype(np.float32)
    bias = np.where(similarity < 0.5, -np.inf, similarity).astype(np.float32)
    bias[:, :270] = -np.inf  # the first tiles of keys are empty
    bias[7] = -np.inf
    result = op(q, k, v, ("kk",), bias=bias)
    assert (result[:, :, 7] == 0).all()
    kept = np.arange(300) != 7
    close(result[:, :, kept], attention(q, k, v, ("kk",), bias)[:, :, kept])
    assert (op(q, k, v, ("kk", "qq"), bias=np.array(-np.inf, np.float32)) == 0).all()


def gaussian(std: float, grid: tuple[int, int], class_token: bool) -> np.ndarray:
    i, j = np.indices(grid).reshape(2, -1)
    omega = np.exp(-((i[:, None] - i) ** 2 + (j[:, None] - j) ** 2) / (2 * std**2))
    return np.pad(omega, ((1, 0), (1, 0))) if class_token else omega


@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("grid", [(1, 1), (3, 7), (14, 14), (1, 40), (40, 1), (17, 33), (29, 16)])
def test_gaussian(op, grid, class_token) -> None:
    q, k, v = inputs((1, 2, grid[0] * grid[1] + class_token, 8))
    for std in (0.3, 5.0):
        omega = gaussian(std, grid, class_token)
        close(op(q, k, v, ("kk",), gaussian=(std, grid)), attention(q, k, v, ("kk",), omega))
    bias = np.random.default_rng(1).standard_normal(omega.shape).astype(np.float32)
    close(op(q, k, v, ("kk",), gaussian=(5.0, grid), bias=bias), attention(q, k, v, ("kk",), omega + bias))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("token", [0, 30, 259])
def test_what_is_not_finite_gives_nan(op, value, token) -> None:
    q, k, v = np.abs(inputs((1, 2, 260, 8)))
    q[0, 1, token, 3] = value
    result = op(q, k, v, ("qk",))
    assert np.isnan(result[0, 1, token]).all()
    result[0, 1, token] = 0
    assert np.isfinite(result).all()
    result = op(q, k, v, ("qq",))
    assert np.isnan(result[0, 1]).all()
    assert np.isfinite(result[0, 0]).all()


def test_nan_of_any_payload(op) -> None:
    q, k, v = inputs((1, 1, 20, 4), np.float16)
    q.view(np.uint16)[0, 0, 3, 1] = 0x7C01
    q.view(np.uint16)[0, 0, 5, 1] = 0xFFFF
    assert np.isnan(op(q, k, v, ("qk",))[0, 0, [3, 5]]).all()


def test_strides(op) -> None:
    """Heads that are views of [B, N, 3, h, d], and reversed and repeated tokens."""
    whole = np.random.default_rng(0).standard_normal((2, 40, 3, 2, 8)).astype(np.float32)
    q, k, v = np.moveaxis(whole, 2, 0).swapaxes(2, 3)
    expected = op(q.copy(), k.copy(), v.copy())
    np.testing.assert_array_equal(op(q, k, v), expected)
    for index in (np.s_[:, ::-1], np.s_[:, :, ::-3], np.s_[..., ::2], np.s_[::-1, :, 5:, ::-1]):
        views = q[index], k[index], v[index]
        np.testing.assert_array_equal(op(*views), op(*(view.copy() for view in views)))
    same = np.broadcast_to(q[:1], q.shape)
    np.testing.assert_array_equal(op(same, k, v, ("qk",)), op(same.copy(), k, v, ("qk",)))


@pytest.mark.parametrize("shape", [(0, 2, 5, 4), (2, 0, 5, 4), (2, 2, 0, 4)])
def test_empty(op, shape) -> None:
    q, k, v = inputs(shape)
    assert op(q, k, v).shape == shape
    assert op(q, k, v, bias=np.zeros((shape[2], shape[2]), np.float32)).shape == shape


def test_same_bits_for_any_thread_count(op) -> None:
    q, k, v = inputs((2, 3, 131, 24))
    settings = {"terms": ("qq", "kk"), "bias": np.random.default_rng(1).standard_normal((131, 131))}
    expected = op(q, k, v, threads=1, **settings)
    for threads in (2, 3, 8):
        np.testing.assert_array_equal(op(q, k, v, threads=threads, **settings), expected)


Z = np.zeros((1, 2, 5, 4), np.float32)


@pytest.mark.parametrize(
    "arrays, settings",
    [
        ((Z, Z[:, :, :4], Z), {}),
        ((Z, Z, Z[..., :3]), {}),
        ((Z[0], Z[0], Z[0]), {}),
        ((Z[..., :0],) * 3, {}),
        ((Z.astype(np.int32),) * 3, {}),
        ((Z, Z.astype(np.float16), Z), {}),
        ((Z, Z, Z), {"terms": ()}),
        ((Z, Z, Z), {"terms": ("kq",)}),
        ((Z, Z, Z), {"terms": ("qq", "qq")}),
        ((Z, Z, Z), {"terms": "q"}),
        ((Z, Z, Z), {"reduce": "max"}),
        ((Z, Z, Z), {"scale": np.nan}),
        ((Z, Z, Z), {"bias": np.zeros((5, 4), np.float32)}),
        ((Z, Z, Z), {"bias": np.zeros((1, 1, 1, 5, 5), np.float32)}),
        ((Z, Z, Z), {"bias": np.zeros((5, 5), bool)}),
        ((Z, Z, Z), {"gaussian": (5.0, (2, 3))}),
        ((Z, Z, Z), {"gaussian": (0.0, (2, 2))}),
        ((Z, Z, Z), {"gaussian": (5.0, (-1, -5))}),
        ((Z, Z, Z), {"gaussian": 5.0}),
    ],
)
def test_bad_input(op, arrays, settings) -> None:
    with pytest.raises(ShapeError):
        op(*arrays, **settings)
