"""Times of every kernel beside what this GPU reaches: ``python -m bench.gpu.kernel_times --seconds 20`` prints JSON.

The device's time is that between two CUDA events around the call; the wall clock's ends when the device is done. Both
are of the same calls, with warm caches, and include the host code of the op.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from bench.measure import summary

from .kernel_calls import FULL, Call, available, calls

COPIED_BYTES = 1 << 28
SIDE = 4096
_WARM_UPS, _LEAST, _MOST = 5, 20, 1000
# Of the time; compiling takes the rest.
_MEASURED = 0.4


def times(work: Callable[[], Any], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of single calls, by the device's clock and by the host's."""
    for _ in range(_WARM_UPS):
        work()
    torch.cuda.synchronize()
    device: list[float] = []
    wall: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < _LEAST or (time.perf_counter() < end and len(wall) < _MOST):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start = time.perf_counter()
        began.record()
        work()
        ended.record()
        ended.synchronize()
        wall.append(1000 * (time.perf_counter() - start))
        device.append(began.elapsed_time(ended))
    return {"device_ms": device, "wall_ms": wall}


def ceilings() -> dict[str, float]:
    """The fastest of many: what the device reaches when nothing disturbs it. TF32 is off."""
    source = torch.empty(COPIED_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    found = {"copy_bytes_per_s": 2 * COPIED_BYTES / fastest(lambda: target.copy_(source))}
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, dtype in (("float32", torch.float32), ("float16", torch.float16)):
        a, b = torch.randn(2, SIDE, SIDE, device="cuda").to(dtype)
        rate = 2 * SIDE**3 / fastest(lambda a=a, b=b: a @ b)
        found[f"gemm_{name}_per_s"] = rate
    return found


def fastest(work: Callable[[], Any]) -> float:
    """Seconds by the device's clock."""
    return min(times(work, 0.3)["device_ms"]) / 1000


def row(call: Call, implementation: str, seconds: float, reached: dict[str, float]) -> dict[str, Any]:
    """share_of_roofline: the least time that bytes and operations take at the measured ceilings, by the median time."""
    head = {"call": call.name, "implementation": implementation}
    try:
        found = times(lambda: call.run(implementation), seconds)
    except Exception as error:  # noqa: BLE001  one kernel must not stop the others
        return {**head, "error": f"{type(error).__name__}: {error}"[:500]}
    least = max(call.moved / reached["copy_bytes_per_s"], call.flops / reached["gemm_float16_per_s"])
    device, wall = summary(found["device_ms"]), summary(found["wall_ms"])
    share = 1000 * least / device["p50"]
    return {**head, "device_ms": device, "wall_ms": wall, "share_of_roofline": share, "samples": found}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.kernel_times")
    parser.add_argument("--seconds", type=float, required=True, help="no call begins later than this")
    args = parser.parse_args(argv)
    end = time.monotonic() + args.seconds
    reached, rows, left_out = ceilings(), [], []
    work = [(call, name) for call in calls(FULL) for name in available()]
    for call, name in work:
        if time.monotonic() > end:
            left_out.append(f"{call.name}/{name}")
        else:
            rows.append(row(call, name, _MEASURED * args.seconds / len(work), reached))
    print(json.dumps({"ceilings": reached, "rows": rows, "left_out": left_out}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
