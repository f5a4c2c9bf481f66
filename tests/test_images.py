"""Every accepted form of a picture gives the same H×W×3 uint8; all else is refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vocabseg import images
from vocabseg.errors import ImageError
from vocabseg.images import as_rgb

RGB = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY = RGB[..., 0]
ORIENTATION = 0x0112


def test_arrays() -> None:
    assert as_rgb(RGB) is not None
    np.testing.assert_array_equal(as_rgb(RGB), RGB)
    np.testing.assert_array_equal(as_rgb(GREY), np.stack([GREY] * 3, -1))
    np.testing.assert_array_equal(as_rgb(GREY[..., None]), np.stack([GREY] * 3, -1))
    np.testing.assert_array_equal(as_rgb(np.dstack([RGB, GREY])), RGB)


@pytest.mark.parametrize(
    "view",
    [
        RGB[::2, ::3],
        RGB[::-1],
        RGB[:, ::-1],
        RGB[..., ::-1],
        RGB.transpose(1, 0, 2),
        np.asfortranarray(RGB),
        np.broadcast_to(RGB[:1], (5, 17, 3)),
    ],
)
def test_views_are_taken_as_they_are(view) -> None:
    result = as_rgb(view)
    np.testing.assert_array_equal(result, view)
    assert np.shares_memory(result, view)


def test_read_only_arrays_are_accepted() -> None:
    frozen = RGB.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(as_rgb(frozen), RGB)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA", "La"]
)
def test_pil_modes(mode) -> None:
    image = Image.new(mode, (17, 12))
    result = as_rgb(image)
    assert result.shape == (12, 17, 3)
    assert result.dtype == np.uint8


def test_alpha_is_dropped_not_blended() -> None:
    image = Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)]))
    np.testing.assert_array_equal(as_rgb(image), RGB)


def test_wide_grey() -> None:
    wide = Image.fromarray(GREY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(as_rgb(wide)[..., 0], GREY)
    np.testing.assert_array_equal(as_rgb(Image.fromarray(GREY.astype(np.int32)))[..., 1], GREY)
    np.testing.assert_array_equal(as_rgb(Image.fromarray(GREY.astype(np.float32)))[..., 2], GREY)
    with pytest.raises(ImageError, match="NaN"):
        as_rgb(Image.fromarray(np.full((4, 4), np.nan, np.float32)))


@pytest.mark.parametrize("kind", ["png", "tiff", "jpeg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, kind, orientation) -> None:
    halves = np.zeros((16, 32, 3), np.uint8)
    halves[:, :8] = 255  # white on the left, so that every orientation looks different from most others
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"x.{kind}"
    Image.fromarray(halves).save(path, exif=exif)
    upright = as_rgb(path)
    assert upright.shape == ((16, 32, 3) if orientation <= 4 else (32, 16, 3))
    np.testing.assert_array_equal(as_rgb(Image.open(path)), upright)
    np.testing.assert_array_equal(as_rgb(str(path)), upright)
    white = {1: upright[:, :8], 2: upright[:, -8:], 6: upright[:8], 8: upright[-8:]}.get(orientation)
    if white is not None:
        assert white.mean() > 200
        assert upright.mean() < 100


def test_files_and_streams(tmp_path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG")
    np.testing.assert_array_equal(as_rgb(io.BytesIO(buffer.getvalue())), RGB)
    with pytest.raises(ImageError, match=r"no such image file.*none\.png"):
        as_rgb(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ImageError, match=r"text\.png"):
        as_rgb(tmp_path / "text.png")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:-40])
    with pytest.raises(ImageError, match=r"cut\.png"):
        as_rgb(tmp_path / "cut.png")
    with pytest.raises(ImageError):
        as_rgb(tmp_path)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (RGB.astype(np.float32), "float32"),
        (np.full((4, 4, 3), np.nan), "NaN"),
        (RGB.astype(np.uint16), "uint16"),
        (RGB.astype(np.int64), "int64"),
        (RGB > 3, "bool"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (np.zeros((5, 0, 3), np.uint8), "no pixels"),
        (np.zeros((5, 5, 0), np.uint8), "5×5×0"),
        (np.zeros((5, 5, 2), np.uint8), "5×5×2"),
        (np.zeros((3, 50, 60), np.uint8), "channels come last"),
        (np.zeros((2, 5, 5, 3), np.uint8), "2×5×5×3"),
        (np.zeros(5, np.uint8), "shape 5"),
        (np.uint8(3), "no dimensions"),
        (np.array([None]), "shape 1"),
        (np.broadcast_to(np.uint8(0), (100_000, 100_000, 3)), "100000×100000"),
        (None, "NoneType"),
        (3, "int"),
        ([[1, 2]], "list"),
    ],
)
def test_everything_else_is_refused_by_name(image, message) -> None:
    with pytest.raises(ImageError, match=message):
        as_rgb(image)


def test_gigantic_files_are_refused_before_they_are_decoded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    Image.fromarray(RGB).save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="12×17 pixels"):
        as_rgb(tmp_path / "x.png")
