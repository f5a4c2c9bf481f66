"""The training loop: resumable, one progress line every few seconds."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ..clip import CLIP
from .batches import make_batch
from .bpe import Tokenizer
from .checkpoint import load_checkpoint, save_checkpoint
from .loss import contrastive_loss
from .model import demo_clip, encode_patches, encode_tokens
from .optim import Optimizer
from .pool import ScenePool
from .recipe import Recipe
from .workers import Workers

Evaluate = Callable[[CLIP], str]


@dataclass
class Trainer:
    """A model in training. Batches depend only on the seed and the step, so a resumed run draws the same ones."""

    recipe: Recipe
    tokenizer: Tokenizer
    pools: list[ScenePool]
    checkpoint: Path
    bfloat16: bool = True
    threads: int = 1

    def __post_init__(self) -> None:
        r = self.recipe
        self.model = demo_clip(
            self.tokenizer.vocab_size,
            r.size // 16,
            r.width,
            r.layers,
            r.text_width,
            r.text_layers,
            r.embed_dim,
            r.seed,
        )
        self.optimizer = Optimizer(self.model, r)
        self.workers = Workers(self.threads, self.bfloat16)
        self.step = 0
        saved = load_checkpoint(self.checkpoint)
        if saved is not None:
            self._restore(saved)

    def _restore(self, saved: dict) -> None:
        if saved["recipe"] != repr(asdict(self.recipe)):
            raise ValueError(
                f"{self.checkpoint} comes from another recipe; remove it, or choose another folder"
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            self.checkpoint,
            {
                "recipe": repr(asdict(self.recipe)),
                "step": self.step,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            },
        )

    def train_step(self) -> float:
        """One step; returns its loss."""
        r = self.recipe
        rng = np.random.default_rng((r.seed, self.step))
        pool = self.pools[r.stage(self.step)]
        rows = rng.choice(len(pool), r.batch, replace=False)
        batch = make_batch(pool, rows, self.tokenizer, rng, r.keep, r.captions_each)
        read_late, skip_last_mlp = rng.random(2) < (r.read_late, r.skip_last_mlp)
        halves = zip(batch.patches.chunk(2), batch.kept.chunk(2), strict=True)
        images = [
            partial(encode_patches, self.model.visual, *half, read_late, skip_last_mlp) for half in halves
        ]
        texts = [partial(encode_tokens, self.model.text, tokens) for tokens in batch.tokens]
        with self.workers.forward([*images, *texts]) as outputs:
            image, text = torch.cat(outputs[: len(images)]), torch.cat(outputs[len(images) :])
            loss = contrastive_loss(
                F.normalize(image, dim=-1), F.normalize(text, dim=-1), batch.holds, self.model.logit_scale
            )
            loss.backward()
        self.optimizer.step(self.step)
        self.step += 1
        return loss.item()

    def run(
        self,
        evaluate: Evaluate,
        report: Callable[[str], None] = print,
        every: float = 20.0,
        evaluations: int = 16,
    ) -> None:
        """Train to the end: a progress line every `every` seconds, a checkpoint and a quick evaluation now and then."""
        total = self.recipe.steps
        pause = max(1, total // evaluations)
        quick, losses, first, begin = "", [], self.step, time.monotonic()
        said = begin
        while self.step < total:
            losses.append(self.train_step())
            if self.step % pause == 0 or self.step == total:
                self.save()
                quick = evaluate(self.model)
                said = 0.0
            now = time.monotonic()
            if now - said > every:
                rate = (self.step - first) / (now - begin)
                report(
                    f"step {self.step}/{total}  loss {np.mean(losses):.3f}  {rate * self.recipe.batch:.0f} pairs/s  "
                    f"ETA {(total - self.step) / rate / 60:.1f} min  {peak_memory():.1f} GB  {quick}"
                )
                said, losses = now, []


def peak_memory() -> float:
    """Largest resident size of this process so far, in GB (mapped pictures included)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
