"""``python -m vocabseg.kernels.aot.predict``: what the cubins' resources and a roofline say of each chip, as Markdown.

Predictions, not measurements: time is the larger of bytes / bandwidth and operations / peak rate.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..common.triton_kernel import ITEMSIZE
from . import FOLDER, manifest
from .chips import CHIPS, GIGA, TERA, Chip
from .occupancy import occupancy
from .workloads import WORKLOADS, Launch, launches

HEAD = """# Predictions for the GPU kernels

**No GPU has confirmed any number on this page.** Written by `python -m vocabseg.kernels.aot.predict` from the set of
cubins (registers, shared memory) and public figures of the chips; see [README.md](README.md).
"""
RESOURCES = """
## Resources

Per architecture: registers per thread / dynamic shared memory in KiB / resident warps as a share of the maximum.

"""
TIMES = """
## Roofline

Shapes: 480x640 pixels, 21x28 patches, D 512, float16 in, each array moved once (no reuse across launches, no
cache). Microseconds per call: the larger of bytes / bandwidth (m: memory bounds) and operations / peak rate
(c: compute bounds), summed over the launches of the op. Peak is the tensor rate for float16 dots, the float32 rate
otherwise. Real times are longer: a launch costs microseconds by itself, and * marks calls with a launch of fewer
blocks than the chip has multiprocessors.

"""
CHIP_TABLE = """
## Chips

"""


def document(entries: list[dict[str, Any]], chips: Sequence[Chip] = CHIPS) -> str:
    """The page, from the entries of a set's manifest."""
    calls = {title: launches(run) for title, run in WORKLOADS.items()}
    resources = _resources(entries, calls.values(), sorted({chip.arch for chip in chips}))
    return HEAD + RESOURCES + resources + TIMES + _times(entries, calls, chips) + CHIP_TABLE + _chips(chips)


def _resources(entries: list[dict[str, Any]], calls: Iterable[list[Launch]], archs: list[int]) -> str:
    rows = {}
    for launch in (launch for call in calls for launch in call):
        found = [_entry(entries, launch, arch) for arch in archs]
        rows[_name(launch)] = [_resource(entry) for entry in found]
    return _table(["kernel", *(f"sm_{arch}" for arch in archs)], ([name, *row] for name, row in rows.items()))


def _resource(entry: dict[str, Any]) -> str:
    share = occupancy(entry["arch"], entry["warps"], entry["registers"], entry["shared_bytes"])
    return f"{entry['registers']} / {entry['shared_bytes'] / 1024:.0f} / {share:.0%}"


def _times(entries: list[dict[str, Any]], calls: dict[str, list[Launch]], chips: Sequence[Chip]) -> str:
    def rows() -> Iterator[list[str]]:
        for title, call in calls.items():
            work = [_work(launch, _entry(entries, launch, chips[0].arch)) for launch in call]
            flops, moved = (sum(values) for values in zip(*work, strict=True))
            cost = [f"{flops / 1e6:.1f}", f"{moved / 1e6:.2f}"]
            yield [title, *cost, *(_time(entries, call, chip) for chip in chips)]

    return _table(["op", "Mflop", "MB", *(chip.name for chip in chips)], rows())


def _time(entries: list[dict[str, Any]], call: list[Launch], chip: Chip) -> str:
    memory = compute = total = 0.0
    filled = True
    for launch in call:
        entry = _entry(entries, launch, chip.arch)
        flops, moved = _work(launch, entry)
        on_tensor_cores = launch.kernel.uses_dot and launch.dtype != "fp32"
        times = moved / chip.bandwidth, flops / (chip.tensor if on_tensor_cores else chip.float32)
        memory, compute, total = memory + times[0], compute + times[1], total + max(times)
        filled &= _blocks(launch, entry) >= chip.multiprocessors
    return f"{total * 1e6:.1f} {'m' if memory >= compute else 'c'}{'' if filled else '*'}"


def _chips(chips: Sequence[Chip]) -> str:
    rows = (
        [
            chip.name,
            f"sm_{chip.arch}",
            str(chip.multiprocessors),
            f"{chip.bandwidth / GIGA:.0f}",
            f"{chip.float32 / TERA:.2f}",
            f"{chip.tensor / TERA:.1f}",
            chip.source,
        ]
        for chip in chips
    )
    head = ["chip", "arch", "multiprocessors", "GB/s", "float32 TFLOP/s", "float16 tensor TFLOP/s", "source"]
    return _table(head, rows)


def _entry(entries: list[dict[str, Any]], launch: Launch, arch: int) -> dict[str, Any]:
    wanted = (launch.kernel.name, launch.dtype, launch.variant, arch)
    for entry in entries:
        if (entry["kernel"], entry["dtype"], entry["variant"], entry["arch"]) == wanted:
            return entry
    raise ValueError(f"the set has no {_name(launch)} for sm_{arch}; run: python -m vocabseg.kernels.aot")


def _work(launch: Launch, entry: dict[str, Any]) -> tuple[int, int]:
    constexprs = entry["constexprs"] | entry["variant"]
    return launch.kernel.work(launch.values | constexprs | {"itemsize": ITEMSIZE[launch.dtype]})


def _blocks(launch: Launch, entry: dict[str, Any]) -> int:
    blocks = 1
    for factor in sum(entry["grid"], []):
        blocks *= -(-launch.values[factor["argument"]] // factor["divisor"])
    return blocks


def _name(launch: Launch) -> str:
    variant = ", ".join(f"{key}={value}" for key, value in launch.variant.items())
    return f"{launch.kernel.name} {launch.dtype}" + (f" ({variant})" if variant else "")


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vocabseg.kernels.aot.predict", description=__doc__)
    parser.add_argument("--set", type=Path, default=FOLDER, help="folder of the set")
    options = parser.parse_args(arguments)
    sys.stdout.write(document(manifest.read(options.set)["kernels"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
