"""Parts of the check: each has a time budget, and one that fails does not stop the others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Check:
    """One question put to the GPU. claim: the row of docs/gpu-status.md that it speaks for, by how that row begins."""

    name: str
    passed: bool
    detail: str = ""
    claim: str | None = None


@dataclass
class Outcome:
    """What a part found. left_out: what it had no time for, or what is not installed. measured: for the JSON."""

    checks: list[Check] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """quick: the short run. folder: for files of this run only. bundles: the user's own, built and timed as well.
    deadline: when the part must end, on the monotonic clock, in seconds."""

    quick: bool
    folder: Path
    bundles: tuple[Path, ...]
    deadline: float

    def left(self) -> float:
        """Seconds; never below 0."""
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True)
class Part:
    """seconds: of the short run and of the whole one."""

    name: str
    seconds: tuple[float, float]
    run: Callable[[Context], Outcome]


def run_parts(
    parts: Sequence[Part], quick: bool, folder: Path, bundles: Sequence[Path], total: float
) -> dict[str, dict[str, Any]]:
    """Every part's outcome by name, as plain values. ``total``: seconds for all of them; what a part leaves of its own
    time is not given to the next one."""
    end = time.monotonic() + total
    found = {}
    for part in parts:
        started = time.monotonic()
        deadline = min(started + part.seconds[0 if quick else 1], end)
        if deadline <= started:
            outcome = Outcome(left_out=["no time was left"])
        else:
            outcome = guarded(part, Context(quick, folder, tuple(bundles), deadline))
        found[part.name] = document(outcome, time.monotonic() - started)
        print(line(part.name, found[part.name]), file=sys.stderr, flush=True)
    return found


def line(name: str, found: dict[str, Any]) -> str:
    failed = sum(not check["passed"] for check in found["checks"])
    counts = f"{len(found['checks'])} checks, {failed} failed, {len(found['left_out'])} left out"
    return f"{name:<12} {found['seconds']:6.1f} s  {counts}"


def guarded(part: Part, context: Context) -> Outcome:
    """A part's outcome; whatever it raises is a failed check."""
    try:
        return part.run(context)
    except Exception as error:  # noqa: BLE001  drivers and libraries fail in any way
        return Outcome([Check(part.name, False, f"{type(error).__name__}: {error}")])


def document(outcome: Outcome, seconds: float) -> dict[str, Any]:
    checks = [vars(check) for check in outcome.checks]
    return {
        "seconds": round(seconds, 2),
        "passed": all(check.passed for check in outcome.checks),
        "checks": checks,
        "left_out": outcome.left_out,
        "measured": outcome.measured,
    }
