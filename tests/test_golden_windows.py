"""ResCLIP and SC-CLIP, window by window and as labels, equal their official code.

Files are found by their name's first word and say their own settings.
"""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip, methods, ops  # noqa: E402
from vocabseg.errors import ShapeError  # noqa: E402
from vocabseg.methods import scclip  # noqa: E402
from vocabseg.methods.same_region import same_region  # noqa: E402

FILES = golden_sets.named("scclip", "resclip")
MISMATCH = 5e-4  # share of pixels; two labels may differ where two classes tie to float32 noise


def run(path):
    """The arrays, the window plan, and our features [W, N, D]."""
    arrays = golden_sets.load(path)
    plan, windows = golden_sets.windows_of(arrays)
    text = torch.from_numpy(arrays["text"])
    method = golden_sets.method_of(path)
    features = clip.dense_features(golden_sets.tower(path), method, torch.from_numpy(windows), text)
    return arrays, plan, features


def cosines(features, arrays) -> np.ndarray:
    unit = torch.nn.functional.normalize(features, dim=-1)
    shape = arrays["win_patch_logits"].shape
    return (unit @ torch.from_numpy(arrays["text"]).T).transpose(1, 2).reshape(shape).numpy()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_features_and_cosines(path) -> None:
    arrays, _, features = run(path)
    if "win_features" in arrays:
        expected = arrays["win_features"][:, -features.shape[1] :]  # without the class token
        np.testing.assert_allclose(features.numpy(), expected, rtol=0, atol=2e-5)
    np.testing.assert_allclose(cosines(features, arrays), arrays["win_patch_logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "path", golden_sets.named("scclip", "resclip", holding="label"), ids=lambda path: path.stem
)
def test_labels(path) -> None:
    arrays, plan, features = run(path)
    scores = cosines(features, arrays)
    area = float(arrays["area_thd"]) if "area_thd" in arrays else np.nan
    settings = {
        "query_to_class": arrays["query_idx"],
        "logit_scale": float(arrays["logit_scale"]),
        "threshold": float(arrays["prob_thd"]),
        "unlabeled": 0,
        "area_threshold": None if np.isnan(area) else area,
    }
    steps = int(arrays.get("pamr_steps_final", 0))
    if steps:
        maps = ops.upsample_scores(scores, plan=plan)
        scores = ops.pamr(maps, arrays["image"].astype(np.float32)[0], steps=steps)
        plan = None
    size = arrays["label"].shape[1:]
    labels = ops.decode_labels(scores, size, plan=plan, **settings)
    assert (labels != arrays["label"][0]).mean() <= MISMATCH


@pytest.mark.parametrize(
    "path",
    golden_sets.named("scclip", holding="win_penultimate_patch_tokens"),
    ids=lambda path: path.stem,
)
def test_scclip_outliers(path) -> None:
    arrays = golden_sets.load(path)
    found = scclip.find_outliers(torch.from_numpy(arrays["win_penultimate_patch_tokens"])).numpy()
    for outliers, expected in zip(found, arrays["win_outlier_indices"], strict=True):
        np.testing.assert_array_equal(np.flatnonzero(outliers), np.sort(expected))


@pytest.mark.parametrize(
    "path",
    golden_sets.named("resclip", holding="win_attn_sfr"),
    ids=lambda path: path.stem,
)
def test_resclip_semantic_map(path) -> None:
    arrays = golden_sets.load(path)
    labels = torch.from_numpy(arrays["win_patch_labels_pass1"][: len(arrays["win_attn_sfr"])]).flatten(1)
    connected = bool(arrays["delete_same_entity"])
    shared = same_region(labels, tuple(arrays["grid"].tolist()), connected=connected).float().numpy()
    expected = arrays["win_attn_sfr"][:, 1:, 1:]
    expected = expected / expected.max((1, 2), keepdims=True)
    np.testing.assert_allclose(shared, expected, rtol=0, atol=5e-4)  # half precision


def tower():
    return clip.load_visual(golden_sets.weights())


def test_scclip_needs_31_patches() -> None:
    with pytest.raises(ShapeError, match="more than 30 patches"):
        clip.dense_features(tower(), "scclip", torch.zeros(1, 3, 80, 96))
    assert clip.dense_features(tower(), "scclip", torch.randn(1, 3, 16, 496)).shape == (1, 31, 64)


@pytest.mark.parametrize("parameters", [{"pre": 11}, {"post": 11}, {"multi": (3, 12)}])
def test_scclip_layers_outside_the_model(parameters) -> None:
    with pytest.raises(ShapeError, match="does not fit"):
        clip.dense_features(tower(), methods.get("scclip", **parameters), torch.zeros(1, 3, 112, 112))


TEXT = torch.nn.functional.normalize(torch.randn(3, 64, generator=torch.Generator().manual_seed(0)), dim=-1)


@pytest.mark.parametrize("base", ["vanilla", "sclip", "clearclip", "naclip"])
@pytest.mark.parametrize("strict", [False, True])
def test_resclip_on_every_base(base, strict) -> None:
    method = methods.get("resclip", base=base, strict_paper=strict)
    for size in ((16, 16), (16, 160), (48, 80)):
        features = clip.dense_features(tower(), method, torch.randn(2, 3, *size), TEXT)
        assert torch.isfinite(features).all()


def test_resclip_switches() -> None:
    images = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(1))
    off = methods.get("resclip", rcs=None, sfr=None)
    plain = clip.dense_features(tower(), "naclip", images)
    torch.testing.assert_close(clip.dense_features(tower(), off, images), plain, rtol=0, atol=1e-5)
    for switched in (methods.get("resclip", sfr=None), methods.get("resclip", rcs=None)):
        other = clip.dense_features(tower(), switched, images, TEXT)
        assert (other - plain).abs().max() > 1e-3


def test_resclip_needs_words_only_for_sfr() -> None:
    assert methods.get("resclip").uses_text
    assert not methods.get("resclip", sfr=None).uses_text
    with pytest.raises(ShapeError, match="sfr=None"):
        clip.dense_features(tower(), "resclip", torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="base"):
        methods.get("resclip", base="dino")


@pytest.mark.parametrize("name", ["scclip", "resclip", "cliptrase"])
def test_constant_pictures(name) -> None:
    features = clip.dense_features(tower(), name, torch.zeros(1, 3, 112, 112), TEXT[:1])
    assert torch.isfinite(features).all()
