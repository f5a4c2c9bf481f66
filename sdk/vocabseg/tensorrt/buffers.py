"""An engine's memory: buffers on the device, and page-locked ones on the host that copies go through."""

from __future__ import annotations

import numpy as np

from .cuda import Cuda


class Buffers:
    """Buffers by name that grow and are kept. ``moves`` counts how often an address changed."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._device: dict[str, tuple[int, int]] = {}  # name -> address, size
        self._host: dict[str, np.ndarray] = {}
        self.moves = 0

    def device(self, name: str, size: int) -> int:
        """The address of at least ``size`` bytes on the device. Raises `OutOfMemory`."""
        address, held = self._device.get(name, (0, -1))
        if held >= size:
            return address
        self.moves += 1
        if self._device.pop(name, None) is not None:
            self._cuda.release(address)
        self._device[name] = self._cuda.allocate(size), size
        return self._device[name][0]

    def host(self, name: str, size: int) -> np.ndarray:
        """uint8 [size], page-locked. Raises `OutOfMemory`."""
        held = self._host.get(name)
        if held is not None and held.nbytes >= size:
            return held[:size]
        if held is not None:
            del self._host[name]
            self._cuda.unpin(held)
        self._host[name] = self._cuda.pin(size)
        return self._host[name]

    def clear(self) -> None:
        """Give everything back."""
        self.moves += 1
        while self._device:
            self._cuda.release(self._device.popitem()[1][0])
        while self._host:
            self._cuda.unpin(self._host.popitem()[1])
