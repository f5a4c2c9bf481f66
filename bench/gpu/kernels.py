"""Every kernel, compiled just in time and ahead of time, in the ops' own tests: shapes, values and types at their ends,
against references in NumPy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from vocabseg.ops.registry import FOLDERS, Implementation, implementations

from . import claims
from .commands import ROOT, OutOfTime, last_lines, python
from .parts import Check, Context, Outcome
from .target import Target

_NAMED = 3


def run(context: Context) -> Outcome:
    target = context.target
    report = context.folder / "kernels.jsonl"
    chosen = f"({' or '.join(target.implementations)}) and not thread_count"  # threads mean nothing to a GPU
    variables = {
        "VOCABSEG_TEST_DEVICE": target.device,
        "VOCABSEG_TEST_IMPLEMENTATIONS": " ".join(target.implementations),
        "VOCABSEG_TEST_REPORT": str(report),
        "VOCABSEG_TEST_SECONDS": str(max(context.left() - 10, 1)),  # pytest starts and ends within the rest
    }
    plugins = ["-p", "bench.gpu.pytest_report", "-p", "no:cacheprovider"]
    command = ["-m", "pytest", "-q", "--tb=line", *plugins, "-k", chosen, str(ROOT / "tests" / "ops")]
    stopped = ""
    try:
        done = python(command, context.left(), variables)
        stopped = "" if done.returncode in (0, 1) else f"pytest ended early: {last_lines(done)}"
    except OutOfTime:
        stopped = "pytest did not end in time"
    return outcome(lines(report), stopped, wanted(target))


def lines(report: Path) -> list[dict]:
    """The whole lines of a report; the last one may be cut."""
    if not report.is_file():
        return []
    text = report.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def wanted(target: Target) -> list[Implementation]:
    """The target's implementations of every folder that has Triton kernels."""
    found = {}
    for op, folder in FOLDERS.items():
        if not (ROOT / "kernels" / folder / "triton.py").is_file():
            continue
        for item in implementations(op, target.device):
            if item.id.rpartition("/")[2] in target.implementations:
                found.setdefault(item.id, item)
    return list(found.values())


def outcome(report: Iterable[dict], stopped: str, items: Iterable[Implementation]) -> Outcome:
    """One check per implementation, from the plugin's lines; those that cannot run here are left out."""
    report = list(report)
    results = [line for line in report if "outcome" in line]
    selected = next((line["selected"] for line in report if "selected" in line), 0)
    checks = [check(item.id, results, stopped) for item in items if item.available]
    cubins = [each for each in checks if each.claim == claims.CUBINS]
    if cubins:
        good = sum(each.passed for each in cubins)
        detail = f"cubins of {good} of {len(cubins)} ops gave the expected results"
        checks.append(Check("launches", good == len(cubins), detail, claims.LOADER))
    left_out = [f"{item.id}: {item.reason}" for item in items if not item.available]
    missed = selected - len({line["test"] for line in results})
    left_out += [f"{missed} of {selected} tests of kernels, for lack of time"] if missed > 0 else []
    failed = [line for line in results if line["outcome"] == "failed"]
    return Outcome(checks, left_out, {"tests": selected, "stopped": stopped or None, "failed": failed})


def check(name: str, results: list[dict], stopped: str) -> Check:
    own = [line for line in results if line["implementation"] == name]
    counts = Counter(line["outcome"] for line in own)
    claim = claims.TRITON if name.endswith("/triton") else claims.CUBINS
    if not counts["passed"] and not counts["failed"]:
        return Check(name, False, f"no test ran{': ' if stopped else ''}{stopped}", claim)
    failed = [line["test"] for line in own if line["outcome"] == "failed"]
    detail = f"{counts['passed']} tests passed"
    if failed:
        detail += f", {len(failed)} failed: {', '.join(failed[:_NAMED])}"
    if stopped:
        detail += f"; {stopped}"
    return Check(name, not failed and not stopped, detail, claim)
