"""Proves on a GPU what was written without one, and writes what it found to docs/gpu-status.md.

    python -m bench.gpu_check --quick
    python -m bench.gpu_check --bundle bundle/ --out gpu_check.json

Run from the repository, with the extras test, triton and tensorrt installed. Every kernel runs the ops' own tests, every
method's engines are built and compared with their float32 reference, and stages are timed. A part that fails is
reported, and the others go on; the exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import vocabseg
from vocabseg.core import load_core
from vocabseg.errors import BackendUnavailable, VocabsegError
from vocabseg.files import write_atomic

from .gpu import page
from .gpu.parts import Context, Part, run_parts
from .gpu.target import Target

ROOT = Path(__file__).resolve().parent.parent
MINUTES = (3.0, 8.0)
TARGET = Target()


def parts() -> list[Part]:
    """Seconds of the short run and of the whole one; they add up to ``MINUTES``."""
    from .gpu import engines, environment, frames, goldens, kernels, sanitizer

    return [
        Part("environment", (5, 10), environment.run),
        Part("kernels", (45, 100), kernels.run),
        Part("engines", (60, 180), engines.run),
        Part("goldens", (20, 80), goldens.run),
        Part("sanitizer", (15, 40), sanitizer.run),
        Part("latency", (35, 70), frames.run),
    ]


def find_gpu() -> str:
    """The name of device 0. Raises `BackendUnavailable` where there is no driver or no device."""
    devices = load_core().cuda.devices()
    if not devices:
        raise BackendUnavailable("the CUDA driver shows no device")
    return f"{devices[0].name} (sm_{devices[0].arch})"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu_check", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 minutes instead of 8, and fewer cases")
    parser.add_argument("--minutes", type=float, help="more time, or less, for all of it")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="build and time this one, too"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"), help="JSON of all that was found")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "gpu-status.md", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.minutes is not None and not args.minutes > 0:
        parser.error(f"--minutes {args.minutes:g} is not above 0")
    for bundle in args.bundle:
        if not (bundle / "manifest.json").is_file():
            parser.error(f"no bundle at {bundle}: there is no manifest.json")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    try:
        device = find_gpu()
    except VocabsegError as error:
        print(f"no GPU can be checked: {error}; run: vocabseg doctor", file=sys.stderr)
        return 1
    date = time.strftime("%Y-%m-%d")
    usual = MINUTES[0 if args.quick else 1]
    minutes = args.minutes or usual
    with tempfile.TemporaryDirectory(prefix="gpu_check") as folder:
        bundles = tuple(each.resolve() for each in args.bundle)
        end = time.monotonic() + 60 * minutes
        context = Context(args.quick, Path(folder), bundles, end, TARGET)
        found = run_parts(parts(), context, minutes / usual)
    head = {"schema": 1, "version": vocabseg.__version__, "device": device, "date": date}
    head |= {"quick": args.quick, "minutes": minutes}
    write_atomic(args.out, json.dumps({**head, "parts": found}, indent=1).encode())
    page.update(args.page, found, device, date)
    print(summary(found, device))
    print(f"written: {args.out} and {args.page}")
    return 0 if all(part["passed"] for part in found.values()) else 1


def summary(found: dict, device: str) -> str:
    """What failed and what was left out, a line each, and the counts."""
    checks = [check for part in found.values() for check in part["checks"]]
    failed = [check for check in checks if not check["passed"]]
    left_out = [reason for part in found.values() for reason in part["left_out"]]
    lines = [
        *(f"FAILED    {page.said(check)}" for check in failed),
        *(f"left out  {each}" for each in left_out),
    ]
    counts = f"{len(checks)} checks, {len(failed)} failed, {len(left_out)} left out"
    return "\n".join([*lines, f"{device}: {counts}"])


if __name__ == "__main__":
    sys.exit(main())
