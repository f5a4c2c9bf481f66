"""Train the demo model from nothing: `python -m vocabseg.train.demo --out DIR`.

Writes DIR/weights.safetensors (OpenAI's layout, fp16), DIR/merges.txt and DIR/pool-*/ (scenes, may be deleted
afterwards). Stopped at any point and started again, it goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

import torch

from ..clip import CLIP
from ..eval.dense import DenseSegmenter, evaluate, text_rows
from ..eval.metrics import mean_iou
from ..eval.scenes import held_out_scenes
from .bpe import Tokenizer, save_merges
from .checkpoint import save_weights, write_then_rename
from .classes import CLASS_NAMES, OBJECT_NAMES
from .corpus import demo_merges
from .loop import Trainer
from .model import CONTEXT_LENGTH
from .pool import make_pool
from .recipe import DEMO

VALIDATION_SEED = 977_777  # scenes of the quick evaluation; neither training nor the final test uses them
QUICK_SCENES = 16


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    torch.set_num_threads(1)  # the workers of the loop run side by side
    recipe = dataclasses.replace(DEMO, pairs=options.pairs or DEMO.pairs, pool=options.pool or DEMO.pool)
    out: Path = options.out
    pools = []
    for i, stage in enumerate(recipe.stages):
        print(f"scenes of stage {i + 1}: {recipe.pool} of {recipe.size} px", flush=True)
        pools.append(
            make_pool(out / f"pool-{i}", recipe.pool, recipe.size, stage.seed, stage.style, options.threads)
        )
    merges = demo_merges()
    tokenizer = Tokenizer(merges, CONTEXT_LENGTH)
    trainer = Trainer(
        recipe, tokenizer, pools, out / "checkpoint.pt", use_bfloat16(options.precision), options.threads
    )
    quick = QuickEvaluation(tokenizer)
    trainer.run(quick, lambda line: print(line, flush=True))
    write_then_rename(out / "merges.txt", lambda path: path.write_text(save_merges(merges), encoding="utf-8"))
    save_weights(trainer.model, out / "weights.safetensors")
    print(f"wrote {out / 'weights.safetensors'} and merges.txt; {quick(trainer.model)}", flush=True)
    print(
        f"next: python -m vocabseg.eval.demo --weights {out / 'weights.safetensors'} --merges {out / 'merges.txt'}"
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m vocabseg.train.demo", description="Train the demo model."
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo_run"), help="folder of the run (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=min(2, os.cpu_count() or 1), help="default: %(default)s"
    )
    parser.add_argument("--precision", choices=("auto", "bfloat16", "float32"), default="auto")
    parser.add_argument("--pairs", type=int, default=0, help=f"image-caption pairs (default: {DEMO.pairs})")
    parser.add_argument("--pool", type=int, default=0, help=f"scenes of each stage (default: {DEMO.pool})")
    return parser.parse_args(arguments)


def use_bfloat16(precision: str) -> bool:
    """`auto`: bfloat16 where the CPU multiplies it in hardware; elsewhere it would be slower than float32."""
    if precision != "auto":
        return precision == "bfloat16"
    return "avx512_bf16" in cpu_flags() or "bf16" in cpu_flags()


def cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    return set(info.read_text().split()) if info.exists() else set()


class QuickEvaluation:
    """mIoU of two methods on a few validation scenes, as a part of the progress line."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.scenes = list(held_out_scenes(QUICK_SCENES, VALIDATION_SEED))

    def __call__(self, model: CLIP) -> str:
        rows = text_rows(model, self.tokenizer, CLASS_NAMES)
        parts = []
        for method in ("vanilla", "naclip"):
            iou = evaluate(DenseSegmenter(model, method, rows), self.scenes, len(CLASS_NAMES)).iou()
            objects = mean_iou(iou, slice(0, len(OBJECT_NAMES)))
            parts.append(f"{method} {mean_iou(iou):.1f} (objects {objects:.1f})")
        return "mIoU " + ", ".join(parts)


if __name__ == "__main__":
    main()
