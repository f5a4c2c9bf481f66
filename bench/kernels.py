"""The ops against the PyTorch composition of the published pipelines and against what the machine reaches.

    python -m bench.kernels --out kernels.json
    python -m bench.kernels --op mask_pool --seconds 2

Same work, same run, all cores on both sides. Results are compared before they are timed. Reported are median and tails in
milliseconds with warm caches, the median with cold ones, the memory that one call adds at its highest (results included),
and ratios of medians; the JSON holds every sample.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import vocabseg

from .ceilings import copy_bandwidth, gemm_rate
from .measure import extra_memory, machine, summary, time_calls

OPS = ("patch_text_similarity", "decode_labels", "mask_pool", "correlative_attention", "preprocess", "pamr")
COLUMNS = ("p50", "p90", "p99")


def cases(op: str) -> Iterator[object]:
    from . import frame_cases, kernel_cases

    makers = {
        "patch_text_similarity": kernel_cases.patch_text_similarity,
        "decode_labels": kernel_cases.label_decoding,
        "mask_pool": kernel_cases.mask_pooling,
        "correlative_attention": kernel_cases.correlative_attention,
        "preprocess": frame_cases.preprocessing,
        "pamr": frame_cases.pamr,
    }
    return makers[op]()


def free_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def measure(case, seconds: float) -> dict:
    """Samples and ratios of one case."""
    with_peer = case.peer is not None and case.peer_bytes < 0.7 * free_bytes()
    row: dict = {"op": case.op, "case": case.name, "peer": case.peer_name if with_peer else None}
    if with_peer and case.agrees:
        row[case.agreement] = case.agrees()
    row["extra_memory_bytes"] = {"ours": extra_memory(case.ours)}
    if with_peer:
        row["extra_memory_bytes"]["peer"] = extra_memory(case.peer)
    samples = {"ours": time_calls(case.ours, budget=seconds, least=10)}
    samples["ours_cold"] = time_calls(case.ours, budget=seconds / 2, least=5, cold=True)
    if with_peer:
        samples["peer"] = time_calls(case.peer, budget=seconds, least=3)
    elif case.peer is not None:
        row["peer_not_run"] = f"needs about {case.peer_bytes / 1e9:.0f} GB"
    if case.ceiling:
        samples["ceiling"] = time_calls(case.ceiling, budget=seconds, least=10)
        row["ceiling"] = case.ceiling_name
    row["ms"] = {name: summary([1e3 * s for s in values]) for name, values in samples.items()}
    median = {name: row["ms"][name]["p50"] for name in samples}
    if with_peer:
        row["times_faster"] = median["peer"] / median["ours"]
    if case.ceiling:
        row["share_of_ceiling"] = median["ceiling"] / median["ours"]
    flops, moved = case.work
    row["gflop_per_s"], row["gb_per_s"] = flops / median["ours"] / 1e6, moved / median["ours"] / 1e6
    return row | {"samples_ms": {name: [1e3 * s for s in values] for name, values in samples.items()}}


def line(row: dict) -> str:
    ours = row["ms"]["ours"]
    text = f"{row['op']:<22}{row['case']:<46}" + "".join(f"{ours[name]:9.3f}" for name in COLUMNS)
    text += f"{row['ms']['ours_cold']['p50']:9.3f}{(row['extra_memory_bytes']['ours'] or 0) / 1e6:9.1f}"
    if "times_faster" in row:
        text += f"  {row['ms']['peer']['p50']:9.1f} ms {row['peer']}: {row['times_faster']:.1f}x"
    elif "peer_not_run" in row:
        text += f"  peer not run: {row['peer_not_run']}"
    if "share_of_ceiling" in row:
        text += f"; {100 * row['share_of_ceiling']:.0f} % of {row['ceiling']}"
    return text


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--op", choices=OPS, action="append", help="only this op; may be repeated")
    parser.add_argument("--match", default="", help="only cases whose name contains this")
    parser.add_argument("--seconds", type=float, default=1.0, help="time spent on each side of a case")
    parser.add_argument("--out", type=Path, help="write JSON with every sample")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    import torch

    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    print(f"{'op':<22}{'case':<46}" + "".join(f"{name:>9}" for name in (*COLUMNS, "cold p50", "MB")))
    rows = []
    for op in args.op or OPS:
        for case in cases(op):
            if args.match in case.name:
                rows.append(measure(case, args.seconds))
                print(line(rows[-1]), flush=True)
    ceilings = {"copy_bytes_per_s": copy_bandwidth(), "gemm_float32_per_s": gemm_rate()}
    print(
        f"ceilings: float32 GEMM {ceilings['gemm_float32_per_s'] / 1e9:.0f} GFLOP/s, "
        f"copy {ceilings['copy_bytes_per_s'] / 1e9:.1f} GB/s; {threads} threads"
    )
    if args.out:
        document = {
            "schema": 1,
            "version": vocabseg.__version__,
            "machine": machine() | {"threads": threads, "torch": torch.__version__},
            "ceilings": ceilings,
            "rows": rows,
        }
        args.out.write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
