"""Which precision ``--precision auto`` takes: the fastest that passes the parity gate on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    """A precision that was tried. latency_ms: of the image network; None where it did not come so far. passed: the
    image network did."""

    precision: str
    latency_ms: float | None
    verdict: str
    passed: bool = False

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
        why = "the fastest that passes its gate here"
        if not all(record.passed for record in self.records):
            why = "as nothing passes its gate here"
        return f"auto took {self.precision}, {why} ({tried})"


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
    trials = {precision: try_image(build, precision) for precision in candidates}
    order = sorted((t for t in trials.values() if t.passed), key=lambda trial: trial.latency_ms or 0.0)
    for precision in (*(trial.precision for trial in order), _LAST_RESORT):
        try:
            records = build_precision(build, precision, strict=precision != _LAST_RESORT)
        except (EngineError, ParityError) as error:
            if precision == _LAST_RESORT:
                raise
            trials[precision] = replace(trials[precision], verdict=str(error))
            continue
        drop_others(build, records)
        verdict = "passed" if all(record.passed for record in records) else "kept, though its gate failed"
        trials[precision] = Trial(precision, records[0].latency_ms, verdict)
        return Result(precision, records, tuple(trials.values()))
    raise AssertionError("the last resort returns or raises")


def try_image(build: Build, precision: str) -> Trial:
    """The image network alone in a precision, through its gate and the clock."""
    try:
        (record,) = build.check([build.make(build.networks(precision)[0])])
    except (EngineError, BackendUnavailable) as error:
        return Trial(precision, None, str(error))
    if record.passed:
        return Trial(precision, record.latency_ms, "passed", passed=True)
    assert record.parity is not None
    return Trial(precision, record.latency_ms, f"failed ({', '.join(record.parity['failures'])})")


def drop_others(build: Build, chosen: Iterable[Record]) -> None:
    """Delete the engines of this build that lost: nobody would run them, and they are large."""
    kept = {record.plan for record in chosen}
    for record in build.made:
        if record.plan not in kept:
            build.store.remove(record)
