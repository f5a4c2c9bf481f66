"""Which precision ``--precision auto`` takes: the fastest that passes the parity gate on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BackendUnavailable, EngineError, ParityError
from .build import Build, Report, Settings, build_precision
from .networks import available
from .record import Record

AUTO = "auto"
# float32 cannot be faster than a half precision that passes, so it is built only where none does.
_LAST_RESORT = "float32"


@dataclass(frozen=True)
class Trial:
    """A precision that was tried. latency_ms: of the image network; None where it did not come so far."""

    precision: str
    latency_ms: float | None
    verdict: str

    def line(self) -> str:
        time = "" if self.latency_ms is None else f"{self.latency_ms:.2f} ms, "
        return f"{self.precision}: {time}{self.verdict}"


@dataclass(frozen=True)
class Result:
    """The engines, the precision that was taken, and what was tried for it where the user left the choice."""

    precision: str
    records: list[Record]
    trials: tuple[Trial, ...] = ()

    def reason(self) -> str | None:
        """Why this precision, in one line; None where the user named it."""
        if not self.trials:
            return None
        tried = "; ".join(trial.line() for trial in self.trials)
        return f"auto took {self.precision}, the fastest that passes its gate here ({tried})"


def build_engines(bundle: Path, settings: Settings, report: Report | None = None) -> Result:
    """Build and check a bundle's engines.

    An interrupted call leaves no half-written file, and the next one keeps the networks that were finished.

    Raises:
        BundleError: the bundle is incomplete or altered.
        BackendUnavailable: TensorRT, a device or a graph of the precision is missing, or another build runs.
        EngineError: a build failed; ParityError: engines failed their gate.
    """
    build = Build(bundle, settings, report)
    with build.store.locked():
        build.store.sweep()
        try:
            if settings.precision != AUTO:
                return Result(settings.precision, build_precision(build, settings.precision))
            return choose(build)
        finally:
            build.store.sweep()


def choose(build: Build) -> Result:
    """Image networks of all precisions that the bundle has, timed; then the rest of the fastest that passes."""
    candidates = [each for each in available(build.manifest) if each != _LAST_RESORT]
    trials, passed = try_all(build, candidates)
    for precision in sorted(passed, key=lambda each: passed[each].latency_ms or float("inf")):
        try:
            records = build_precision(build, precision)
        except (EngineError, ParityError) as error:
            trials = [
                t if t.precision != precision else Trial(precision, t.latency_ms, str(error)) for t in trials
            ]
            continue
        drop_others(build, records, passed.values())
        return Result(precision, records, tuple(trials))
    records = build_precision(build, _LAST_RESORT)
    latency = records[0].latency_ms
    return Result(_LAST_RESORT, records, (*trials, Trial(_LAST_RESORT, latency, "passed")))


def try_all(build: Build, candidates: Sequence[str]) -> tuple[list[Trial], dict[str, Record]]:
    """Every candidate's verdict, and the image engines that passed."""
    trials, passed = [], {}
    for precision in candidates:
        try:
            image = build.networks(precision)[0]
            (record,) = build.check([build.make(image)])
        except (EngineError, BackendUnavailable) as error:
            trials.append(Trial(precision, None, str(error)))
            continue
        if record.passed:
            passed[precision] = record
            trials.append(Trial(precision, record.latency_ms, "passed"))
        else:
            assert record.parity is not None
            failures = ", ".join(record.parity["failures"])
            trials.append(Trial(precision, record.latency_ms, f"failed ({failures})"))
            build.store.remove(record)
    return trials, passed


def drop_others(build: Build, chosen: Iterable[Record], tried: Iterable[Record]) -> None:
    """Delete the image engines that lost: nobody would run them, and they are large."""
    kept = {record.plan for record in chosen}
    for record in tried:
        if record.plan not in kept:
            build.store.remove(record)
