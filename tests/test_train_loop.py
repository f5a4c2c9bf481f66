"""Training: patch dropping equals the whole tower, the loss is CLIP's, runs resume, weights load again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vocabseg.clip import load_clip
from vocabseg.train.batches import MEAN, STD, make_batch, to_patches
from vocabseg.train.bpe import Tokenizer
from vocabseg.train.checkpoint import save_weights
from vocabseg.train.corpus import demo_merges
from vocabseg.train.loop import Trainer
from vocabseg.train.loss import contrastive_loss
from vocabseg.train.model import demo_clip, encode_patches, encode_tokens
from vocabseg.train.optim import schedule
from vocabseg.train.pool import ScenePool, make_pool
from vocabseg.train.recipe import Recipe, Stage
from vocabseg.train.scenes import SceneStyle

TINY = Recipe(
    pairs=48,
    batch=8,
    size=48,
    pool=16,
    keep=0.6,
    width=64,
    layers=2,
    text_width=64,
    text_layers=1,
    embed_dim=16,
    stages=(Stage(0.5, SceneStyle(), 1), Stage(1.0, SceneStyle(), 1)),
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> ScenePool:
    return make_pool(tmp_path_factory.mktemp("pool"), TINY.pool, TINY.size, 1, SceneStyle(), workers=1)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(demo_merges(), 32)


def trainer(pool: ScenePool, tokenizer: Tokenizer, path: Path) -> Trainer:
    return Trainer(TINY, tokenizer, [pool, pool], path, bfloat16=False)


def test_all_patches_kept_equals_the_tower(tokenizer: Tokenizer) -> None:
    model = demo_clip(tokenizer.vocab_size, grid=3, width=64, layers=3, text_width=64, embed_dim=16)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    normal = (pictures.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
    patches = torch.from_numpy(to_patches(normal, 16).reshape(2, 9, -1))
    kept = torch.arange(9).expand(2, 9)
    ours = encode_patches(model.visual, patches, kept)
    tower = model.visual(torch.from_numpy(normal).permute(0, 3, 1, 2))
    torch.testing.assert_close(ours, tower, atol=1e-5, rtol=1e-5)


def test_text_in_training_equals_the_tower(tokenizer: Tokenizer) -> None:
    model = demo_clip(tokenizer.vocab_size, grid=3, width=64, layers=1, text_width=64, embed_dim=16)
    tokens = torch.from_numpy(tokenizer(["a red star", "sand", "a photo of a fish on the snow."]))
    torch.testing.assert_close(
        encode_tokens(model.text, tokens[:, :12]), model.text(tokens), atol=1e-5, rtol=1e-5
    )


def test_loss_with_one_right_caption_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    image, text = (
        torch.nn.functional.normalize(torch.randn(5, 8, generator=generator), dim=-1) for _ in range(2)
    )
    scale = torch.tensor(2.0)
    logits = scale.exp() * image @ text.T
    target = torch.arange(5)
    expected = (
        torch.nn.functional.cross_entropy(logits, target)
        + torch.nn.functional.cross_entropy(logits.T, target)
    ) / 2
    torch.testing.assert_close(contrastive_loss(image, text, torch.eye(5, dtype=torch.bool), scale), expected)


def test_a_batch_knows_which_captions_hold(pool: ScenePool, tokenizer: Tokenizer) -> None:
    batch = make_batch(pool, np.arange(8), tokenizer, np.random.default_rng(0), keep=0.5)
    assert batch.patches.shape == (8, 4, 768) and batch.kept.shape == (8, 4)
    assert [len(tokens) for tokens in batch.tokens] == [8, 8] and batch.holds.shape == (8, 16)
    own = torch.arange(8)
    assert batch.holds[own, own].all() and batch.holds[own, own + 8].all()
    assert not batch.holds.all()


def test_loss_falls_and_a_run_resumes_exactly(pool: ScenePool, tokenizer: Tokenizer, tmp_path: Path) -> None:
    whole = trainer(pool, tokenizer, tmp_path / "a.pt")
    losses = [whole.train_step() for _ in range(TINY.steps)]
    assert np.mean(losses[-2:]) < np.mean(losses[:2])

    first = trainer(pool, tokenizer, tmp_path / "b.pt")
    for _ in range(3):
        first.train_step()
    first.save()
    second = trainer(pool, tokenizer, tmp_path / "b.pt")
    assert second.step == 3
    lines: list[str] = []
    second.run(lambda model: "quick", lines.append, every=0.0)
    assert second.step == TINY.steps and lines and "ETA" in lines[-1] and "quick" in lines[-1]
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value, msg=name)


def test_another_recipe_does_not_resume(pool: ScenePool, tokenizer: Tokenizer, tmp_path: Path) -> None:
    trainer(pool, tokenizer, tmp_path / "c.pt").save()
    with pytest.raises(ValueError, match="another recipe"):
        Trainer(replace(TINY, seed=1), tokenizer, [pool, pool], tmp_path / "c.pt")


def test_weights_load_as_a_clip_state_dict(tokenizer: Tokenizer, tmp_path: Path) -> None:
    model = demo_clip(tokenizer.vocab_size, grid=3, width=64, layers=2, text_width=64, embed_dim=16)
    save_weights(model, tmp_path / "weights.safetensors")
    loaded = load_clip(tmp_path / "weights.safetensors")
    assert loaded.visual.config == model.visual.config and loaded.text.config == model.text.config
    images = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.visual(images), model.visual(images), atol=5e-3, rtol=5e-2)


def test_schedule_rises_then_falls_to_zero() -> None:
    assert schedule(0.0, 0.02) < 0.01
    assert schedule(0.03, 0.02) > 0.99
    assert schedule(1.0, 0.02) == pytest.approx(0.0, abs=1e-9)
