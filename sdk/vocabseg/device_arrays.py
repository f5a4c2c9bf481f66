"""Arrays in CUDA device memory of any library: read where they are, and given back, without a copy and without torch.

Both protocols are spoken: DLPack, and the CUDA array interface of version 3. A stream is its address as an integer: 1
is the legacy default stream, 2 the per-thread one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .core import load_core
from .errors import ShapeError

LEGACY_STREAM = 1
# DLPack's numbers for memory that kernels read: CUDA and CUDA managed; and for kinds of values.
_CUDA, _MANAGED = 2, 13
_KINDS = {0: "i", 1: "u", 2: "f", 6: "b"}
_CODES = {kind: code for code, kind in _KINDS.items()}
_NO_WAIT = -1


@dataclass(frozen=True)
class DeviceView:
    """An array of somebody else's.

    address: of its first element. strides: in bytes, one per dimension. device: the GPU's number, None where the
    array does not say. owner: the memory lives as long as this.
    """

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype
    device: int | None
    owner: Any

    @property
    def contiguous(self) -> bool:
        """Row-major without gaps."""
        dense = _dense_strides(self.shape, self.dtype.itemsize)
        return 0 in self.shape or all(
            size == 1 or stride == expected
            for size, stride, expected in zip(self.shape, self.strides, dense, strict=True)
        )


def on_device(array: Any) -> bool:
    """Whether an array lies in CUDA device memory."""
    if hasattr(array, "__dlpack_device__"):
        return array.__dlpack_device__()[0] in (_CUDA, _MANAGED)
    return hasattr(array, "__cuda_array_interface__")


def read(array: Any, stream: int, wait: Callable[[int], None]) -> DeviceView:
    """A view of an array that is ``on_device``; work queued on ``stream`` from now on sees its contents.

    wait: makes ``stream`` wait for what another stream has queued; called where the array's protocol leaves that to
    its reader. Raises `ShapeError` for types without a name in NumPy, and for masked arrays.
    """
    if hasattr(array, "__dlpack__"):
        _, device = array.__dlpack_device__()
        return _from_dlpack(array.__dlpack__(stream=stream or LEGACY_STREAM), device)
    return _from_interface(array, wait)


def _from_dlpack(capsule: Any, device: int) -> DeviceView:
    found = load_core().dlpack.take(capsule)
    if found["lanes"] != 1 or found["code"] not in _KINDS:
        raise ShapeError(
            f"got an array of DLPack's type code {found['code']}, {found['bits']} bits, {found['lanes']} lanes; "
            "expected integers, floats or booleans"
        )
    dtype = np.dtype(f"{_KINDS[found['code']]}{found['bits'] // 8}")
    strides = found["strides"]
    in_bytes = (
        _dense_strides(found["shape"], dtype.itemsize)
        if strides is None
        else tuple(stride * dtype.itemsize for stride in strides)
    )
    return DeviceView(found["address"], found["shape"], in_bytes, dtype, device, found["owner"])


def _from_interface(array: Any, wait: Callable[[int], None]) -> DeviceView:
    found = array.__cuda_array_interface__
    if found.get("mask") is not None:
        raise ShapeError("got a masked device array, expected one without a mask")
    dtype = np.dtype(found["typestr"])
    shape = tuple(found["shape"])
    strides = found.get("strides") or _dense_strides(shape, dtype.itemsize)
    if found.get("stream") is not None:
        wait(found["stream"])
    return DeviceView(found["data"][0], shape, tuple(strides), dtype, None, array)


class DeviceArray:
    """A result in device memory, row-major. Any library that speaks DLPack or the CUDA array interface reads it."""

    def __init__(
        self,
        address: int,
        shape: Sequence[int],
        dtype: np.dtype | type,
        device: int,
        stream: int,
        owner: Any,
        wait: Callable[[int], None],
    ) -> None:
        """stream: the one that writes the contents. owner: is kept while the memory is read. wait: makes a reader's
        stream wait for the contents."""
        self.address, self.shape, self.dtype = address, tuple(shape), np.dtype(dtype)
        self.device, self.stream = device, stream
        self._owner, self._wait = owner, wait

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "strides": None,
            "stream": self.stream or LEGACY_STREAM,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, self.device

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule. stream: the reader's; None for the legacy default one, -1 where it waits by itself."""
        if copy or dl_device not in (None, self.__dlpack_device__()):
            raise BufferError("this array is given where it is, without a copy")
        if stream != _NO_WAIT:
            self._wait(LEGACY_STREAM if stream is None else stream)
        code, bits = _CODES[self.dtype.kind], 8 * self.dtype.itemsize
        place = self.__dlpack_device__()
        return load_core().dlpack.give(self.address, self.shape, code, bits, *place, self._owner)

    def __repr__(self) -> str:
        return f"DeviceArray({list(self.shape)}, {self.dtype}, cuda:{self.device})"


def _dense_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    strides = []
    step = itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
