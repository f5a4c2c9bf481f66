"""The three forms of masks, and what is none of them."""

from __future__ import annotations

import numpy as np
import pytest

from vocabseg import rle
from vocabseg.errors import MaskError
from vocabseg.masks import prepare

STACK = np.random.default_rng(0).random((3, 4, 5)) < 0.5


def test_stacks() -> None:
    np.testing.assert_array_equal(prepare(STACK, 4, 5), STACK)
    np.testing.assert_array_equal(prepare(list(STACK), 4, 5), STACK)
    np.testing.assert_array_equal(prepare(STACK[0], 4, 5), STACK[:1])
    np.testing.assert_array_equal(prepare(np.asfortranarray(STACK), 4, 5), STACK)
    assert prepare([], 4, 5).shape == (0, 4, 5)


def test_codes() -> None:
    codes = [{"size": [4, 5], "counts": rle.compress(rle.encode(mask))} for mask in STACK]
    for (height, width, counts), mask in zip(prepare(codes, 4, 5), STACK, strict=True):
        assert (height, width) == (4, 5)
        np.testing.assert_array_equal(rle.decode(counts, 4, 5), mask)
    assert len(prepare(codes[0], 4, 5)) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.uint64])
def test_label_maps(dtype) -> None:
    labels = np.arange(20).reshape(4, 5).astype(dtype)
    prepared = prepare(labels, 4, 5)
    assert prepared.dtype == np.int32
    np.testing.assert_array_equal(prepared, labels)


def test_negative_labels_belong_to_no_mask() -> None:
    labels = np.array([[-(2**40), -1, 0, 7]])
    assert prepare(labels, 1, 4).tolist() == [[-1, -1, 0, 7]]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (STACK[:, :3], "3×5"),
        ([{"size": [5, 4], "counts": [20]}], "5×4"),
        (np.zeros((5, 4), int), "5×4"),
        (STACK.astype(np.uint8), "masks > 0.5"),
        (STACK.astype(np.float32), "masks > 0.5"),
        (np.zeros((4, 5)), "float64"),
        ([STACK[0], STACK[0, :2]], "different sizes"),
        ([{"size": [4, 5], "counts": [20]}, STACK[0]], "masks must be"),
        (np.full((4, 5), 70_000), "70000"),
        (None, "object"),
        ("abc", "masks must be"),
    ],
)
def test_everything_else_is_refused(masks, message) -> None:
    with pytest.raises(MaskError, match=message):
        prepare(masks, 4, 5)
