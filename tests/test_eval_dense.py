"""Evaluation of torch features: shapes, zoom, and the table's rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vocabseg import methods, ops
from vocabseg.eval import demo
from vocabseg.eval.dense import DenseSegmenter, text_rows
from vocabseg.eval.scenes import SIZE, held_out_scenes
from vocabseg.eval.segments import frame_segments
from vocabseg.train.bpe import Tokenizer, save_merges
from vocabseg.train.checkpoint import save_weights
from vocabseg.train.corpus import demo_merges
from vocabseg.train.model import demo_clip

FAST_ROWS = [row for row in demo.METHODS if row != "resclip"]  # its first pass takes seconds a scene


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(demo_merges(), 32)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer):
    return demo_clip(tokenizer.vocab_size, grid=4, width=64, layers=2, text_width=64, embed_dim=16).eval()


def test_test_scenes_are_always_the_same() -> None:
    a, b = (list(held_out_scenes(2)) for _ in range(2))
    assert all(
        np.array_equal(x.image, y.image) and x.image.shape[:2] == SIZE for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_labels_cover_the_picture(model, tokenizer: Tokenizer, zoom: float) -> None:
    rows = text_rows(model, tokenizer, ["star", "sand"])
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2))
    image = np.random.default_rng(0).integers(0, 256, (70, 100, 3), dtype=np.uint8)
    labels = DenseSegmenter(model, "naclip", rows, zoom)(image)
    assert labels.shape == (70, 100) and labels.dtype == np.uint8 and labels.max() <= 1


def test_command_writes_a_row_per_method(tokenizer: Tokenizer, tmp_path: Path) -> None:
    sizes = {"grid": 6, "width": 64, "layers": 6, "text_width": 64, "embed_dim": 16}
    save_weights(demo_clip(tokenizer.vocab_size, **sizes), tmp_path / "w.safetensors")
    (tmp_path / "m.txt").write_text(save_merges(demo_merges()), encoding="utf-8")
    demo.main(
        [
            "--weights",
            str(tmp_path / "w.safetensors"),
            "--merges",
            str(tmp_path / "m.txt"),
            "--count",
            "1",
            "--methods",
            *FAST_ROWS,
            "--json",
            str(tmp_path / "r.json"),
        ]
    )
    result = json.loads((tmp_path / "r.json").read_text())
    assert [row["method"] for row in result["methods"]] == FAST_ROWS
    assert all(0 <= row["miou"] <= 100 for row in result["methods"])


def test_methods_that_look_at_the_words(model, tokenizer: Tokenizer) -> None:
    rows = text_rows(model, tokenizer, ["star", "sand"])
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    labels = DenseSegmenter(model, methods.get("resclip", rcs=None), rows)(image)
    assert labels.shape == (64, 80) and labels.max() <= 1


def test_segments_of_windows_do_not_mix() -> None:
    """A frame's segments are drawn window by window; each pixel has one of its own window's, or none."""
    plan = ops.window_plan((64, 96), crop=64, stride=32, patch=16, source=(128, 192))
    rng = np.random.default_rng(0)
    affinity = rng.uniform(size=(2, 16, 16)).astype(np.float32)
    affinity[1] = 0.5  # all alike: one cluster
    method = methods.get("cliptrase", eps=1e-3, min_samples=2)
    found = frame_segments(affinity, plan, method)
    assert found.shape == (128, 192) and found.dtype == np.int32
    assert (found[:, :96] == -1).all() and (found[:, 96:] == 0).all()
    method = methods.get("cliptrase", eps=10.0, min_samples=2)
    assert np.unique(frame_segments(affinity, plan, method)).tolist() == [0, 1]


def test_vote_of_segments(model, tokenizer: Tokenizer) -> None:
    """With one segment per window, a picture of one window has one label."""
    rows = text_rows(model, tokenizer, ["star", "sand", "sky"])
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    method = methods.get("cliptrase", eps=1e3, min_samples=1)
    assert len(np.unique(DenseSegmenter(model, method, rows)(image))) == 1


def test_command_needs_a_model() -> None:
    with pytest.raises(SystemExit):
        demo.main([])
