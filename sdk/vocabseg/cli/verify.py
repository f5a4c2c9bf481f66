"""``vocabseg verify``: replay a bundle's stored inputs on an engine and compare with float32 torch."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import terminal

if TYPE_CHECKING:
    from ..export.parity import Parity


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("verify", help="check a bundle's engines against its stored reference")
    parser.add_argument("bundle", help="bundle folder, or demo")
    parser.add_argument(
        "--backend",
        default="auto",
        help="auto or openvino: the runtime; openvino-graph, onnxruntime: a stored graph as it is typed; "
        "tensorrt: engines that were built here",
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "bfloat16", "float16", "int8"),
        help="auto by default",
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (all by default)")
    parser.add_argument(
        "--cache", action="store_true", help="TensorRT engines of the cache, not the bundle's"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    from ..core import bundle_path
    from ..export.verification import require, verify

    results = verify(bundle_path(args.bundle), args.backend, args.precision, args.threads, args.cache)
    if args.json:
        document = {"bundle": args.bundle, "parity": [result.document() for result in results]}
        terminal.print_json({**document, "passed": all(result.passed for result in results)})
        return 0 if all(result.passed for result in results) else 1
    print(parity_table(results))
    require(results)
    return 0


def parity_table(results: list[Parity]) -> str:
    """One row per tower and engine."""
    rows = [
        (
            f"{result.tower}, {result.backend}",
            f"{result.cosine_min:.6f}",
            f"{result.cosine_mean:.6f}",
            f"{result.max_abs:.1e}",
            "-" if result.agreement is None else f"{100 * result.agreement:.1f} %",
            "ok" if result.passed else "FAILED",
        )
        for result in results
    ]
    return terminal.table(rows, ("tower, engine", "min cos", "mean cos", "max err", "same class", ""))
