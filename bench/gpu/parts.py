"""Parts of the check: each has a time budget, and one that fails does not stop the others."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .commands import OutOfTime
from .target import Target

# Jobs of a part that run at once: exports take cores, builds mostly one core and little of the GPU.
AT_ONCE = max(1, min(6, (os.cpu_count() or 1) // 2))


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

    def verdicts(self) -> dict[str, bool]:
        """Whether each check passed, by its name."""
        return {check.name: check.passed for check in self.checks}

    def add(self, other: Outcome) -> None:
        self.checks += other.checks
        self.left_out += other.left_out
        self.measured |= other.measured


@dataclass(frozen=True)
class Context:
    """quick: the short run. folder: for files of this run only. bundles: the user's own, built and timed as well.
    deadline: when the part must end, on the monotonic clock, in seconds. target: see there."""

    quick: bool
    folder: Path
    bundles: tuple[Path, ...]
    deadline: float
    target: Target = Target()

    def left(self) -> float:
        """Seconds; never below 0."""
        return max(self.deadline - time.monotonic(), 0.0)


@dataclass(frozen=True)
class Part:
    """seconds: of the short run and of the whole one."""

    name: str
    seconds: tuple[float, float]
    run: Callable[[Context], Outcome]


def run_parts(parts: Sequence[Part], head: Context, scale: float = 1.0) -> dict[str, dict[str, Any]]:
    """Every part's outcome by name, as plain values. What a part leaves of its time is the next ones'.

    head: what parts are given, but for their deadlines; its own is that of all. scale: of the parts' seconds.
    """
    found = {}
    planned = time.monotonic()
    for part in parts:
        started = time.monotonic()
        planned += scale * part.seconds[0 if head.quick else 1]
        deadline = min(planned, head.deadline)
        if deadline <= started:
            outcome = Outcome(left_out=[f"{part.name}, for lack of time"])
        else:
            print(f"{part.name:<12} up to {deadline - started:.0f} s", file=sys.stderr, flush=True)
            outcome = guarded(part, replace(head, deadline=deadline))
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


def at_once(
    jobs: Mapping[str, Callable[[str, Context], Outcome]], context: Context, claim: str | None = None
) -> Outcome:
    """What the jobs of a part found, in their order, a few run at a time. A job is given its name; one that fails is a
    failed check, and one that is out of time is left out."""

    def do(name: str) -> Outcome:
        try:
            return jobs[name](name, context)
        except OutOfTime:
            return Outcome(left_out=[f"{name}, for lack of time"])
        except Exception as error:  # noqa: BLE001  one job must not stop the others
            return Outcome([Check(name, False, f"{type(error).__name__}: {error}", claim)])

    total = Outcome()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(do, jobs):
            total.add(outcome)
    return total


def document(outcome: Outcome, seconds: float) -> dict[str, Any]:
    checks = [vars(check) for check in outcome.checks]
    return {
        "seconds": round(seconds, 2),
        "passed": all(outcome.verdicts().values()),
        "checks": checks,
        "left_out": outcome.left_out,
        "measured": outcome.measured,
    }
