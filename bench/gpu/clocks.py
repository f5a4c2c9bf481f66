"""Time of one call by the device's clock and by the host's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import torch


class Clock(Protocol):
    def time(self, work: Callable[[], Any]) -> tuple[float, float]:
        """Milliseconds by the device's clock and by the host's, to the end of the work."""
        ...


class CudaClock:
    """CUDA events around the call on the current stream; the host waits for the second one."""

    def time(self, work: Callable[[], Any]) -> tuple[float, float]:
        torch.cuda.synchronize()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start = time.perf_counter()
        began.record()
        work()
        ended.record()
        ended.synchronize()
        wall = 1000 * (time.perf_counter() - start)
        return float(began.elapsed_time(ended)), wall


class HostClock:
    """For work on the CPU, which is done when the call returns: both are the host's."""

    def time(self, work: Callable[[], Any]) -> tuple[float, float]:
        start = time.perf_counter()
        work()
        wall = 1000 * (time.perf_counter() - start)
        return wall, wall


def clock_of(device: str) -> Clock:
    return HostClock() if device == "cpu" else CudaClock()
