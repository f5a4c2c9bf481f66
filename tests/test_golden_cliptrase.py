"""CLIPtrase's features, affinity and logits, and ProxyCLIP's features, equal their official code."""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip, methods, ops  # noqa: E402
from vocabseg.errors import ShapeError  # noqa: E402
from vocabseg.methods.proxyclip import imagenet_normalised  # noqa: E402


def tower():
    return clip.load_visual(golden_sets.weights(), activation="quick_gelu", eps=1e-5)


@pytest.mark.parametrize("path", golden_sets.named("cliptrase"), ids=lambda path: path.stem)
def test_cliptrase(path) -> None:
    arrays = golden_sets.load(path)
    images = torch.from_numpy(arrays.get("image", arrays.get("clip_input")).astype(np.float32))
    with torch.inference_mode():
        outputs = golden_sets.method_of(path).outputs(tower(), images)
    found = torch.cat([outputs["class_features"][:, None], outputs["features"]], 1)[0].numpy()
    np.testing.assert_allclose(found, arrays["features"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(outputs["affinity"][0].numpy(), arrays["affinity"], rtol=0, atol=2e-5)
    if "patch_logits" in arrays:
        unit = found[1:] / np.linalg.norm(found[1:], axis=1, keepdims=True)
        logits = arrays["logit_scale"] * (arrays["text"] @ unit.T)
        expected = arrays["patch_logits"].reshape(logits.shape)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


def stand_in(arrays):
    """The backbone that the golden files were made with."""
    weight, bias = (torch.from_numpy(arrays[name].astype(np.float32)) for name in ("vfm_weight", "vfm_bias"))
    return lambda images: torch.tanh(torch.nn.functional.conv2d(images, weight, bias, stride=8))


@pytest.mark.parametrize(
    "path",
    golden_sets.named("proxyclip", holding="feat"),
    ids=lambda path: path.stem,
)
def test_proxyclip(path) -> None:
    arrays = golden_sets.load(path)
    images = torch.from_numpy(arrays["image"].astype(np.float32))
    backbone = stand_in(arrays)
    np.testing.assert_allclose(
        backbone(imagenet_normalised(images)).numpy(), arrays["ex_feats"], rtol=0, atol=1e-6
    )
    settings = {"beta": float(arrays["beta"]), "gamma": float(arrays["gamma"]), "backbone": backbone}
    method = methods.get("proxyclip", batch_mean=True, **settings)
    features = clip.dense_features(tower(), method, images)
    np.testing.assert_allclose(features.numpy(), arrays["feat"], rtol=0, atol=2e-5)
    unit = torch.nn.functional.normalize(features, dim=-1)
    cosines = (unit @ torch.from_numpy(arrays["text"]).T).transpose(1, 2).reshape(arrays["logits"].shape)
    np.testing.assert_allclose(cosines.numpy(), arrays["logits"], rtol=0, atol=1e-5)
    alone = clip.dense_features(tower(), methods.get("proxyclip", **settings), images[1:])
    together = clip.dense_features(tower(), methods.get("proxyclip", **settings), images)
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "path",
    golden_sets.named("proxyclip", holding="pred"),
    ids=lambda path: path.stem,
)
def test_proxyclip_in_sliding_windows(path) -> None:
    """Scores on the backbone's grid, which is finer than CLIP's, merge and decode to the official labels."""
    arrays = golden_sets.load(path)
    image = arrays["image"].astype(np.float32)[0]
    crop, stride = int(arrays["crop"]), int(arrays["stride"])
    plan = ops.window_plan(image.shape[1:], crop=crop, stride=stride, patch=8)
    tiles = [image[:, y : y + crop, x : x + crop] for y in plan.ys for x in plan.xs]
    settings = {"beta": float(arrays["beta"]), "gamma": float(arrays["gamma"]), "backbone": stand_in(arrays)}
    windows = torch.from_numpy(np.stack(tiles))
    features = clip.dense_features(tower(), methods.get("proxyclip", **settings), windows).numpy()
    scores = ops.patch_text_similarity(features, arrays["text"])
    scores = scores.reshape(len(tiles), -1, plan.grid_h, plan.grid_w)
    merged = ops.upsample_scores(scores, plan=plan)
    np.testing.assert_allclose(merged[:, ::4, ::4], arrays["slide_logits_sub4"], rtol=0, atol=1e-5)
    decoding = {"query_to_class": arrays["query_idx"], "logit_scale": float(arrays["logit_scale"])}
    decoding |= {"threshold": float(arrays["prob_thd"]), "unlabeled": 0, "return_scores": True}
    labels, best = ops.decode_labels(scores, image.shape[1:], plan=plan, **decoding)
    assert (labels != arrays["pred"]).mean() <= 5e-4
    np.testing.assert_allclose(best[::4, ::4], arrays["probs_sub4"].max(0), rtol=0, atol=1e-5)


def test_proxyclip_reads_windows_that_are_not_square() -> None:
    backbone = torch.nn.Conv2d(3, 32, 8, stride=8)
    method = methods.get("proxyclip", backbone=backbone)
    assert clip.dense_features(tower(), method, torch.randn(1, 3, 48, 80)).shape == (1, 6 * 10, 64)


def test_proxyclip_needs_a_backbone() -> None:
    with pytest.raises(ShapeError, match="second backbone"):
        clip.dense_features(tower(), "proxyclip", torch.zeros(1, 3, 32, 32))
