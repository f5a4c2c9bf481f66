"""compute-sanitizer over every kernel at a small size, where it is installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import claims
from .commands import OutOfTime, last_lines
from .commands import run as run_command
from .parts import Check, Context, Outcome

# What bench.gpu.launches prints at its end: a tool that shows it has run the program.
DONE = "all kernels were launched"
TOOLS = ("memcheck", "racecheck")
_INSTALL = "pip install nvidia-cuda-sanitizer-api (the CUDA toolkit has it, too)"
_FOUND = 77
# Memory that torch keeps after it was freed would hide accesses beyond an array's end.
_VARIABLES = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
# The driver's own errors are answers to what libraries ask it, not faults of kernels.
_OPTIONS = {"memcheck": ("--report-api-errors", "no"), "racecheck": ()}


def run(context: Context) -> Outcome:
    program = find()
    if program is None:
        return Outcome(left_out=[f"compute-sanitizer is not installed; run: {_INSTALL}"])
    outcome = Outcome()
    launches = (sys.executable, "-m", "bench.gpu.launches", *context.target.options())
    try:
        plain = run_command(launches, context.left())  # leaves compiled kernels for the tools, too
        if plain.returncode:
            return Outcome([Check("launches at a small size", False, last_lines(plain), claims.LOADER)])
        for tool in TOOLS[:1] if context.quick else TOOLS:
            judge(tool, program, launches, context, outcome)
    except OutOfTime:
        outcome.left_out.append("compute-sanitizer, for lack of time")
    return outcome


def find() -> str | None:
    """The program: on the path, of a toolkit, or of the package."""
    packages = [folder for entry in sys.path for folder in Path(entry or ".").glob("nvidia/*/bin")]
    places = (None, "/usr/local/cuda/bin", *map(os.fspath, packages))
    found = (shutil.which("compute-sanitizer", path=place) for place in places)
    return next((program for program in found if program), None)


def judge(tool: str, program: str, launches: tuple[str, ...], context: Context, outcome: Outcome) -> None:
    """A tool's verdict; left out where it did not come to one. Raises `OutOfTime`."""
    options = ("--tool", tool, "--error-exitcode", str(_FOUND), *_OPTIONS[tool])
    done = run_command((program, *options, *launches), context.left(), _VARIABLES)
    outcome.measured[tool] = {"code": done.returncode, "said": done.stdout[-4000:]}
    if done.returncode == _FOUND:
        outcome.checks.append(Check(tool, False, last_lines(done, done.stdout), claims.LOADER))
    elif done.returncode == 0 and DONE in done.stdout:
        outcome.checks.append(Check(tool, True, "no error in any kernel at a small size", claims.LOADER))
    else:
        outcome.left_out.append(
            f"compute-sanitizer {tool} does not run here: {last_lines(done, done.stdout)}"
        )
