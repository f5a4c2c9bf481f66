"""CLIPtrase from pixels to labels, by its method and the ops, equals its official code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip, methods, ops  # noqa: E402

FILES = golden_sets.named("cliptrase")
MAIN = [path for path in FILES if "cluster_argmax" in golden_sets.load(path)]
DETECTRON = [path for path in FILES if "dataset_name" in golden_sets.load(path)]


def run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Features of the class token [D] and of patches [N, D], the affinity [N, N], and the patch grid."""
    visual = clip.load_visual(golden_sets.weights(), activation="quick_gelu", eps=1e-5)
    with torch.inference_mode():
        outputs = methods.get("cliptrase", class_token=True).outputs(
            visual, torch.from_numpy(images.astype(np.float32))
        )
    names = ("class_features", "features", "affinity")
    class_token, patches, affinity = (outputs[name][0].numpy() for name in names)
    return class_token, patches, affinity, (images.shape[2] // 16, images.shape[3] // 16)


def segments(affinity, grid, size, eps: float, min_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The cluster of each patch, and the segment of each pixel."""
    clusters = ops.dbscan(affinity, eps, min_samples)
    return clusters, ops.decode_labels(ops.cluster_maps(affinity, clusters, grid), size)


def majority(labels: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Every region gets the label that most of its pixels have, the smallest of equals."""
    voted = [
        np.bincount(labels[regions == region], minlength=256).argmax() for region in range(regions.max() + 1)
    ]
    return np.array(voted)[regions]


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("path", MAIN, ids=lambda path: path.stem)
def test_labels_by_majority(path: Path) -> None:
    arrays = golden_sets.load(path)
    class_token, patches, affinity, grid = run(arrays["image"])
    size, scale = arrays["label"].shape, float(arrays["logit_scale"])
    logits = scale * ops.patch_text_similarity(patches, arrays["text"])
    if str(arrays["dataset"]) == "VOC20":
        logits = logits * (scale * ops.patch_text_similarity(class_token[None], arrays["text"]))
    background = int(arrays["n_fg"])
    query_to_class = np.minimum(np.arange(len(logits)), background)
    labels = ops.decode_labels(logits.reshape(-1, *grid), size, query_to_class=query_to_class)
    clusters, regions = segments(affinity, grid, size, float(arrays["eps"]), int(arrays["min_samples"]))
    np.testing.assert_array_equal(clusters, arrays["cluster_labels"])
    np.testing.assert_array_equal(regions, arrays["cluster_argmax"])
    np.testing.assert_array_equal(majority(labels, regions), arrays["label"])


@pytest.mark.parametrize("path", DETECTRON, ids=lambda path: path.stem)
def test_labels_by_the_mean_of_a_segment(path: Path) -> None:
    """The official code's second path: raw features, and a segment's mean logits."""
    arrays = golden_sets.load(path)
    class_token, patches, affinity, grid = run(arrays["clip_input"])
    size, scale = arrays["label"].shape, float(arrays["logit_scale"])
    logits = scale * ops.patch_text_similarity(patches, arrays["text"], normalize=False)
    if "voc" in str(arrays["dataset_name"]):
        class_logits = ops.patch_text_similarity(class_token[None], arrays["text"], normalize=False)
        logits = logits * (scale * class_logits)
    clusters, regions = segments(affinity, grid, size, float(arrays["eps"]), int(arrays["min_samples"]))
    np.testing.assert_array_equal(clusters, arrays["cluster_labels"])
    means, _ = ops.mask_pool(logits.T.reshape(*grid, -1), regions.astype(np.int32))
    np.testing.assert_array_equal(means.argmax(1)[regions], arrays["label"])
