"""Every kernel once at a small size, for compute-sanitizer: ``python -m bench.gpu.launches``."""

from __future__ import annotations

import sys

import torch

from .kernel_calls import SHORT, available, calls


def main() -> int:
    for call in calls(SHORT):
        for implementation in available():
            call.run(implementation)
    torch.cuda.synchronize()
    return 0


if __name__ == "__main__":
    sys.exit(main())
