"""``vocabseg build``: engines of a bundle for the GPU of this machine."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import VocabsegError
from . import terminal
from .verify import parity_table

if TYPE_CHECKING:
    from ..tensorrt.policy import Result

_EPILOG = """examples:
  vocabseg build bundle/ --engine tensorrt
  vocabseg build bundle/ --engine tensorrt --precision fp16 --batch 1,6,12
  vocabseg build bundle/ --engine tensorrt --precision fp16 --low-memory --cache
  vocabseg build bundle/ --engine tensorrt --precision int8 --calibrate photos/"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("build", help="build a bundle's engines for this GPU", epilog=_EPILOG)
    parser.add_argument("bundle", help="bundle folder, or demo")
    parser.add_argument("--engine", required=True, choices=("tensorrt",), help="what to build for")
    parser.add_argument(
        "--precision",
        default="auto",
        metavar="P",
        help="fp16, bf16, fp32 or int8; auto (default) takes the fastest that passes its gate",
    )
    parser.add_argument(
        "--batch",
        metavar="LIST",
        help="windows per run: least,best,greatest (1,6,12 for sliding windows)",
    )
    parser.add_argument(
        "--calibrate",
        metavar="FOLDER",
        help="photos such as the ones to be segmented: adds an int8 graph to the bundle first",
    )
    parser.add_argument("--low-memory", action="store_true", help="less workspace, fewer tactics")
    parser.add_argument(
        "--allow-degraded", action="store_true", help="keep engines that fail their gate, and record it"
    )
    parser.add_argument("--cache", action="store_true", help="keep engines in the cache, not in the bundle")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    from ..core import bundle_path
    from ..tensorrt import backend
    from ..tensorrt.build import Settings
    from ..tensorrt.networks import precision_name
    from ..tensorrt.policy import AUTO, build_engines

    precision = AUTO if args.precision == AUTO else precision_name(args.precision)
    settings = Settings(
        precision, args.batch, args.low_memory, args.allow_degraded, args.cache, backend.TENSORRT
    )
    bundle = bundle_path(args.bundle)
    if args.calibrate is not None:
        calibrate(bundle, precision, args)
    result = build_engines(bundle, settings, Lines(args.json or args.quiet > 0))
    if args.json:
        terminal.print_json({"bundle": args.bundle, **document(result)})
    else:
        print(text(result))
    return 0


def calibrate(bundle: Path, precision: str, args: argparse.Namespace) -> None:
    """Give the bundle an int8 graph. Raises `VocabsegError` where that would not be built."""
    from ..bundle import check_files, read_manifest
    from ..export.calibrate import add_int8

    if precision not in ("int8", "auto"):
        raise VocabsegError(f"--calibrate makes an int8 graph, but --precision is {args.precision}")
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    quiet = args.json or args.quiet > 0
    say = (lambda text: None) if quiet else (lambda text: print(text, file=sys.stderr))
    results = add_int8(bundle, manifest, args.calibrate, args.allow_degraded, say)
    say(parity_table(results))


def document(result: Result) -> dict[str, Any]:
    """For ``--json``."""
    trials = [vars(trial) for trial in result.trials]
    engines = [{**vars(record), "passed": record.passed} for record in result.records]
    return {"precision": result.precision, "trials": trials, "engines": engines}


def text(result: Result) -> str:
    rows = [
        (
            record.tower,
            str(record.key["precision"]),
            f"{record.plan_bytes / 1e6:.1f} MB",
            "-" if record.latency_ms is None else f"{record.latency_ms:.2f} ms",
            "ok" if record.passed else "DEGRADED",
        )
        for record in result.records
    ]
    table = terminal.table(rows, ("network", "precision", "size", "best batch", "parity"))
    reason = result.reason()
    return f"{table}\n\n{reason}" if reason else table


class Lines:
    """One line per step on standard error; on a terminal the share that is done, and an estimate."""

    def __init__(self, quiet: bool, stream: TextIO | None = None) -> None:
        self._stream, self._quiet = stream or sys.stderr, quiet
        self._label, self._started = "", 0.0

    def begin(self, text: str) -> None:
        self._label, self._started = text, time.monotonic()

    def progress(self, share: float) -> None:
        if self._quiet or not self._stream.isatty():
            return
        left = (time.monotonic() - self._started) * (1 - share) / max(share, 0.01)
        bar = ("#" * round(28 * share)).ljust(28)
        line = f"{self._label:<18} [{bar}] {100 * share:3.0f} %  {left:.0f} s left"
        self._stream.write("\r" + line.ljust(terminal.WIDTH - 1))
        self._stream.flush()

    def end(self, text: str) -> None:
        if self._quiet:
            return
        line = f"{self._label:<18} {text}"
        start = "\r" if self._stream.isatty() else ""
        self._stream.write(start + line.ljust(terminal.WIDTH - 1 if start else 0) + "\n")
        self._stream.flush()
