"""How rows come into an engine's buffers and out of them: from and to the host, or within the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..device_arrays import DeviceView
from .buffers import Buffers
from .cuda import Cuda
from .execution import Execution
from .tensors import Tensor


class Transfer(Protocol):
    """Rows of one call, part after part. ``put`` fills a part up to the run's rows with copies of its last row."""

    def put(self, execution: Execution, start: int, count: int) -> None: ...

    def take(self, execution: Execution, start: int, count: int) -> None: ...


class HostTransfer:
    """NumPy arrays through page-locked memory. ``results``: new arrays of all rows, whole when ``take`` returns."""

    def __init__(
        self, cuda: Cuda, stream: int, staging: Buffers, arrays: Mapping[str, np.ndarray], rows: int
    ) -> None:
        self._cuda, self._stream, self._staging = cuda, stream, staging
        self._arrays, self._rows = arrays, rows
        self.results: dict[str, np.ndarray] = {}

    def put(self, execution: Execution, start: int, count: int) -> None:
        for name, array in self._arrays.items():
            pinned = self._pinned(name, execution.inputs[name], execution.rows)
            np.copyto(pinned[:count], array[start : start + count])
            pinned[count:] = pinned[count - 1]
            self._cuda.upload(execution.addresses[name], pinned, self._stream)

    def take(self, execution: Execution, start: int, count: int) -> None:
        pinned = {
            name: self._pinned(name, tensor, execution.rows) for name, tensor in execution.outputs.items()
        }
        for name, array in pinned.items():
            self._cuda.download(array, execution.addresses[name], self._stream)
        self._cuda.synchronize(self._stream)
        for name, array in pinned.items():
            result = self.results.setdefault(name, np.empty((self._rows, *array.shape[1:]), array.dtype))
            result[start : start + count] = array[:count]

    def _pinned(self, name: str, tensor: Tensor, rows: int) -> np.ndarray:
        memory = self._staging.host(name, rows * tensor.row_bytes)
        return memory.view(tensor.dtype).reshape((rows, *tensor.row))


class DeviceTransfer:
    """Device arrays by copies within the GPU. ``results``: address and tensor of each output.

    The results of one part stay where the engine wrote them; those of several are joined in ``joined``.
    """

    def __init__(
        self, cuda: Cuda, stream: int, joined: Buffers, arrays: Mapping[str, DeviceView], rows: int
    ) -> None:
        self._cuda, self._stream, self._joined = cuda, stream, joined
        self._arrays, self._rows = arrays, rows
        self.results: dict[str, tuple[int, Tensor]] = {}

    def put(self, execution: Execution, start: int, count: int) -> None:
        for name, view in self._arrays.items():
            size, to = execution.inputs[name].row_bytes, execution.addresses[name]
            first, last = (view.address + row * size for row in (start, start + count - 1))
            self._cuda.copy(to, first, count * size, self._stream)
            for row in range(count, execution.rows):
                self._cuda.copy(to + row * size, last, size, self._stream)
        if start + count == self._rows:
            self._cuda.synchronize(self._stream)  # from here on the caller may overwrite its arrays

    def take(self, execution: Execution, start: int, count: int) -> None:
        for name, tensor in execution.outputs.items():
            address, size = execution.addresses[name], tensor.row_bytes
            if count < self._rows:
                whole = self._joined.device(name, self._rows * size)
                self._cuda.copy(whole + start * size, address, count * size, self._stream)
                address = whole
            self.results[name] = address, tensor
