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
from dataclasses import dataclass
from typing import Any

import torch

from bench.measure import summary

from .clocks import Clock, clock_of
from .kernel_calls import FULL, SHORT, Call, Scene, arguments, available, calls

_WARM_UPS, _LEAST, _MOST = 5, 20, 1000
_CEILING_SECONDS = 0.3
# Of the time; compiling takes the rest.
_MEASURED = 0.4


@dataclass(frozen=True)
class Sizes:
    """scene: of the calls. copied, side: bytes of the copy and side of the square products that show the ceilings."""

    scene: Scene
    copied: int
    side: int


_FULL, _SHORT = Sizes(FULL, 1 << 28, 4096), Sizes(SHORT, 1 << 20, 128)


def times(work: Callable[[], Any], seconds: float, clock: Clock) -> dict[str, list[float]]:
    """Milliseconds of single calls, by the device's clock and by the host's."""
    for _ in range(_WARM_UPS):
        work()
    device: list[float] = []
    wall: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < _LEAST or (time.perf_counter() < end and len(wall) < _MOST):
        by_device, by_host = clock.time(work)
        device.append(by_device)
        wall.append(by_host)
    return {"device_ms": device, "wall_ms": wall}


def ceilings(sizes: Sizes, device: str, clock: Clock) -> dict[str, float]:
    """The fastest of many: what the device reaches when nothing disturbs it. TF32 is off."""

    def fastest(work: Callable[[], Any]) -> float:
        return min(times(work, _CEILING_SECONDS, clock)["device_ms"]) / 1000

    source = torch.empty(sizes.copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    found = {"copy_bytes_per_s": 2 * sizes.copied / fastest(lambda: target.copy_(source))}
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, dtype in (("float32", torch.float32), ("float16", torch.float16)):
        a, b = torch.randn(2, sizes.side, sizes.side, device=device).to(dtype)
        found[f"gemm_{name}_per_s"] = 2 * sizes.side**3 / fastest(lambda a=a, b=b: a @ b)
    return found


def row(
    call: Call, implementation: str, seconds: float, reached: dict[str, float], clock: Clock
) -> dict[str, Any]:
    """share_of_roofline: the least time that bytes and operations take at the measured ceilings, by the median time."""
    head = {"call": call.name, "implementation": implementation}
    try:
        found = times(lambda: call.run(implementation), seconds, clock)
    except Exception as error:  # noqa: BLE001  one kernel must not stop the others
        return {**head, "error": f"{type(error).__name__}: {error}"[:500]}
    least = max(call.moved / reached["copy_bytes_per_s"], call.flops / reached["gemm_float16_per_s"])
    device, wall = summary(found["device_ms"]), summary(found["wall_ms"])
    share = 1000 * least / device["p50"]
    return {**head, "device_ms": device, "wall_ms": wall, "share_of_roofline": share, "samples": found}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.kernel_times")
    parser.add_argument("--seconds", type=float, required=True, help="no call begins later than this")
    arguments(parser)
    args = parser.parse_args(argv)
    end = time.monotonic() + args.seconds
    clock, sizes = clock_of(args.device), _SHORT if args.short else _FULL
    reached, rows, left_out = ceilings(sizes, args.device, clock), [], []
    names = available(args.device, args.implementations)
    work = [(call, name) for call in calls(sizes.scene, args.device) for name in names]
    for call, name in work:
        if time.monotonic() > end:
            left_out.append(f"{call.name}/{name}")
        else:
            rows.append(row(call, name, _MEASURED * args.seconds / len(work), reached, clock))
    print(json.dumps({"ceilings": reached, "rows": rows, "left_out": left_out}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
