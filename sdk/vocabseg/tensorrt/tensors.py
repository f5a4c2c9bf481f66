"""The inputs of an engine, and arrays that are to go into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..device_arrays import DeviceView
from ..errors import ShapeError

DEVICE = 0  # engines run on the first one


@dataclass(frozen=True)
class Tensor:
    """An input or output: its type, and the shape of one of its rows."""

    dtype: np.dtype
    row: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.row)

    def describe(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, ('B', *self.row)))}]"


Arrays = Mapping[str, "np.ndarray | DeviceView"]


def rows_of(tensors: Mapping[str, Tensor], arrays: Arrays) -> int:
    """The number of rows that all arrays have. Raises `ShapeError` where they are not what the engine takes."""
    names_fit(tensors, arrays)
    for name, array in arrays.items():
        tensor = tensors[name]
        if array.dtype != tensor.dtype or tuple(array.shape[1:]) != tensor.row or not array.shape:
            raise ShapeError(
                f"input {name} is {array.dtype} {list(array.shape)}, expected {tensor.describe()} with B rows"
            )
        if isinstance(array, DeviceView):
            on_this_device(name, array)
    counts = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        shown = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ShapeError(f"got {shown}; expected one or more rows, as many of every input")
    if len({type(array) for array in arrays.values()}) > 1:
        raise ShapeError("some inputs are in host memory and some on the GPU; give all in one of both")
    return next(iter(counts.values()))


def names_fit(tensors: Mapping[str, Tensor], arrays: Mapping[str, object]) -> None:
    """Raises `ShapeError` where inputs are missing or unknown."""
    if set(tensors) != set(arrays):
        raise ShapeError(
            f"the engine's inputs are {', '.join(tensors)}; got {', '.join(arrays) or 'none of them'}"
        )


def on_this_device(name: str, view: DeviceView) -> None:
    """Raises `ShapeError` for an array of another GPU, or with gaps."""
    if view.device not in (None, DEVICE):
        raise ShapeError(
            f"input {name} is on CUDA device {view.device}, the engine runs on device {DEVICE}; copy it there"
        )
    if not view.contiguous:
        raise ShapeError(
            f"input {name} has strides {list(view.strides)}, expected a contiguous array; make a copy of it, "
            "in torch with .contiguous()"
        )
