"""Every kernel once at a small size, for compute-sanitizer: ``python -m bench.gpu.launches``."""

from __future__ import annotations

import sys

import torch

from vocabseg.ops.registry import ON_GPU

from .kernel_calls import SHORT, calls


def main() -> int:
    for call in calls(SHORT):
        for implementation in sorted(ON_GPU):
            call.run(implementation)
    torch.cuda.synchronize()
    return 0


if __name__ == "__main__":
    sys.exit(main())
