"""Resizing and normalisation equal the official pipelines' (mmcv's keep-ratio resize, OpenCV's bilinear)."""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets
from vocabseg import ops
from vocabseg.kernels.common.window_plan import make_plan, slide_plan

PATH = golden_sets.find("preprocess.npz")
ARRAYS = golden_sets.load(PATH) if PATH else {}
PICTURES = sorted(name.removeprefix("rgb") for name in ARRAYS if name.startswith("rgb"))


@pytest.mark.parametrize("number", PICTURES)
def test_resize_and_normalise(number) -> None:
    image, resized = ARRAYS[f"rgb{number}"], ARRAYS[f"resized_rgb{number}"]
    long_side, short_side = (int(side) for side in ARRAYS[f"scale{number}"])
    window = {"crop": (16, 16), "stride": (16, 16), "grid": (1, 1)}
    scaled = slide_plan(image.shape[:2], short_side=short_side, long_side=long_side, **window)
    net = (scaled.net_h, scaled.net_w)
    assert net == resized.shape[:2]
    plan = make_plan(image.shape[:2], net=net, crop=net, stride=net, grid=(1, 1))

    pixels = ops.preprocess(image, plan, mean=(0, 0, 0), std=(1, 1, 1))[0]
    np.testing.assert_array_equal(np.moveaxis(pixels, 0, -1), resized)
    normalised = ops.preprocess(image, plan)[0]
    np.testing.assert_allclose(normalised[:, ::2, ::2], ARRAYS[f"normed_sub2_{number}"], rtol=0, atol=2e-6)
