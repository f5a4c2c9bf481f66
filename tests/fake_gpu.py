"""A GPU without a GPU: device memory, streams that run when something waits for them, graphs, and contexts per thread.

``fake_bindings`` has the modules of CUDA over it, ``fake_trt`` that of TensorRT.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

PRIMARY = "the primary context"
LEGACY = 1
_FIRST = 0x7000_0000_0000


class OutOfMemory(Exception):
    """The driver's error 2."""


class NoDevice(Exception):
    """The driver's error 100."""


class Stream:
    """Operations in order; ``done`` of them have run."""

    def __init__(self) -> None:
        self.queued: list[Callable[[], None]] = []
        self.done = 0
        self.capturing: list[Callable[[], None]] | None = None

    def add(self, operation: Callable[[], None]) -> None:
        (self.queued if self.capturing is None else self.capturing).append(operation)

    def drain(self, until: int | None = None) -> None:
        while self.done < (len(self.queued) if until is None else until):
            self.done += 1
            self.queued[self.done - 1]()


class Contexts(threading.local):
    """The stack of current contexts of a thread."""

    def __init__(self) -> None:
        self.stack: list[str] = []


def within(blocks: dict[int, np.ndarray], address: int, size: int, fault: str) -> np.ndarray:
    """The bytes at an address, from the block that has them all; an error with the text ``fault`` where none has."""
    for start, content in blocks.items():
        if start <= address and address + size <= start + len(content):
            return content[address - start : address - start + size]
    raise AssertionError(fault)


class FakeGpu:
    """limit: bytes of device memory. calls: names of what the driver was asked, in order."""

    name, capability, driver_version = "Orin", (8, 7), 12060

    def __init__(self) -> None:
        self.present = True
        self.limit, self.host_limit = 1 << 30, 1 << 30
        self.memory: dict[int, np.ndarray] = {}
        self.pinned: dict[int, np.ndarray] = {}
        self.streams: dict[int, Stream] = {LEGACY: Stream()}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.events: dict[int, tuple[Stream, int]] = {}
        self.contexts = Contexts()
        self.calls: list[str] = []
        self._next = 0

    def called(self, name: str) -> None:
        """A driver call that needs the context."""
        assert self.contexts.stack[-1:] == [PRIMARY], f"{name} without the primary context current"
        self.calls.append(name)

    def number(self, step: int = 1) -> int:
        self._next += step
        return _FIRST + self._next

    def initialise(self) -> None:
        if not self.present:
            raise NoDevice

    def used(self) -> int:
        return sum(len(each) for each in self.memory.values())

    def allocate(self, size: int) -> int:
        self.called("allocate")
        if self.used() + size > self.limit:
            raise OutOfMemory
        self._next = -(-self._next // 256) * 256
        address = self.number(0)
        self.memory[address] = np.full(size, 0xAA, np.uint8)
        self.number(size + 1)
        return address

    def free(self, address: int) -> None:
        self.called("free")
        del self.memory[address]

    def region(self, address: int, size: int) -> np.ndarray:
        """The device's bytes; an error where they are not allocated."""
        return within(self.memory, address, size, f"{size} bytes at {address:#x} are not allocated")

    def array(self, address: int, shape, dtype) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.region(address, size).view(dtype).reshape(shape)

    def pin(self, size: int) -> np.ndarray:
        self.called("pin")
        if size > self.host_limit:
            raise OutOfMemory
        array = np.full(size, 0xAA, np.uint8)
        self.pinned[array.ctypes.data] = array
        return array

    def unpin(self, address: int) -> None:
        self.called("unpin")
        del self.pinned[address]

    def host(self, address: int, size: int) -> np.ndarray:
        """Page-locked memory; an error where it is not."""
        return within(self.pinned, address, size, "a copy from or to memory that is not page-locked")

    def stream_create(self, flags: int) -> int:
        self.called("stream_create")
        assert flags == 1, "a stream that waits for the default stream"
        handle = self.number()
        self.streams[handle] = Stream()
        return handle

    def stream_destroy(self, handle: int) -> None:
        self.called("stream_destroy")
        del self.streams[handle]

    def upload(self, to: int, host: int, size: int, stream: int) -> None:
        self.called("upload")
        self.queue(stream, lambda: np.copyto(self.region(to, size), self.host(host, size)))

    def download(self, host: int, source: int, size: int, stream: int) -> None:
        self.called("download")
        self.queue(stream, lambda: np.copyto(self.host(host, size), self.region(source, size)))

    def copy(self, to: int, source: int, size: int, stream: int) -> None:
        self.called("copy")
        self.queue(stream, lambda: np.copyto(self.region(to, size), self.region(source, size)))

    def queue(self, stream: int, operation: Callable[[], None]) -> None:
        self.streams[stream].add(operation)

    def synchronize(self, stream: int) -> None:
        self.called("synchronize")
        self.streams[stream].drain()

    def record(self, event: int, stream: int) -> None:
        self.called("record")
        self.events[event] = self.streams[stream], len(self.streams[stream].queued)

    def wait_event(self, stream: int, event: int) -> None:
        self.called("wait_event")
        other, position = self.events[event]
        self.queue(stream, lambda: other.drain(position))

    def synchronize_all(self) -> None:
        self.called("synchronize_all")
        for stream in self.streams.values():
            stream.drain()

    def begin_capture(self, stream: int) -> None:
        self.called("begin_capture")
        self.streams[stream].capturing = []

    def end_capture(self, stream: int) -> int:
        self.called("end_capture")
        graph = self.number()
        self.graphs[graph] = self.streams[stream].capturing or []
        self.streams[stream].capturing = None
        return graph

    def instantiate(self, graph: int) -> int:
        self.called("instantiate")
        made = self.number()
        self.graphs[made] = self.graphs[graph]
        return made

    def drop_graph(self, graph: int) -> None:
        self.called("drop_graph")
        del self.graphs[graph]

    def launch(self, graph: int, stream: int) -> None:
        self.called("launch")
        for operation in self.graphs[graph]:
            self.queue(stream, operation)
