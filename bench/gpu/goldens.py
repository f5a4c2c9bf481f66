"""What the methods' official code computed, against engines in float32."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from . import claims
from .commands import ROOT, OutOfTime, answer, last_lines, python
from .parts import Check, Context, Outcome


def run(context: Context) -> Outcome:
    if find_spec("tensorrt") is None:
        return Outcome(left_out=["golden files: tensorrt is not installed"])
    sys.path.append(str(ROOT / "tests"))
    import golden_sets

    outcome = Outcome()
    # One file per configuration first, then the others.
    files = sorted(golden_sets.files_with("feat"), key=lambda path: (path.stem[-1], path.stem))
    for path in files:
        folder = context.folder / f"golden-{path.stem}"
        try:
            done = python(("-m", "bench.gpu.golden", str(path), "--out", str(folder)), context.left())
        except OutOfTime:
            outcome.left_out.append(f"golden file {path.stem}, for lack of time")
            continue
        if done.returncode:
            outcome.checks.append(Check(f"golden {path.stem}", False, last_lines(done), claims.NUMERICS))
            continue
        found = answer(done)
        if "left_out" in found:
            outcome.left_out.append(f"golden file {path.stem}: {found['left_out']}")
            continue
        outcome.measured[path.stem] = found
        detail = f"largest error of a cosine {found['error']:.1e}, limit {found['limit']:.0e}"
        outcome.checks.append(Check(f"golden {path.stem}", found["passed"], detail, claims.NUMERICS))
    return outcome
