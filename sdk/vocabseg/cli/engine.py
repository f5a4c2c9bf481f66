"""Which engine a command runs a bundle with: options that commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..segmenter import Segmenter


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", default="demo", help="bundle folder, or demo (the default)")
    parser.add_argument("--backend", default="auto", help="engine; auto (the default) picks one and says why")
    parser.add_argument("--precision", default="auto", help="auto (the default), or one that the bundle has")
    parser.add_argument(
        "--engines",
        metavar="FOLDER",
        help="TensorRT engines outside the bundle: cache (as vocabseg build --cache), or a folder of yours",
    )
    parser.add_argument(
        "--allow-smaller-batch",
        action="store_true",
        help="with too little GPU memory: fewer windows at a time, with a warning",
    )
    parser.add_argument("--threads", type=_positive, help="CPU threads (all by default)")


def load(args: argparse.Namespace) -> Segmenter:
    """The segmenter that the options name. Raises what `Segmenter.load` does."""
    from ..segmenter import Segmenter

    return Segmenter.load(
        args.bundle, args.backend, args.threads, args.precision, args.engines, args.allow_smaller_batch
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value
