"""What the methods cost: whole frames of one model, method by method, and against the published pipelines.

    python -m bench.methods --rounds 20 --out methods.json
    python -m bench.methods --part pipelines --out pipelines.json

Bundles of one model with random weights are made in ``--bundles`` where they are missing. Methods take turns, so that a
machine's changes of pace hit all alike; a ratio is the median of the rounds' ratios. Warm is a frame after another one of
the same method, cold one after the caches were emptied; cpu is the warm frame's processor time, of all threads together,
which other programs on the machine disturb less. Nothing is discarded; the JSON holds every sample.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import vocabseg

from .ceilings import copy_bandwidth, gemm_rate
from .measure import FLUSHED_BYTES, machine, summary

METHODS = ("vanilla", "maskclip", "sclip", "clearclip", "naclip", "scclip", "resclip", "cliptrase")
BASES = ("sclip", "vanilla")  # what ratios are to
KINDS = ("first", "cold", "warm", "cpu")
COLUMNS = ("p50", "p90", "p99")
RATIOS = (("warm", "sclip"), ("cpu", "sclip"), ("warm", "vanilla"))


def make_bundle(args: argparse.Namespace, method: str, window: str, picture: np.ndarray) -> Path:
    from . import method_bundles

    return method_bundles.bundle(args.bundles, args.model, method, window, picture)


def open_bundle(path: Path, threads: int, precision: str) -> vocabseg.Segmenter:
    segmenter = vocabseg.Segmenter.load(path, threads=threads, precision=precision)
    segmenter.set_vocabulary(words_of(path))
    return segmenter


def words_of(path: Path) -> Path:
    """Where a bundle's words lie: beside it."""
    return path.with_name(path.name + ".words.safetensors")


def frames(height: int, width: int, count: int) -> list[np.ndarray]:
    """Smooth colours with noise, uint8 [H, W, 3]; none like another."""
    import cv2

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, height // 60 + 1, width // 60 + 1, 3), dtype=np.uint8)
    smooth = [cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC) for colours in coarse]
    return [cv2.add(each, rng.integers(0, 20, each.shape, dtype=np.uint8)) for each in smooth]


def one_frame(segmenter: vocabseg.Segmenter, picture: np.ndarray) -> tuple[float, float, dict[str, float]]:
    """Wall and processor seconds of a frame, and its stages in milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = segmenter(picture)
    return time.perf_counter() - wall, time.process_time() - cpu, result.timing


def take_turns(
    segmenters: dict[str, vocabseg.Segmenter], pictures: list[np.ndarray]
) -> dict[str, dict[str, list]]:
    """Per method the seconds of every frame, of each kind, and the warm frames' stages."""
    flush = np.zeros(FLUSHED_BYTES // 8)
    samples: dict[str, dict[str, list]] = {
        name: {
            "first": [one_frame(segmenter, pictures[0])[0]],
            "cold": [],
            "warm": [],
            "cpu": [],
            "stages": [],
        }
        for name, segmenter in segmenters.items()
    }
    for picture in pictures:
        for name, segmenter in segmenters.items():
            flush += 1
            samples[name]["cold"].append(one_frame(segmenter, picture)[0])
            for kind, value in zip(("warm", "cpu", "stages"), one_frame(segmenter, picture), strict=True):
                samples[name][kind].append(value)
    return samples


def ratio(samples: list[float], base: list[float]) -> float:
    return float(np.median(np.array(samples) / np.array(base)))


def row(name: str, samples: dict[str, dict[str, list]]) -> dict:
    """Milliseconds of one method, its ratios, and its samples."""
    mine = samples[name]
    times = {kind: summary([1e3 * s for s in mine[kind]]) for kind in KINDS}
    stages = {stage: summary([each[stage] for each in mine["stages"]]) for stage in mine["stages"][0]}
    bases = [base for base in BASES if base in samples]
    times_base = {kind: {b: ratio(mine[kind], samples[b][kind]) for b in bases} for kind in ("warm", "cpu")}
    raw = {kind: [1e3 * s for s in mine[kind]] for kind in KINDS}
    return {"method": name, "ms": times, "stages_ms": stages, "times": times_base, "samples_ms": raw}


def cost(args: argparse.Namespace) -> list[dict]:
    height, width = args.size
    pictures = frames(height, width, args.rounds)
    paths = {name: make_bundle(args, name, args.window, pictures[0]) for name in args.methods}
    segmenters = {name: open_bundle(path, args.threads, args.precision) for name, path in paths.items()}
    samples = take_turns(segmenters, pictures)
    rows = [
        row(name, samples) | {"backend": segmenter.backend, "window": args.window}
        for name, segmenter in segmenters.items()
    ]
    if not args.json:
        print(cost_table(rows))
    return rows


def cost_table(rows: list[dict]) -> str:
    head = [*(f"warm {name}" for name in COLUMNS), "cold p50", "first", "cpu p50"]
    head += [f"{kind}/{base}" for kind, base in RATIOS]
    lines = [f"{'method, ms':<12}" + "".join(f"{name:>13}" for name in head)]
    for each in rows:
        values = [each["ms"]["warm"][name] for name in COLUMNS]
        values += [each["ms"][kind]["p50"] for kind in ("cold", "first", "cpu")]
        cells = [f"{value:13.1f}" for value in values]
        cells += [
            f"{each['times'][kind][base]:12.2f}x" if base in each["times"][kind] else " " * 13
            for kind, base in RATIOS
        ]
        lines.append(f"{each['method']:<12}" + "".join(cells))
    return "\n".join(lines)


def pipelines(args: argparse.Namespace) -> list[dict]:
    from . import against

    return [
        against.compare(case, args, functools.partial(make_bundle, args))
        for case in against.cases(args.model)
        if case.method in args.methods
    ]


def size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    return int(height), int(width)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.methods", description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("cost", "pipelines"), default="cost")
    parser.add_argument("--model", default="ViT-B-16", help="of open_clip; tiny: a small one, for tests")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS, metavar="NAME")
    parser.add_argument("--size", type=size, default="480x640", help="height x width of the frames")
    parser.add_argument(
        "--window", default="336x336", help="of part cost: HxW, or slide (224 every 112, short side 336)"
    )
    parser.add_argument("--rounds", type=int, default=20, help="frames per method; of a pipeline at most 3")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precision", default="auto")
    parser.add_argument(
        "--bundles",
        type=Path,
        default=Path(tempfile.gettempdir()) / "vocabseg-bundles",
        help="used again as they are",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--out", type=Path, help="write that document")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    args.bundles.mkdir(parents=True, exist_ok=True)
    rows = cost(args) if args.part == "cost" else pipelines(args)
    case = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}
    document = {"schema": 1, "version": vocabseg.__version__, "machine": machine(), "case": case}
    document["ceilings"] = {"copy_bytes_per_s": copy_bandwidth(), "gemm_float32_per_s": gemm_rate()}
    document["rows"] = rows
    if args.json:
        print(json.dumps(document, indent=1))
    if args.out:
        args.out.write_text(json.dumps(document, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
