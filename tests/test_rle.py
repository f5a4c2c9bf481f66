"""COCO run-length codes against hand-written ones and against themselves."""

from __future__ import annotations

import numpy as np
import pytest

from vocabseg import rle
from vocabseg.errors import MaskError

# Worked by hand from the format: 3 rows, 4 columns, read down the columns: 0 1 1 | 1 0 0 | 0 0 0 | 0 0 1.
MASK = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]], bool)
COUNTS = [1, 3, 7, 1]
TEXT = "137N"  # the fourth count is 1 - 3 = -2: group 30, and its sign bit ends the number


def test_by_hand() -> None:
    assert rle.encode(MASK).tolist() == COUNTS
    assert rle.compress(np.array(COUNTS)) == TEXT
    assert rle.decompress(TEXT).tolist() == COUNTS
    np.testing.assert_array_equal(rle.decode(np.array(COUNTS), 3, 4), MASK)


@pytest.mark.parametrize("fill", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_round_trip(fill) -> None:
    random = np.random.default_rng(7)
    for _ in range(50):
        height, width = random.integers(1, 60, 2)
        mask = random.random((height, width)) < fill
        counts = rle.encode(mask)
        assert counts.sum() == mask.size
        np.testing.assert_array_equal(rle.decode(counts, height, width), mask)
        np.testing.assert_array_equal(rle.decompress(rle.compress(counts)), counts)


def test_large_counts() -> None:
    counts = [0, 2**32 - 1, 5, 1, 2**31, 77, 0]
    assert rle.decompress(rle.compress(np.array(counts))).tolist() == counts


def test_parse_takes_lists_text_and_bytes() -> None:
    for counts in (COUNTS, np.array(COUNTS), TEXT, TEXT.encode()):
        height, width, values = rle.parse({"size": [3, 4], "counts": counts})
        assert (height, width, values.tolist()) == (3, 4, COUNTS)
        assert values.dtype == np.uint32


@pytest.mark.parametrize(
    "code",
    [
        {},
        {"size": [3, 4]},
        {"size": [3], "counts": COUNTS},
        {"size": "34", "counts": [1, 2]},
        {"size": [3, 5], "counts": COUNTS},
        {"size": [0, 0], "counts": []},
        {"size": [-3, -4], "counts": COUNTS},
        {"size": [3, 4], "counts": [13, -1]},
        {"size": [3, 4], "counts": [6.0, 6.0]},
        {"size": [3, 4], "counts": [[1, 2, 3, 4]]},
        {"size": [3, 4], "counts": [[1], [2, 3]]},
        {"size": [3, 4], "counts": None},
        {"size": [3, 4], "counts": "13\n"},
        {"size": [3, 4], "counts": "1é"},
        {"size": [3, 4], "counts": "13P"},
        {"size": [3, 4], "counts": "o" * 50 + "0"},
        {"size": [3, 4], "counts": ""},
    ],
)
def test_bad_codes_are_refused(code) -> None:
    with pytest.raises(MaskError):
        rle.parse(code)
