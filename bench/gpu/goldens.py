"""What the methods' official code computed, against engines in float32."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from . import claims
from .commands import ROOT, answer, python
from .parts import Check, Context, Outcome, at_once


def run(context: Context) -> Outcome:
    missing = context.target.missing_tensorrt()
    if missing:
        return Outcome(left_out=[f"golden files: {missing}"])
    sys.path.append(str(ROOT / "tests"))
    import golden_sets

    files = in_turn(path for path in golden_sets.files() if comparable(golden_sets.load(path)))
    return at_once(
        {f"golden {path.stem}": partial(compare, path) for path in files}, context, claims.NUMERICS
    )


def comparable(arrays: Iterable[str]) -> bool:
    """Whether a file holds what a network gives; the others hold what follows from it."""
    return not {"feat", "win_patch_logits", "affinity"}.isdisjoint(arrays)


def in_turn(files: Iterable[Path]) -> list[Path]:
    """One file of every method first, then the second ones: what is last may find no time."""
    turn: Counter[str] = Counter()
    order = {}
    for path in sorted(files):
        method = path.stem.partition("_")[0]
        order[path] = (turn[method], method)
        turn[method] += 1
    return sorted(order, key=lambda path: order[path])


def compare(path: Path, name: str, context: Context) -> Outcome:
    """Raises `OutOfTime`."""
    target = context.folder / f"golden-{path.stem}"
    found = answer(python(("-m", "bench.gpu.golden", str(path), "--out", str(target)), context.left()))
    if "left_out" in found:
        return Outcome(left_out=[f"{name}: {found['left_out']}"])
    return Outcome(
        [Check(name, found["passed"], detail(found["stages"]), claims.NUMERICS)], [], {name: found}
    )


def detail(stages: list[dict]) -> str:
    """How far the comparison went, and every stage's error."""
    errors = ", ".join(f"{each['stage']} {each['error']:.1e}" for each in stages)
    beyond = [each for each in stages if not each["error"] <= each["limit"]]
    named = "".join(f"; {each['stage']} is beyond {each['limit']:.0e}" for each in beyond)
    return f"to the {stages[-1]['stage']}, largest errors: {errors}{named}"
