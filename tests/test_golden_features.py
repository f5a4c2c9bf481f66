"""Every method's patch features and cosines equal those of its official code."""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip  # noqa: E402
from vocabseg.methods.maskclip import key_smoothing, prompt_denoising  # noqa: E402

FILES = golden_sets.files_with("feat")


def cosines(features, arrays) -> np.ndarray:
    unit = torch.nn.functional.normalize(features, dim=-1)
    text = torch.from_numpy(arrays["text"])
    return (unit @ text.T).transpose(1, 2).reshape(arrays["logits"].shape).numpy()


def features_of(path, arrays):
    images = torch.from_numpy(arrays["image"].astype(np.float32))
    return clip.dense_features(golden_sets.tower(path), golden_sets.method_of(path), images)


def test_there_are_golden_files() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_features_and_cosines(path) -> None:
    arrays = golden_sets.load(path)
    features = features_of(path, arrays)
    np.testing.assert_allclose(features.numpy(), arrays["feat"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(cosines(features, arrays), arrays["logits"], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "path", [p for p in FILES if "pos_embed_grid" in golden_sets.load(p)], ids=lambda p: p.stem
)
def test_position_embedding_of_another_grid(path) -> None:
    arrays = golden_sets.load(path)
    expected = arrays["pos_embed_grid"]
    visual = golden_sets.tower(path)
    table = visual.positions(expected.shape[:2], golden_sets.method_of(path).position)
    np.testing.assert_allclose(
        table[1:].detach().numpy().reshape(expected.shape), expected, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "path", [p for p in FILES if "logits_kspd" in golden_sets.load(p)], ids=lambda p: p.stem
)
def test_maskclip_refinements(path) -> None:
    arrays = golden_sets.load(path)
    visual, method = golden_sets.tower(path), golden_sets.method_of(path)
    images = torch.from_numpy(arrays["image"].astype(np.float32))
    logits = torch.from_numpy(cosines(features_of(path, arrays), arrays))
    denoised = prompt_denoising(logits, float(arrays["pd_thresh"]))
    smoothed = key_smoothing(denoised, method.keys(visual, images), float(arrays["ks_thresh"]))
    # The weights of the average are sums over all tokens, so values are large: compare relative to the largest.
    expected = arrays["logits_kspd"]
    np.testing.assert_allclose(smoothed.numpy(), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("method", ["vanilla", "maskclip", "sclip", "clearclip", "naclip"])
@pytest.mark.parametrize("size", [(16, 16), (33, 49), (16, 160)])
def test_any_size_gives_one_row_per_patch(method, size) -> None:
    visual = clip.load_visual(golden_sets.weights())
    patch = visual.config.patch_size
    features = clip.dense_features(visual, method, torch.randn(2, 3, *size))
    rows = [-(-side // patch) if method == "maskclip" else side // patch for side in size]
    assert features.shape == (2, rows[0] * rows[1], visual.config.embed_dim)
    assert torch.isfinite(features).all()
