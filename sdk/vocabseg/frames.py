"""Frames as the core takes them: pictures in host memory, and frames that stay where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .core import load_core
from .device_arrays import LEGACY_STREAM, DeviceView, on_device, read
from .errors import ImageError
from .images import as_rgb

_DEVICE = 0  # the GPU that the core uses


@dataclass(frozen=True)
class NV12:
    """A camera's frame in two planes, both in host or both in device memory; rows may have gaps.

    luma: uint8 [H, W], with even sides. chroma: uint8 [H/2, W] or [H/2, W/2, 2], u and v in turns. The colours are
    BT.601 in its limited range.
    """

    luma: Any
    chroma: Any


def as_pixels(image: Any) -> Any:
    """uint8 [H, W, 3] or [H, W, 4] in host memory, see ``images.as_rgb``; or the core's ``Frame``, for `NV12` and for
    device arrays. Raises `ImageError`."""
    if isinstance(image, NV12):
        return _nv12(image)
    return _rgb(image) if on_device(image) else as_rgb(image)


def size_of(pixels: Any) -> tuple[int, int]:
    """Height and width of what ``as_pixels`` gave."""
    return pixels.shape[:2] if isinstance(pixels, np.ndarray) else (pixels.height, pixels.width)


def _rgb(image: Any) -> Any:
    view, stream = _read(image)
    if len(view.shape) != 3 or view.shape[2] not in (3, 4) or view.strides[2] != 1:
        raise ImageError(
            f"got a device array of {_said(view)}, expected uint8 [H, W, 3] or [H, W, 4] with the channels of a pixel "
            "beside each other: permute(1, 2, 0).contiguous() makes it of [3, H, W]"
        )
    return load_core().Frame(
        pixels=view.address,
        height=view.shape[0],
        width=view.shape[1],
        row_stride=view.strides[0],
        pixel_stride=view.strides[1],
        on_device=True,
        written_on=stream,
        owner=view,
    )


def _nv12(frame: NV12) -> Any:
    there = {on_device(frame.luma), on_device(frame.chroma)}
    if len(there) != 1:
        raise ImageError(
            "one plane of an NV12 frame is on the GPU and one is not, expected both in one memory"
        )
    (luma, stream), (chroma, other) = _read(frame.luma), _read(frame.chroma)
    height, width = luma.shape if len(luma.shape) == 2 else (0, 0)
    if chroma.shape not in ((height // 2, width), (height // 2, width // 2, 2)) or height == 0:
        raise ImageError(
            f"got NV12 planes of {_said(luma)} and {_said(chroma)}, expected uint8 [H, W] and [H/2, W] or [H/2, W/2, 2]"
        )
    if not all(_rows_are_dense(plane) for plane in (luma, chroma)):
        raise ImageError("the values in a row of an NV12 plane have gaps, expected gaps between rows only")
    if None not in (stream, other) and stream != other:
        raise ImageError(
            f"the planes are written on the streams {stream} and {other}, expected one: synchronise them"
        )
    return load_core().Frame(
        pixels=luma.address,
        height=height,
        width=width,
        row_stride=luma.strides[0],
        chroma=chroma.address,
        chroma_stride=chroma.strides[0],
        on_device=there.pop(),
        written_on=stream if stream is not None else other,
        owner=(luma, chroma),
    )


def _read(array: Any) -> tuple[DeviceView, int | None]:
    """A view of uint8 values, and the stream that writes them, where the frame must wait for one."""
    if not on_device(array):
        host = np.asarray(array)
        view, streams = DeviceView(host.ctypes.data, host.shape, host.strides, host.dtype, _DEVICE, host), []
    else:
        streams = [LEGACY_STREAM] if hasattr(array, "__dlpack__") else []
        view = read(array, LEGACY_STREAM, streams.append)
    if view.dtype != np.uint8:
        raise ImageError(f"got an array of {_said(view)}, expected uint8")
    if view.device not in (None, _DEVICE):
        raise ImageError(f"the array is on GPU {view.device}, expected GPU {_DEVICE}: copy it there")
    return view, streams[-1] if streams else None


def _rows_are_dense(plane: DeviceView) -> bool:
    return plane.strides[1:] in ((1,), (2, 1))


def _said(view: DeviceView) -> str:
    return f"{view.dtype} {list(view.shape)}"
