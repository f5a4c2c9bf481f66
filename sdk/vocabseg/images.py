"""Every accepted picture as H×W×3 uint8 RGB."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from .device_arrays import on_device
from .errors import ImageError

MAX_PIXELS = 1 << 27  # 134 million; far beyond any camera that a label map is of use for
_ACCEPTED = "a path, a PIL image, or a uint8 array of H×W×3 (RGB), H×W×4 (alpha is dropped) or H×W (grey)"

_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
)  # what Pillow raises on bad files
_UNMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def as_rgb(image: Any) -> np.ndarray:
    """uint8 [H, W, 3], a view of the input where possible.

    Paths, open binary files and PIL images of any mode are turned upright by their EXIF orientation; alpha is
    dropped, not blended; of several frames the first is taken; 16-bit grey keeps its high byte. Arrays may
    have any strides and are taken as they are. Raises `ImageError` that names what was got.
    """
    if isinstance(image, (str, os.PathLike)) or hasattr(image, "read"):
        return _from_file(image)
    if isinstance(image, Image.Image):
        return _from_pil(image)
    if on_device(image):
        raise ImageError(
            "got an array in GPU memory, expected one in host memory: copy it, with .cpu() in torch"
        )
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__"):
        return _from_array(np.asarray(image))
    raise ImageError(f"expected {_ACCEPTED}; got {type(image).__name__}")


def _from_file(file: Any) -> np.ndarray:
    name = os.fspath(file) if isinstance(file, (str, os.PathLike)) else getattr(file, "name", "the stream")
    try:
        with Image.open(file) as image:
            return _from_pil(image)
    except FileNotFoundError as error:
        raise ImageError(f"no such image file: {name}") from error
    except (ImageError, *_UNREADABLE) as error:
        raise ImageError(f"cannot read {name} as an image: {error}") from error


def _from_pil(image: Image.Image) -> np.ndarray:
    _check_size(image.height, image.width)
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            return _expand_grey(_eight_bits(np.asarray(upright)))
        plain = upright.convert(_UNMULTIPLIED[upright.mode]) if upright.mode in _UNMULTIPLIED else upright
        return np.asarray(plain if plain.mode == "RGB" else plain.convert("RGB"))
    except _UNREADABLE as error:
        raise ImageError(f"cannot turn a PIL image of mode {image.mode!r} into RGB: {error}") from error


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Wide grey values of PIL: of 16 bits the high byte, otherwise clipped to 0 … 255 as PIL itself does."""
    if not np.isfinite(grey).all():
        raise ImageError(f"the image holds NaN or infinite values ({grey.dtype})")
    if grey.dtype.kind in "iu" and grey.max() > 255:
        grey = grey >> 8
    return np.clip(grey, 0, 255).astype(np.uint8)


def _from_array(array: np.ndarray) -> np.ndarray:
    shape = "×".join(map(str, array.shape))
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        hint = "; channels come last: image.transpose(1, 2, 0)" if _is_channels_first(array) else ""
        raise ImageError(f"expected {_ACCEPTED}; got an array of shape {shape or 'no dimensions'}{hint}")
    _check_size(array.shape[0], array.shape[1])
    if array.dtype != np.uint8:
        raise ImageError(f"expected {_ACCEPTED}; got {array.dtype} of shape {shape}{_dtype_hint(array)}")
    if array.ndim == 2 or array.shape[2] == 1:
        return _expand_grey(array.reshape(array.shape[:2]))
    return array[..., :3]


def _expand_grey(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def _check_size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(f"the image has no pixels: {height}×{width} (rows×columns)")
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"the image has {height}×{width} pixels, more than {MAX_PIXELS:,}; make it smaller first"
        )


def _dtype_hint(array: np.ndarray) -> str:
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            return " with NaN or infinite values"
        return "; for values from 0 to 1: (image * 255).round().astype('uint8')"
    if array.dtype == np.uint16:
        return "; for 16-bit values: (image >> 8).astype('uint8')"
    return ""


def _is_channels_first(array: np.ndarray) -> bool:
    return array.ndim == 3 and array.shape[0] in (1, 3, 4)
