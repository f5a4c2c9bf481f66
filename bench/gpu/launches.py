"""Every kernel once at a small size, for compute-sanitizer: ``python -m bench.gpu.launches``."""

from __future__ import annotations

import argparse
import sys

import torch

from .kernel_calls import SHORT, arguments, available, calls
from .sanitizer import DONE


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.launches")
    arguments(parser)
    args = parser.parse_args(argv)
    for call in calls(SHORT, args.device):
        for implementation in available(args.device, args.implementations):
            call.run(implementation)
    if args.device != "cpu":
        torch.cuda.synchronize()
    print(DONE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
