"""Engines of every method, built and verified by the commands that users run."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vocabseg.core import DEMO
from vocabseg.tensorrt.cuda import BINDINGS
from vocabseg.tensorrt.device import install_command

from . import claims
from .binding import LARGEST_DIFFERENCE
from .commands import ROOT, OutOfTime, answer, last_lines, python
from .environment import version
from .parts import Check, Context, Outcome

NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}
# Builds that run at once. Each takes half of the memory that is free when it starts.
_AT_ONCE = 3


@dataclass(frozen=True)
class Job:
    """One bundle in one precision. export: Python's arguments that make the bundle; empty where it is there."""

    label: str
    bundle: Path
    precision: str
    export: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.label} {self.precision}"


def run(context: Context) -> Outcome:
    outcome = Outcome()
    if find_spec("tensorrt") is None:
        outcome.left_out.append(f"all engines: tensorrt is not installed; run: {install_command()}")
        return outcome
    whole: list[Path] = []
    for jobs in rounds(context):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for job, result in zip(jobs, pool.map(lambda job: guarded(job, context), jobs), strict=True):
                if result is None:
                    outcome.left_out.append(f"engines of {job.name}, for lack of time")
                else:
                    outcome.checks += result[0]
                    outcome.measured[job.name] = result[1]
                    whole += [job.bundle] if all(check.passed for check in result[0]) else []
        if whole and not any(check.claim == claims.BINDINGS for check in outcome.checks):
            outcome.checks += [check for name in BINDINGS if (check := binding(name, whole[0], context))]
    return outcome


def rounds(context: Context) -> Iterator[list[Job]]:
    """The most telling first: what is last may find no time. A bundle is in a round once, as builds lock it."""
    from vocabseg import methods

    folder = context.folder
    demo = Path(shutil.copytree(DEMO, folder / "demo"))
    owns = [Path(shutil.copytree(each, folder / f"own-{each.name}")) for each in context.bundles]
    precisions = ("float16",) if context.quick else ("float16", "bfloat16")
    first = [Job("demo", demo, "fp32"), *(Job(own.name, own, "auto") for own in owns)]
    first += [] if context.quick else [vit(folder, "fp16")]
    yield first + [small(folder, name, "fp16", precisions) for name in methods.names()]
    if context.quick:
        return
    photos = ("--calibrate", str(pictures(folder)))
    second = [Job("demo", demo, "int8", options=photos), vit(folder, "int8", photos)]
    yield second + [small(folder, name, "fp32", precisions) for name in methods.names()]
    yield [small(folder, name, "bf16", precisions) for name in methods.names()]


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


def guarded(job: Job, context: Context) -> tuple[list[Check], dict[str, Any]] | None:
    """What a job found; None where its time ran out."""
    try:
        return work(job, context)
    except OutOfTime:
        return None
    except Exception as error:  # noqa: BLE001  one job must not stop the others
        return [Check(job.name, False, f"{type(error).__name__}: {error}", claims.BUILDS)], {}


def work(job: Job, context: Context) -> tuple[list[Check], dict[str, Any]]:
    """Export, build and verify. Raises `OutOfTime`."""
    if job.export and not (job.bundle / "manifest.json").is_file():
        done = python(job.export, context.left())
        if done.returncode:
            return [Check(f"export {job.label}", False, last_lines(done), claims.BUILDS)], {}
    options = ("--precision", job.precision, *job.options, "--json")
    built = python(
        ("-m", "vocabseg", "build", str(job.bundle), "--engine", "tensorrt", *options), context.left()
    )
    if built.returncode:
        return [Check(f"build {job.name}", False, last_lines(built), claims.BUILDS)], {}
    check = Check(f"build {job.name}", True, "", claims.BUILDS)
    named = ("--precision", NAMES[job.precision]) if job.precision in NAMES else ()
    command = ("-m", "vocabseg", "verify", str(job.bundle), "--backend", "tensorrt", *named, "--json")
    verified = python(command, context.left())
    measured = {"build": answer(built)}
    parity = answer(verified).get("parity")
    if parity is None:
        return [check, Check(f"verify {job.name}", False, last_lines(verified), claims.NUMERICS)], measured
    return [check, *compared(job.name, parity)], {**measured, "parity": parity}


def compared(name: str, parity: list[dict[str, Any]]) -> Iterator[Check]:
    """TensorRT's results against float32 torch's, per network."""
    for result in parity:
        detail = f"cosine at least {result['cosine_min']:.6f}, largest error {result['max_abs']:.1e}"
        yield Check(f"{name} {result['tower']}", result["passed"], detail, claims.NUMERICS)


def binding(name: str, bundle: Path, context: Context) -> Check | None:
    """Whether a CUDA binding runs an engine in every way; None where it is not installed, or for lack of time."""
    if version(name) is None:
        return None
    command = ("-m", "bench.gpu.binding", "--bundle", str(bundle), "--binding", name)
    try:
        found = answer(python(command, context.left()))["largest_difference"]
    except OutOfTime:
        return None
    except RuntimeError as error:
        return Check(name, False, str(error), claims.BINDINGS)
    detail = ", ".join(f"{way} {difference:.1e}" for way, difference in found.items())
    passed = max(found.values()) <= LARGEST_DIFFERENCE
    return Check(f"{name} {version(name)}", passed, f"largest difference: {detail}", claims.BINDINGS)
