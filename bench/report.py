"""A Markdown table of what ``bench.kernels`` wrote.

python -m bench.report kernels.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HEADER = ("case", "p50", "p90", "p99", "cold p50", "memory", "peer p50", "times faster", "of the ceiling")


def cells(row: dict) -> list[str]:
    times = row["ms"]
    memory = row["extra_memory_bytes"]
    peer = f"{times['peer']['p50']:.1f} ({row['peer']})" if "peer" in times else row.get("peer_not_run", "")
    ceiling = f"{100 * row['share_of_ceiling']:.0f} % ({row['ceiling']})" if "ceiling" in row else ""
    return [
        row["case"],
        *(f"{times['ours'][name]:.2f}" for name in ("p50", "p90", "p99")),
        f"{times['ours_cold']['p50']:.2f}",
        "" if memory["ours"] is None else f"{memory['ours'] / 1e6:.1f}",
        peer,
        f"{row['times_faster']:.1f}" if "times_faster" in row else "",
        ceiling,
    ]


def table(rows: list[dict]) -> str:
    lines = ["| " + " | ".join(HEADER) + " |", "|---|" + "---:|" * (len(HEADER) - 1)]
    return "\n".join(lines + ["| " + " | ".join(cells(row)) + " |" for row in rows])


def report(document: dict) -> str:
    machine, ceilings = document["machine"], document["ceilings"]
    parts = [
        f"{machine['cpu']}, {machine['threads']} threads, Python {machine['python']}, PyTorch {machine['torch']}; "
        f"ceilings of the same run: float32 product {ceilings['gemm_float32_per_s'] / 1e9:.0f} GFLOP/s, "
        f"copy {ceilings['copy_bytes_per_s'] / 1e9:.1f} GB/s. Times in milliseconds, memory in MB above what is "
        "resident before the call, results included."
    ]
    for op in dict.fromkeys(row["op"] for row in document["rows"]):
        parts.append(f"### {op}\n\n" + table([row for row in document["rows"] if row["op"] == op]))
    return "\n\n".join(parts)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="JSON of bench.kernels")
    print(report(json.loads(parser.parse_args(argv).results.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
