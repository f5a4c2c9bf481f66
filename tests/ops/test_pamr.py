from __future__ import annotations

import numpy as np
import pytest

from vocabseg.errors import ShapeError
from vocabseg.kernels.pamr import reference

OP = "pamr"


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def maps(queries: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((queries, height, width)).astype(np.float32)


def textbook_step(scores: np.ndarray, image: np.ndarray, dilations) -> np.ndarray:
    """One step, pixel by pixel."""
    queries, height, width = scores.shape
    image = image.astype(np.float64)
    out = np.zeros(scores.shape)
    offsets = [(dy, dx) for d in dilations for dy in (-d, 0, d) for dx in (-d, 0, d)]
    for y in range(height):
        for x in range(width):
            at = [(min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)) for dy, dx in offsets]
            samples = np.array([image[position] for position in at])
            around = [i for i, offset in enumerate(offsets) if offset != (0, 0)]
            distance = np.abs(samples[around] - image[y, x]) / (1e-8 + 0.1 * samples.std(0, ddof=1))
            weights = np.exp(-distance.mean(1))
            weights /= weights.sum()
            values = np.stack([scores[(slice(None), *at[i])] for i in around])
            out[:, y, x] = (weights[:, None] * values).sum(0)
    return out


@pytest.mark.parametrize("dilations", [(1,), (2, 3), (8, 16), (1, 2, 40), (3, 1, 4, 5)])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (23, 1), (9, 7), (20, 21)])
def test_equals_the_textbook(op, size, dilations) -> None:
    image, scores = picture(*size), maps(3, *size)
    expected = scores
    for steps in range(3):
        result = op(scores, image, steps=steps, dilations=dilations)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, rtol=0, atol=5e-6)
        expected = textbook_step(expected, image, dilations)


def test_flat_image_averages_evenly(op) -> None:
    image = np.full((9, 9, 3), 77, np.uint8)
    scores = np.zeros((1, 9, 9), np.float32)
    scores[0, 4, 4] = 16
    result = op(scores, image, steps=1, dilations=(1, 2))[0]
    assert result[4, 4] == 0
    np.testing.assert_allclose([result[3, 4], result[6, 6]], 1, atol=1e-6)


def test_scale_of_the_image_does_not_matter(op) -> None:
    image, scores = picture(12, 15), maps(2, 12, 15)
    planes = np.moveaxis(image, -1, 0).astype(np.float32)
    expected = op(scores, image)
    np.testing.assert_allclose(op(scores, planes), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(op(scores, planes / 64 - 1.5), expected, rtol=0, atol=1e-5)


def test_input_is_kept(op) -> None:
    scores = maps(2, 6, 5)
    before = scores.copy()
    op(scores, picture(6, 5))
    np.testing.assert_array_equal(scores, before)


def test_views_and_threads(op) -> None:
    image, scores = picture(13, 17), maps(4, 13, 17)
    expected = op(scores[::-2, ::-1].copy(), image[::-1].copy(), threads=1)
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(op(scores[::-2, ::-1], image[::-1], threads=threads), expected)


@pytest.mark.parametrize("queries", [1, 7, 8, 9, 17])
@pytest.mark.parametrize("size", [(70, 45), (33, 100), (90, 16)])
def test_many_steps_equal_the_reference(op, queries, size) -> None:
    image, scores = picture(*size), maps(queries, *size) / 4  # about as large as cosines
    for steps in (0, 1, 10, 23):
        expected = reference.pamr(scores, image, steps=steps)
        np.testing.assert_allclose(op(scores, image, steps=steps), expected, rtol=0, atol=1e-5)


def test_dilations_larger_than_the_image(op) -> None:
    image, scores = picture(13, 18), maps(2, 13, 18)
    expected = reference.pamr(scores, image, steps=3, dilations=(4096, 12, 17))
    result = op(scores, image, steps=3, dilations=(4096, 12, 17))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_smooth_images(op) -> None:
    """Differences that are small beside the values themselves."""
    y, x = np.mgrid[:40, :50]
    planes = np.stack([1000 + y / 7, 1000 + x / 9, 1000 + (x + y) / 11]).astype(np.float32)
    scores = maps(2, 40, 50)
    expected = reference.pamr(scores, np.moveaxis(planes, 0, -1))
    np.testing.assert_allclose(op(scores, planes), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_scores_stay_in_their_map_and_near(op, bad) -> None:
    image, scores = picture(60, 70), maps(9, 60, 70)
    spoilt = scores.copy()
    spoilt[4, 30, 35] = bad
    clean, result = op(scores, image, steps=2), op(spoilt, image, steps=2)
    expected = reference.pamr(spoilt, image, steps=2)
    np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
    finite = np.isfinite(expected)
    assert finite[np.arange(9) != 4].all() and not finite[4].all() and finite[4, :, 0].all()
    np.testing.assert_array_equal(result[finite], clean[finite])


def test_huge_scores(op) -> None:
    image, scores = picture(20, 30), maps(2, 20, 30) * np.float32(1e37)
    expected = reference.pamr(scores, image)
    np.testing.assert_allclose(op(scores, image), expected, rtol=0, atol=1e-5 * 1e37)


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_other_types(op, dtype) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    image = picture(20, 30)
    scores = maps(2, 20, 30).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    result = op(scores, image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, op(scores.astype(np.float32), image), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "scores, image, settings",
    [
        (maps(1, 4, 4), picture(4, 5), {}),
        (maps(1, 4, 4)[0], picture(4, 4), {}),
        (maps(0, 4, 4), picture(4, 4), {}),
        (maps(1, 4, 4), picture(4, 4).astype(np.int32), {}),
        (maps(1, 4, 4), picture(4, 4)[..., :2], {}),
        (maps(1, 4, 4), picture(4, 4), {"steps": -1}),
        (maps(1, 4, 4), picture(4, 4), {"dilations": ()}),
        (maps(1, 4, 4), picture(4, 4), {"dilations": (0,)}),
        (maps(1, 4, 4), picture(4, 4), {"dilations": (8, 5000)}),
        (maps(1, 4, 4).astype(np.int32), picture(4, 4), {}),
        (maps(1, 4, 4), maps(2, 4, 4), {}),
    ],
)
def test_bad_input(op, scores, image, settings) -> None:
    with pytest.raises(ShapeError):
        op(scores, image, **settings)
