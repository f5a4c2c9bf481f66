"""Timing: every sample is kept, medians and tails are reported, nothing is discarded."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "max": 100}
# Larger than the last-level caches of the machines that this runs on.
FLUSHED_BYTES = 256 << 20


def summary(samples: Sequence[float]) -> dict[str, float]:
    return {name: float(np.percentile(samples, q)) for name, q in PERCENTILES.items()}


def time_calls(work: Callable[[], object], *, budget: float, least: int, cold: bool = False) -> list[float]:
    """Seconds of single calls after one warm-up: at least ``least`` of them, then until ``budget`` is spent.

    Of work that takes longer than the whole budget, two calls are timed, the first included. ``cold`` empties the
    caches before every call, outside the timed part.
    """
    flush = np.zeros(FLUSHED_BYTES // 8) if cold else None
    first = seconds(work)
    samples = [first] if first > budget else []
    least = 2 if first > budget else least
    while len(samples) < least or (sum(samples) < budget and len(samples) < 1000):
        if flush is not None:
            flush += 1
        samples.append(seconds(work))
    return samples


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> dict[str, object]:
    cpu = next(
        (line.split(":")[1].strip() for line in cpuinfo() if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def peak_memory() -> int | None:
    """Bytes of the process's resident memory at its highest since the last ``extra_memory``; Linux only."""
    status = Path("/proc/self/status")
    return _status_bytes(status, "VmHWM") if status.exists() else None


def extra_memory(work: Callable[[], object]) -> int | None:
    """Bytes by which one call raises the resident memory at its highest, results included; Linux only."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not reset.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)  # so that memory freed earlier does not serve this call unseen
    reset.write_text("5")
    before = _status_bytes(status, "VmRSS")
    result = work()
    peak = _status_bytes(status, "VmHWM")
    del result
    return max(peak - before, 0)


def _status_bytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
