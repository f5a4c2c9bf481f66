"""Latency of whole frames, stage by stage.

    python -m bench.latency --bundle demo --size 480x640 --frames 100 --out latency.json

Every frame is a different picture, so that nothing is served from a cache. Reported are median and tails in milliseconds;
the JSON holds every sample, the machine, and the measured ceilings of the same run. Nothing is discarded.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from pathlib import Path

import numpy as np

import vocabseg

from .ceilings import copy_bandwidth, gemm_rate
from .measure import PERCENTILES, machine, summary


def frames(height: int, width: int, count: int) -> list[np.ndarray]:
    """Smooth random pictures: as costly to label as photos, and none like another."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, height // 32 + 1, width // 32 + 1, 3), dtype=np.uint8)
    return [tile.repeat(32, 0).repeat(32, 1)[:height, :width] for tile in coarse]


def measure(
    segmenter: vocabseg.Segmenter, pictures: list[np.ndarray], warmup: int, scores: bool
) -> list[dict]:
    """Stage times in milliseconds of every frame after the warm-up."""
    for picture in pictures[:warmup]:
        segmenter(picture, scores=scores)
    return [dict(segmenter(picture, scores=scores).timing) for picture in pictures]


def table(stages: dict[str, dict[str, float]]) -> str:
    lines = ["stage        " + "".join(f"{name:>9}" for name in PERCENTILES)]
    lines += [
        f"{stage:<13}" + "".join(f"{value:9.2f}" for value in row.values()) for stage, row in stages.items()
    ]
    return "\n".join(lines)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="demo")
    parser.add_argument("--size", default="480x640", help="height x width of the frames")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--words", help="vocabulary (default: the bundle's own)")
    parser.add_argument("--scores", action="store_true", help="also return a score per pixel")
    parser.add_argument("--out", type=Path, help="write JSON with every sample")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    segmenter = vocabseg.Segmenter.load(args.bundle, args.backend, args.threads, args.precision)
    if args.words:
        segmenter.set_vocabulary(args.words)
    height, width = (int(side) for side in args.size.split("x"))
    samples = measure(segmenter, frames(height, width, args.frames), args.warmup, args.scores)
    stages = {stage: summary([sample[stage] for sample in samples]) for stage in samples[0]}
    ceilings = {"copy_bytes_per_s": copy_bandwidth(), "gemm_float32_per_s": gemm_rate()}
    print(f"{args.bundle} · {segmenter.backend} · {args.size} · {args.frames} frames, ms")
    print(table(stages))
    print(
        f"ceilings: float32 GEMM {ceilings['gemm_float32_per_s'] / 1e9:.0f} GFLOP/s, "
        f"copy {ceilings['copy_bytes_per_s'] / 1e9:.1f} GB/s"
    )
    if args.out:
        case = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
        memory = {"rss_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        document = {
            "schema": 1,
            "version": vocabseg.__version__,
            "machine": machine(),
            "case": case,
            "memory": memory,
        }
        document |= {
            "backend": segmenter.backend,
            "stages_ms": stages,
            "ceilings": ceilings,
            "samples_ms": samples,
        }
        args.out.write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
