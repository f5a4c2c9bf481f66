"""Engines of every method, built and verified by the commands that users run."""

from __future__ import annotations

import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vocabseg.core import DEMO
from vocabseg.tensorrt.cuda import BINDINGS

from . import claims
from .binding import LARGEST_DIFFERENCE
from .commands import ROOT, OutOfTime, answer, last_lines, python
from .environment import version
from .parts import Check, Context, Outcome, at_once

NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}


@dataclass(frozen=True)
class Job:
    """One bundle in one precision. export: Python's arguments that make the bundle; empty where it is there. bindings:
    whether its engine is then driven by every CUDA binding."""

    label: str
    bundle: Path
    precision: str
    export: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    bindings: bool = False

    @property
    def name(self) -> str:
        return f"{self.label} {self.precision}"


def run(context: Context) -> Outcome:
    missing = context.target.missing_tensorrt()
    if missing:
        return Outcome(left_out=[f"all engines: {missing}"])
    locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
    jobs = {f"engines of {job.name}": job for job in plan(context)}

    def alone(name: str, context: Context) -> Outcome:
        """One job at a time in a bundle: builds lock it."""
        job = jobs[name]
        with locks[job.bundle]:
            outcome = work(job, context)
            if job.bindings and all(outcome.verdicts().values()):
                drive(job, context, outcome)
        return outcome

    return at_once(dict.fromkeys(jobs, alone), context, claims.BUILDS)


def drive(job: Job, context: Context, outcome: Outcome) -> None:
    """Add what every CUDA binding makes of a job's engine."""
    for name in BINDINGS:
        try:
            outcome.add(binding(name, job.bundle, context))
        except OutOfTime:
            outcome.left_out.append(f"{name}, for lack of time")


def plan(context: Context) -> Iterator[Job]:
    """The most telling first: what is last may find no time."""
    from vocabseg import methods

    folder = context.folder
    demo = Path(shutil.copytree(DEMO, folder / "demo"))
    owns = [Path(shutil.copytree(each, folder / f"own-{each.name}")) for each in context.bundles]
    precisions = ("float16",) if context.quick else ("float16", "bfloat16")
    exported = [
        name for name in methods.names() if name != "proxyclip"
    ]  # its second backbone is in no bundle
    yield Job("demo", demo, "fp32", bindings=True)
    yield from (Job(own.name, own, "auto") for own in owns)
    if not context.quick:
        yield vit(folder, "fp16")
    yield from (small(folder, name, "fp16", precisions) for name in exported)
    if context.quick:
        return
    photos = ("--calibrate", str(pictures(folder)))
    yield Job("demo", demo, "int8", options=photos)
    for precision in ("fp32", "bf16"):
        yield from (small(folder, name, precision, precisions) for name in exported)
    yield vit(folder, "int8", photos)


def small(folder: Path, method: str, precision: str, precisions: Iterable[str]) -> Job:
    bundle = folder / f"small-{method}"
    export = ("-m", "bench.gpu.small_bundle", "--method", method, "--out", str(bundle), "--precision")
    return Job(method, bundle, precision, (*export, *precisions), ("--batch", "1,2,4"))


def vit(folder: Path, precision: str, options: tuple[str, ...] = ()) -> Job:
    """ViT-B/16 in its real size, with random weights: what is compared is TensorRT and torch, not the model."""
    bundle = folder / "ViT-B-16"
    export = ("-m", "vocabseg", "export", "ViT-B-16", "--pretrained", "none", "--method", "naclip")
    return Job(
        "ViT-B-16", bundle, precision, (*export, "--precision", "float16", "--out", str(bundle)), options
    )


def pictures(folder: Path) -> Path:
    """The picture that comes with vocabseg, alone in a folder."""
    target = folder / "pictures"
    target.mkdir()
    shutil.copy(ROOT / "sdk" / "vocabseg" / "assets" / "sample.jpg", target)
    return target


def work(job: Job, context: Context) -> Outcome:
    """Export, build and verify. Raises `OutOfTime`."""
    if job.export and not (job.bundle / "manifest.json").is_file():
        done = python(job.export, context.left())
        if done.returncode:
            return failed(f"export {job.label}", last_lines(done), claims.BUILDS)
    options = ("--engine", "tensorrt", "--precision", job.precision, *job.options, "--json")
    built = python(("-m", "vocabseg", "build", str(job.bundle), *options), context.left())
    if built.returncode:
        return failed(f"build {job.name}", last_lines(built), claims.BUILDS)
    outcome = Outcome([Check(f"build {job.name}", True, "", claims.BUILDS)])
    outcome.measured[job.name] = measured = {"build": answer(built)}
    named = ("--precision", NAMES[job.precision]) if job.precision in NAMES else ()
    command = ("-m", "vocabseg", "verify", str(job.bundle), "--backend", "tensorrt", *named, "--json")
    verified = python(command, context.left())
    parity = answer(verified).get("parity")
    if parity is None:
        outcome.add(failed(f"verify {job.name}", last_lines(verified), claims.NUMERICS))
        return outcome
    measured["parity"] = parity
    outcome.checks += compared(job.name, parity)
    return outcome


def failed(name: str, detail: str, claim: str) -> Outcome:
    return Outcome([Check(name, False, detail, claim)])


def compared(name: str, parity: list[dict[str, Any]]) -> Iterator[Check]:
    """TensorRT's results against float32 torch's, per network."""
    for result in parity:
        detail = f"cosine at least {result['cosine_min']:.6f}, largest error {result['max_abs']:.1e}"
        yield Check(f"{name} {result['tower']}", result["passed"], detail, claims.NUMERICS)


def binding(name: str, bundle: Path, context: Context) -> Outcome:
    """Whether a CUDA binding runs an engine in every way; nothing where it is not installed. Raises `OutOfTime`."""
    if version(name) is None:
        return Outcome()
    command = ("-m", "bench.gpu.binding", "--bundle", str(bundle), "--binding", name)
    try:
        found = answer(python(command, context.left()))
    except RuntimeError as error:
        return failed(name, str(error), claims.BINDINGS)
    differences, milliseconds = found["largest_difference"], found.get("ms", {})
    detail = ", ".join(f"{way} {difference:.1e}" for way, difference in differences.items())
    passed = max(differences.values()) <= LARGEST_DIFFERENCE
    checks = [Check(f"{name} {version(name)}", passed, f"largest difference: {detail}", claims.BINDINGS)]
    if milliseconds:
        said = ", ".join(f"{way} {value:.3f}" for way, value in milliseconds.items())
        checks.append(Check(f"{name}, ms", True, f"median of a run: {said}", claims.LATENCY))
    return Outcome(checks, [], {f"binding {name}": found})
