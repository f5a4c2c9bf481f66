"""The table of the model card: mIoU of every method on generated test scenes with held-out seeds.

`python -m vocabseg.eval.demo --weights weights.safetensors --merges merges.txt` compares the methods in torch (ResCLIP's
second pass takes seconds a scene; `--methods` leaves rows out);
`python -m vocabseg.eval.demo --bundle demo` measures a bundle as it runs on the device.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..train.classes import CLASS_NAMES, OBJECT_NAMES
from .metrics import ConfusionMatrix, mean_iou
from .scenes import TEST_SEED, held_out_scenes

# Row -> method and parameters. Those of scclip and resclip were chosen on other scenes (seed 977777), as theirs are for
# twelve layers and this model has six.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "vanilla": ("vanilla", {}),
    "maskclip": ("maskclip", {}),
    "maskclip identity": ("maskclip", {"head": "identity"}),
    "sclip": ("sclip", {}),
    "sclip no residual": ("sclip", {"residual": False}),
    "clearclip": ("clearclip", {}),
    "naclip": ("naclip", {}),
    "cliptrase": ("cliptrase", {}),
    "scclip": ("scclip", {"pre": 3, "post": 3, "multi": (3, 5), "res_cls": 0.1, "beta": 0.9}),
    "resclip no sfr": ("resclip", {"rcs_layers": (0, 3), "sfr": None}),
    "resclip": ("resclip", {"rcs_layers": (0, 3)}),
}
Segment = Callable[[np.ndarray], np.ndarray]


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    segmenters = bundle_segmenter(options) if options.bundle else torch_segmenters(options)
    rows = []
    print(HEADER, file=sys.stderr)
    for name, segment in segmenters.items():
        rows.append(measure(name, segment, options.count, options.seed))
        print(table_row(rows[-1]), file=sys.stderr, flush=True)
    text = json.dumps(
        {"scenes": options.count, "seed": options.seed, "classes": CLASS_NAMES, "methods": rows}, indent=1
    )
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vocabseg.eval.demo", description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--bundle", help="a bundle folder, or 'demo'")
    source.add_argument("--weights", type=Path, help="weights.safetensors of a training run")
    parser.add_argument("--merges", type=Path, help="merges.txt of a training run")
    parser.add_argument("--count", type=int, default=200, help="test scenes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="of the scenes (default: the test set)")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        choices=METHODS,
        metavar="ROW",
        help="rows of the table (with --weights; default: all)",
    )
    parser.add_argument(
        "--zoom", type=float, nargs="+", default=[1.0], help="enlarge the scenes (with --weights)"
    )
    parser.add_argument(
        "--templates", default="simple7", help="template set (with --weights; default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="write the results here instead of to stdout")
    options = parser.parse_args(arguments)
    if not options.bundle and not (options.weights and options.merges):
        parser.error("give --bundle, or --weights and --merges")
    return options


def bundle_segmenter(options: argparse.Namespace) -> dict[str, Segment]:
    """The runtime, whatever method its bundle holds."""
    from ..segmenter import Segmenter

    segmenter = Segmenter.load(options.bundle)
    segmenter.set_vocabulary(list(CLASS_NAMES))
    return {f"bundle {options.bundle}": lambda image: segmenter(image).labels}


def torch_segmenters(options: argparse.Namespace) -> dict[str, Segment]:
    """Every method of the literature on the same weights."""
    from .. import methods
    from ..clip import load_clip
    from ..train.bpe import Tokenizer, load_merges
    from .dense import DenseSegmenter, text_rows

    model = load_clip(options.weights)
    tokenizer = Tokenizer(
        load_merges(options.merges.read_text(encoding="utf-8")), model.text.config.context_length
    )
    rows = text_rows(model, tokenizer, CLASS_NAMES, options.templates)
    out: dict[str, Segment] = {}
    for zoom in options.zoom:
        for name in options.methods:
            method, parameters = METHODS[name]
            out[name if zoom == 1 else f"{name} x{zoom:g}"] = DenseSegmenter(
                model, methods.get(method, **parameters), rows, zoom
            )
    return out


def measure(name: str, segment: Segment, count: int, seed: int = TEST_SEED) -> dict:
    """One row of the table."""
    matrix, begin = ConfusionMatrix(len(CLASS_NAMES)), time.perf_counter()
    for scene in held_out_scenes(count, seed):
        matrix.add(scene.labels, segment(scene.image))
    iou = matrix.iou()
    objects = len(OBJECT_NAMES)
    return {
        "method": name,
        "miou": round(mean_iou(iou), 2),
        "objects": round(mean_iou(iou, slice(0, objects)), 2),
        "backgrounds": round(mean_iou(iou, slice(objects, None)), 2),
        "pixel_accuracy": round(100 * matrix.accuracy(), 2),
        "seconds": round(time.perf_counter() - begin, 1),
        "iou": {n: round(float(100 * v), 1) for n, v in zip(CLASS_NAMES, iou, strict=True)},
    }


HEADER = "| method | mIoU | objects | backgrounds | pixel accuracy |\n|---|---|---|---|---|"


def table_row(row: dict) -> str:
    return (
        f"| {row['method']} | {row['miou']:.1f} | {row['objects']:.1f} | {row['backgrounds']:.1f} | "
        f"{row['pixel_accuracy']:.1f} |"
    )


if __name__ == "__main__":
    main()
