"""A bundle of a method on a small model with random weights.

python -m bench.gpu.small_bundle --method sclip --precision float16 --out FOLDER
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import method_bundles
from vocabseg.export.build import export_bundle
from vocabseg.export.describe import Settings
from vocabseg.export.window import sliding


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.small_bundle")
    parser.add_argument("--method", required=True)
    parser.add_argument("--precision", nargs="+", required=True, help="beside float32")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    source, method = method_bundles.source("tiny"), method_bundles.method(args.method)
    settings = Settings(precisions=("float32", *args.precision))
    export_bundle(source, method, sliding(112, 56, 168), args.out, settings, step=lambda text: None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
