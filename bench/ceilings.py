"""What this machine can do at best, measured in the same run as what is compared with it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def best_seconds(work: Callable[[], object], repeats: int = 7) -> float:
    """The fastest of several runs: a ceiling is what the machine reaches when nothing disturbs it."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def copy_bandwidth() -> float:
    """Bytes read and written per second by one large copy."""
    source = np.ones(1 << 25, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / best_seconds(lambda: np.copyto(target, source))


def gemm_rate(m: int = 1024, n: int = 768, k: int = 3072) -> float:
    """float32 operations per second of NumPy's matrix product, in a shape of ViT-B's feed-forward."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape, dtype=np.float32) for shape in ((m, k), (k, n)))
    out = np.empty((m, n), np.float32)
    return 2 * m * n * k / best_seconds(lambda: np.matmul(a, b, out=out))
