"""COCO run-length codes: the Python specification and the core, against each other and a known string."""

from __future__ import annotations

import numpy as np
import pytest
from vocabseg.kernels.mask_pooling import rle

core = pytest.importorskip("vocabseg._core").ops

# As pycocotools writes it for a mask of 9 x 10 pixels.
KNOWN_COUNTS, KNOWN_CODE = [6, 1, 40, 4, 5, 4, 5, 4, 21], b"61X13mN000`0"
CODECS = {"core": (core.encode_rle, core.decode_rle), "python": (rle.encode_counts, rle.decode_counts)}


@pytest.fixture(params=CODECS)
def codec(request):
    return CODECS[request.param]


def test_known_string(codec) -> None:
    encode, decode = codec
    assert encode(KNOWN_COUNTS) == KNOWN_CODE
    assert decode(KNOWN_CODE) == KNOWN_COUNTS


def test_round_trip(codec) -> None:
    encode, decode = codec
    rng = np.random.default_rng(0)
    for length in range(40):
        counts = rng.integers(0, 2 ** rng.integers(1, 33), length).tolist()
        assert decode(encode(counts)) == counts
    assert encode(counts) == rle.encode_counts(counts)


@pytest.mark.parametrize("code", [b"P", b"\x2f", b"p", b"\xff", b"_" + b"o" * 12 + b"0", b"O"])
def test_bad_strings(codec, code) -> None:
    with pytest.raises((ValueError, RuntimeError), match="run-length code is not valid"):
        codec[1](code)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (9, 10), (64, 33)])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_masks(shape, share) -> None:
    mask = np.random.default_rng(0).random(shape) < share
    counts = rle.counts_of(mask)
    assert sum(counts) == mask.size
    assert sum(counts[1::2]) == mask.sum()
    np.testing.assert_array_equal(rle.mask_of(counts, shape), mask)
