from __future__ import annotations

import numpy as np
import PIL
import pytest
from PIL import Image
from plans import PLANS

from vocabseg import ops
from vocabseg.errors import ShapeError
from vocabseg.kernels.common.window_plan import make_plan

OP = "preprocess"
RAW = {"mean": (0, 0, 0), "std": (1, 1, 1)}
# Source and target: enlarged, reduced, exactly halved, unchanged, one pixel, odd.
SIZES = [
    ((61, 93), (112, 171)),
    ((160, 240), (112, 168)),
    ((64, 90), (32, 45)),
    ((30, 40), (30, 40)),
    ((1, 1), (7, 5)),
    ((7, 5), (1, 1)),
    ((7, 5), (33, 41)),
    ((80, 400), (64, 320)),
]
# Pillow resizes the height first here, since version 13.
TALL = [((200, 31), (11, 90)), ((90, 40), (45, 20)), ((62, 62), (10, 39))]
PILLOW = int(PIL.__version__.partition(".")[0])


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resized(op, image: np.ndarray, size: tuple[int, int], mode: str, **settings) -> np.ndarray:
    """The op as a plain resize: one window, not normalised."""
    plan = make_plan(image.shape[:2], net=size, crop=size, stride=size, grid=(1, 1))
    return np.moveaxis(op(image, plan, resize=mode, **RAW, **settings)[0], 0, -1)


@pytest.mark.parametrize("source, target", SIZES + TALL)
def test_bilinear_equals_opencv(op, source, target) -> None:
    cv2 = pytest.importorskip("cv2")
    image = picture(*source)
    expected = cv2.resize(image, target[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resized(op, image, target, "bilinear"), expected)


@pytest.mark.parametrize("source, target", SIZES + (TALL if PILLOW >= 13 else []))
def test_bicubic_equals_pillow(op, source, target) -> None:
    image = picture(*source)
    expected = np.asarray(Image.fromarray(image).resize(target[::-1], Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resized(op, image, target, "bicubic"), expected)


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_windows(op, name, mode) -> None:
    plan = PLANS[name]
    image = picture(plan.source_h, plan.source_w)
    net = resized(op, image, (plan.net_h, plan.net_w), mode)
    normal = (net - np.array([10, 20, 30])) / np.array([2, 3, 4])
    windows = op(image, plan, resize=mode, mean=(10, 20, 30), std=(2, 3, 4))
    assert windows.shape == (plan.windows, 3, plan.padded_h, plan.padded_w)
    assert windows.dtype == np.float32
    starts = [(y, x) for y in plan.ys for x in plan.xs]
    for window, (y, x) in zip(windows, starts, strict=True):
        after = (plan.padded_h - plan.pad_top - plan.window_h, plan.padded_w - plan.pad_left - plan.window_w)
        cut = normal[y : y + plan.window_h, x : x + plan.window_w]
        expected = np.pad(cut, [(plan.pad_top, after[0]), (plan.pad_left, after[1]), (0, 0)])
        np.testing.assert_allclose(np.moveaxis(window, 0, -1), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_views(op, mode) -> None:
    image = picture(40, 50)
    for view in (image[::-1], image[:, ::-2], image[..., ::-1], image[5:-5, 3:-7], image.transpose(1, 0, 2)):
        expected = resized(op, view.copy(), (21, 17), mode)
        np.testing.assert_array_equal(resized(op, view, (21, 17), mode), expected)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_same_bits_for_any_thread_count(op, mode) -> None:
    image = picture(50, 70)
    expected = resized(op, image, (33, 90), mode, threads=1)
    for threads in (2, 7):
        np.testing.assert_array_equal(resized(op, image, (33, 90), mode, threads=threads), expected)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((23, 31), np.uint8),
        np.zeros((23, 31, 4), np.uint8),
        np.zeros((23, 31, 3), np.float32),
        np.zeros((0, 31, 3), np.uint8),
        np.zeros((31, 23, 3), np.uint8),
    ],
)
def test_bad_images(op, image) -> None:
    with pytest.raises(ShapeError):
        op(image, PLANS["stretched"])


@pytest.mark.parametrize(
    "settings", [{"resize": "area"}, {"std": (1, 0, 1)}, {"mean": (1, 2)}, {"mean": (np.nan, 0, 0)}]
)
def test_bad_settings(op, settings) -> None:
    with pytest.raises(ShapeError):
        op(picture(23, 31), PLANS["stretched"], **settings)


def test_window_plan_pads_or_stretches() -> None:
    plan = ops.window_plan((100, 150), crop=56, stride=28, patch=16, pad=True, source=(50, 75))
    assert (plan.padded_h, plan.grid_h, plan.pad_top, plan.source_h) == (64, 4, 4, 50)
    plan = ops.window_plan((100, 150), crop=56, stride=28, patch=16)
    assert (plan.padded_h, plan.grid_h, plan.ys) == (56, 3, (0, 28, 44))
    with pytest.raises(ShapeError):
        ops.window_plan((100, 150), crop=10, stride=28, patch=16)
