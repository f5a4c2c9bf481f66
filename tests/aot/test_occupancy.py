"""The occupancy count against NVIDIA's own, cuda_occupancy.h, over all that can limit it."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

from tools import triton_folder

from vocabseg.kernels.aot.architectures import ARCHITECTURES
from vocabseg.kernels.aot.occupancy import occupancy, resident_blocks

WARPS = (1, 2, 4, 8, 16)
REGISTERS = (16, 24, 32, 40, 63, 64, 65, 96, 128, 168, 200, 255)
SHARED = (0, 1, 1024, 8192, 24576, 33000, 49152, 65536, 100000, 101376, 101377, 160000, 200000, 232448)


def test_agrees_with_cuda_occupancy(tmp_path) -> None:
    program = tmp_path / "occupancy"
    source = Path(__file__).with_name("occupancy.cc")
    include = triton_folder() / "include"
    subprocess.run(["c++", "-std=c++17", "-isystem", include, source, "-o", program], check=True)
    cases = list(itertools.product(ARCHITECTURES, WARPS, REGISTERS, SHARED))
    lines = []
    for arch, warps, registers, shared in cases:
        limits = ARCHITECTURES[arch]
        lines.append(f"{arch} {limits.shared_bytes} {limits.max_warps} {warps} {registers} {shared}")
    result = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    expected = list(map(int, result.stdout.split()))
    assert [resident_blocks(*case) for case in cases] == expected


def test_share_of_the_warps() -> None:
    assert occupancy(87, warps=4, registers=64, shared_bytes=0) == 32 / 48
    assert occupancy(87, warps=4, registers=64, shared_bytes=163 * 1024) == 4 / 48
    assert occupancy(86, warps=4, registers=64, shared_bytes=163 * 1024) == 0
