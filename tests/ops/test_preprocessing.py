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
    ((1, 37), (1, 5)),
    ((37, 1), (50, 1)),
    ((1, 50), (9, 200)),
    ((3, 700), (2, 1)),
    ((700, 2), (1, 3)),
    ((2, 3), (300, 2)),
    ((1080, 16), (3, 300)),
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


def views(image: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures with every kind of stride."""
    rgba = np.dstack([image, image[..., 0]])
    return {
        "upside down": image[::-1],
        "mirrored": image[:, ::-1],
        "every second": image[:, ::-2],
        "bgr": image[..., ::-1],
        "cut": image[5:-5, 3:-7],
        "transposed": image.transpose(1, 0, 2),
        "rgba": rgba[..., :3],
        "argb": np.roll(rgba, 1, -1)[..., 1:],
        "argb, mirrored": rgba[:, ::-1, 1:],
        "padded rows": np.pad(image, [(0, 0), (0, 9), (0, 0)])[:, :-9],
        "planar": np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0),
        "one colour": np.broadcast_to(image[:1, :1], image.shape),
        "one column": image[:, 4:5],
    }


@pytest.mark.parametrize("name", views(picture(40, 50)))
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_views(op, mode, name) -> None:
    view = views(picture(40, 50))[name]
    expected = resized(op, np.ascontiguousarray(view), (21, 17), mode)
    np.testing.assert_array_equal(resized(op, view, (21, 17), mode), expected)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bgr(op, mode) -> None:
    plan = PLANS["resized"]
    image = picture(plan.source_h, plan.source_w)
    expected = op(image, plan, resize=mode)
    for bgr in (image[..., ::-1], image[..., ::-1].copy()):
        np.testing.assert_array_equal(op(bgr, plan, resize=mode, channels="bgr"), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["resized", "padded", "smaller than the window"])
def test_narrow_types(op, name, dtype) -> None:
    plan = PLANS[name]
    image = picture(plan.source_h, plan.source_w)
    wide = op(image, plan)
    narrow = op(image, plan, dtype=dtype)
    assert narrow.dtype.name == dtype
    np.testing.assert_array_equal(narrow, wide.astype(narrow.dtype))


def nv12(height: int, width: int) -> np.ndarray:
    """All levels of luma and chroma, also those that fall outside of RGB."""
    return picture(height // 2 * 3, width, seed=5)[..., 0]


def nv12_rgb(frame: np.ndarray) -> np.ndarray:
    cv2 = pytest.importorskip("cv2")
    return cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("source", [(2, 2), (4, 34), (60, 90), (120, 26)])
@pytest.mark.parametrize("target", [(1, 1), (31, 57), (60, 90)])
def test_nv12_equals_opencv(op, source, target, mode) -> None:
    frame = nv12(*source)
    expected = resized(op, nv12_rgb(frame), target, mode)
    plan = make_plan(source, net=target, crop=target, stride=target, grid=(1, 1))
    result = op(frame, plan, resize=mode, format="nv12", **RAW)
    np.testing.assert_array_equal(np.moveaxis(result[0], 0, -1), expected)


def test_nv12_every_colour(op) -> None:
    """Every colour with eight brightnesses, four to a square of one colour."""
    for luma in ([[0, 15], [16, 17]], [[128, 235], [236, 255]]):
        frame = np.empty((512 * 3 // 2, 512), np.uint8)
        frame[:512] = np.tile(luma, (256, 256))
        frame[512:, 0::2], frame[512:, 1::2] = np.arange(256)[:, None], np.arange(256)
        plan = make_plan((512, 512), net=(512, 512), crop=(512, 512), stride=(512, 512), grid=(1, 1))
        result = op(frame, plan, format="nv12", **RAW)
        np.testing.assert_array_equal(np.moveaxis(result[0], 0, -1), nv12_rgb(frame))


def test_nv12_planes_and_strides(op) -> None:
    frame = nv12(40, 50)
    plan = make_plan((40, 50), net=(23, 31), crop=(23, 31), stride=(23, 31), grid=(1, 1))
    expected = op(frame, plan, format="nv12")
    luma, chroma = frame[:40], frame[40:]
    padded = np.pad(frame, [(0, 0), (0, 14)])[:, :50]
    above = np.ascontiguousarray(luma[::-1])[::-1]
    wide = np.repeat(luma, 2, 1)[:, ::2]
    for planes in (
        (luma, chroma),
        (luma, chroma.reshape(20, 25, 2)),
        [padded[:40], padded[40:]],
        (above, chroma),
        (wide, chroma),
    ):
        np.testing.assert_array_equal(op(planes, plan, format="nv12"), expected)
    np.testing.assert_array_equal(op(padded, plan, format="nv12"), expected)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((33, 22), np.uint8),  # for 22 x 22
        np.zeros((34, 32), np.uint8),
        np.zeros((36, 31), np.uint8),
        np.zeros((36, 32), np.float32),
        np.zeros((24, 32, 3), np.uint8),
        (np.zeros((24, 32), np.uint8), np.zeros((12, 16), np.uint8)),
        (np.zeros((24, 32), np.uint8), np.zeros((24, 32), np.uint8)),
        (np.zeros((23, 32), np.uint8), np.zeros((11, 32), np.uint8)),
        (np.zeros((24, 32), np.uint8),) * 3,
        np.zeros((0, 32), np.uint8),
    ],
)
def test_bad_nv12(op, image) -> None:
    plan = make_plan((24, 32), net=(24, 32), crop=(24, 32), stride=(24, 32), grid=(1, 1))
    with pytest.raises(ShapeError):
        op(image, plan, format="nv12")


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
    "settings",
    [
        {"resize": "area"},
        {"std": (1, 0, 1)},
        {"mean": (1, 2)},
        {"mean": (np.nan, 0, 0)},
        {"dtype": "float64"},
        {"channels": "gbr"},
        {"format": "yuv"},
        {"format": "nv12"},
        {"format": "nv12", "channels": "bgr"},
    ],
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
