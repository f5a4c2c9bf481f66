"""``python -m vocabseg.kernels.aot``: compile the kernels to cubins, with no GPU and no driver."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from . import FOLDER
from .architectures import ARCHITECTURES


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vocabseg.kernels.aot", description=__doc__)
    known = ",".join(map(str, ARCHITECTURES))
    parser.add_argument("--arch", type=_archs, help=f"architectures, separated by commas (default: {known})")
    parser.add_argument("--kernel", action="append", help="one kernel; may be repeated (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the set (default: the package's own)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all CPUs)")
    options = parser.parse_args(arguments)
    if find_spec("triton") is None:
        parser.error("triton is not installed: pip install 'vocabseg[triton]'")
    if (options.arch or options.kernel) and options.out is None:
        parser.error("a part of the set needs --out: the package's own folder holds the whole set")
    archs = options.arch or list(ARCHITECTURES)
    return _build(options.out or FOLDER, archs, options.kernel, max(options.jobs, 1))


def _archs(text: str) -> list[int]:
    archs = [int(arch) for arch in text.split(",") if arch.isdigit()]
    if ",".join(map(str, archs)) != text or not set(archs) <= set(ARCHITECTURES):
        raise argparse.ArgumentTypeError(f"got {text}, expected some of {','.join(map(str, ARCHITECTURES))}")
    return sorted(set(archs))


def _build(out: Path, archs: list[int], names: list[str] | None, processes: int) -> int:
    from .build import build

    try:
        document = build(out, archs, names, processes, _progress if sys.stderr.isatty() else lambda *_: None)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(entry["size"] for entry in document["kernels"])
    print(f"{len(document['kernels'])} cubins, {size / 1e6:.2f} MB, in {out}")
    return 0


def _progress(done: int, total: int) -> None:
    print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
