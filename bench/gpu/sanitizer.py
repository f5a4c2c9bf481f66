"""compute-sanitizer over every kernel at a small size, where it is installed."""

from __future__ import annotations

import shutil
import sys

from . import claims
from .commands import OutOfTime, last_lines
from .commands import run as run_command
from .parts import Check, Context, Outcome

TOOLS = ("memcheck", "racecheck")
_FOLDERS = "/usr/local/cuda/bin"
_FOUND = "77"


def run(context: Context) -> Outcome:
    program = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=_FOLDERS)
    if program is None:
        return Outcome(left_out=["compute-sanitizer is not installed; it comes with the CUDA toolkit"])
    outcome = Outcome()
    for tool in TOOLS[:1] if context.quick else TOOLS:
        command = [
            program,
            "--tool",
            tool,
            "--error-exitcode",
            _FOUND,
            sys.executable,
            "-m",
            "bench.gpu.launches",
        ]
        try:
            done = run_command(command, context.left())
        except OutOfTime:
            outcome.left_out.append(f"compute-sanitizer {tool}, for lack of time")
            continue
        passed = done.returncode == 0
        outcome.checks.append(Check(tool, passed, "" if passed else last_lines(done), claims.LOADER))
        outcome.measured[tool] = done.stdout[-4000:]
    return outcome
