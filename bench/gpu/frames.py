"""Latency: every kernel, and whole frames stage by stage, with clocks and power where they can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vocabseg.core import load_core

from . import claims
from .commands import ROOT, OutOfTime, answer, last_lines, python
from .environment import STATE, watched
from .parts import Check, Context, Outcome

SIZES = ("480x640", "1080x1920")
WORDS = "road; car; tree; person; sky"
# Of pixels, in float32: near ties may fall either way.
LEAST_AGREEMENT = 0.995
# Of the time, and seconds beyond them in which what has begun may end.
_KERNEL_SHARE, _KERNEL_END = 0.4, 10.0


def run(context: Context) -> Outcome:
    outcome = Outcome()
    for step in (kernels, agreement, frames):
        try:
            step(context, outcome)
        except OutOfTime:
            outcome.left_out.append(f"{step.__name__}, for lack of time")
        except Exception as error:  # noqa: BLE001  the next step may work
            outcome.checks.append(Check(step.__name__, False, f"{type(error).__name__}: {error}"))
    return outcome


def kernels(context: Context, outcome: Outcome) -> None:
    seconds = _KERNEL_SHARE * context.left()
    command = ("-m", "bench.gpu.kernel_times", "--seconds", f"{seconds:.1f}", *context.target.options())
    with watched(STATE) as states:
        done = python(command, min(seconds + _KERNEL_END, context.left()))
    if done.returncode:
        outcome.checks.append(Check("kernel times", False, last_lines(done)))
        return
    found = answer(done)
    outcome.measured["kernels"] = {**found, "states": states}
    outcome.left_out += [f"times of {name}, for lack of time" for name in found["left_out"]]
    failed = [f"{row['call']}/{row['implementation']}" for row in found["rows"] if "error" in row]
    detail = f"{len(failed)} calls failed: {', '.join(failed)}" if failed else f"{len(found['rows'])} calls"
    outcome.checks.append(Check("kernel times", not failed, detail, claims.LATENCY))


def why_not(backend: str) -> str | None:
    """Why the core cannot run frames here, such as a libvocabseg_tensorrt.so that was not built."""
    found = [each for each in load_core().backends() if each["id"].startswith(backend)]
    return next((each["reason"] for each in found if not each["available"]), None)


def agreement(context: Context, outcome: Outcome) -> None:
    """The demo model's labels on the GPU and on the CPU."""
    demo = context.folder / "demo"
    missing = why_not(context.target.backend)
    if missing:
        outcome.left_out.append(f"labels of frames: {missing}")
        return
    if not built(demo):
        outcome.left_out.append("whole frames of the demo model: its engines were not built")
        return
    picture = ROOT / "sdk" / "vocabseg" / "assets" / "sample.jpg"
    command = ("-m", "bench.gpu.agreement", str(demo), str(picture), context.target.backend)
    done = python(command, context.left())
    if done.returncode:
        outcome.checks.append(Check("labels of a frame", False, last_lines(done), claims.RUNTIME))
        return
    found = answer(done)
    outcome.measured["agreement"] = found
    detail = f"equal the CPU's on {100 * found['agreement']:.2f} % of the pixels"
    passed = found["agreement"] >= LEAST_AGREEMENT
    outcome.checks.append(Check("labels of a frame", passed, detail, claims.RUNTIME))
    stages = ", ".join(found["stages"])
    whole = "upload" in found["stages"]  # a stage of frames that stay on the device
    said = "labels only; copies, streams and allocations were not observed"
    elsewhere = f"the frame was not on the device: its stages are {stages}, expected upload among them"
    outcome.checks.append(
        Check("frame on the device", whole and passed, said if whole else elsewhere, claims.FRAME)
    )


def frames(context: Context, outcome: Outcome) -> None:
    missing = why_not(context.target.backend)
    if missing:
        outcome.left_out.append(f"latency of frames: {missing}")
        return
    bundles = [context.folder / "demo", *(context.folder / f"own-{each.name}" for each in context.bundles)]
    for bundle in [*bundles, context.folder / "ViT-B-16"]:
        if not built(bundle):
            outcome.left_out.append(f"frames of {bundle.name}: its engines were not built")
            continue
        for size in SIZES[:1] if context.quick else SIZES:
            timed(bundle, size, context, outcome)


def built(bundle: Path) -> bool:
    return any((bundle / "engines").glob("image.*.plan"))


def timed(bundle: Path, size: str, context: Context, outcome: Outcome) -> None:
    """``bench.latency`` on one bundle and size. Raises `OutOfTime`."""
    name = f"{bundle.name} {size}"
    target = context.folder / f"{bundle.name}-{size}.json"
    backend, short = context.target.backend, context.target.short
    count = "5" if short else "50" if context.quick else "200"
    command = ["-m", "bench.latency", "--bundle", str(bundle), "--backend", backend, "--size", size]
    command += ["--frames", count, "--out", str(target), *words(bundle)]
    with watched(STATE) as states:
        done = python(command, context.left())
    if done.returncode:
        outcome.checks.append(Check(f"frames {name}", False, last_lines(done), claims.LATENCY))
        return
    document: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    document["states"] = states
    outcome.measured[f"frames {name}"] = document
    total = document["stages_ms"]["total"]
    detail = (
        f"p50 {total['p50']:.2f}, p90 {total['p90']:.2f}, p99 {total['p99']:.2f} ms ({document['backend']})"
    )
    outcome.checks.append(Check(f"frames {name}", True, detail, claims.LATENCY))


def words(bundle: Path) -> list[str]:
    """Words for a bundle that has none of its own."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    stored = "default" in (manifest.get("vocabularies") or {})
    return [] if stored or not manifest.get("text_encoder") else ["--words", WORDS]
