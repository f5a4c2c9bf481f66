"""Sliding windows, synonyms, thresholds, padded crops, area threshold and PAMR equal the official code.

Patch features come from torch (``dense_features``); everything after them is the product's own ops.
"""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip, ops  # noqa: E402

FILES = golden_sets.files_with("pred")
MISMATCH = 5e-4  # share of pixels; two labels may differ where two classes tie to float32 noise


class Pipeline:
    """One golden file's model and settings."""

    def __init__(self, path) -> None:
        self.arrays = golden_sets.load(path)
        self.case = golden_sets.case_of(path)
        self.visual = golden_sets.tower(path)
        self.method = golden_sets.method_of(path)
        self.patch = self.visual.config.patch_size

    def image(self, name: str = "image") -> np.ndarray:
        return self.arrays[name].astype(np.float32)[0]

    def settings(self) -> dict:
        return {
            "query_to_class": self.arrays["query_idx"],
            "logit_scale": float(self.arrays["logit_scale"]),
            "threshold": float(self.arrays["prob_thd"]),
            "unlabeled": 0,
        }

    def windows(self, image: np.ndarray, crop: int, stride: int, pad: bool, source: tuple[int, int]):
        """The plan of a picture that is already at network size, and its patch scores [W, Q, h, w]."""
        plan = ops.window_plan(
            image.shape[1:], crop=crop, stride=stride, patch=self.patch, pad=pad, source=source
        )
        tiles = [image[:, y : y + plan.window_h, x : x + plan.window_w] for y in plan.ys for x in plan.xs]
        margin = [(0, 0)] + [
            (before, padded - window - before)
            for before, padded, window in (
                (plan.pad_top, plan.padded_h, plan.window_h),
                (plan.pad_left, plan.padded_w, plan.window_w),
            )
        ]
        batch = torch.from_numpy(np.stack([np.pad(tile, margin) for tile in tiles]))
        features = clip.dense_features(self.visual, self.method, batch).numpy()
        # MaskCLIP pads inside, so its grid is one patch larger where the patch does not divide the window.
        grid = tuple(
            -(-side // self.patch) if self.method.padding == "corner" else side // self.patch
            for side in (plan.padded_h, plan.padded_w)
        )
        scores = ops.patch_text_similarity(features, self.arrays["text"])
        return plan.with_grid(*grid), scores.reshape(len(tiles), -1, *grid)

    def slide(self, name: str = "image", source=None):
        image = self.image(name)
        crop, stride = int(self.arrays["crop"]), int(self.arrays["stride"])
        return self.windows(image, crop, stride, self.case.pad_windows, source or image.shape[1:])

    def whole(self, source=None):
        image = self.image()
        return self.windows(image, max(image.shape), 1, False, source or image.shape[1:])

    def labels(self, plan, scores, **changes) -> np.ndarray:
        size = (plan.source_h, plan.source_w)
        return ops.decode_labels(scores, size, plan=plan, **{**self.settings(), **changes})


def every(key: str):
    """Run a test on every golden file that holds ``key``: not every official code has every option."""
    files = [path for path in FILES if key in golden_sets.load(path)]
    return pytest.mark.parametrize("golden", files, ids=lambda path: path.stem, indirect=True)


@pytest.fixture
def golden(request) -> Pipeline:
    return Pipeline(request.param)


def assert_labels(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.shape == expected.shape
    assert np.mean(actual != expected) <= MISMATCH


def assert_scores(plan, scores, expected: np.ndarray) -> None:
    merged = ops.upsample_scores(scores, (plan.source_h, plan.source_w), plan=plan)
    np.testing.assert_allclose(merged[:, ::4, ::4], expected, rtol=0, atol=1e-5)


def test_there_are_golden_files() -> None:
    assert FILES


@every("pred")
def test_sliding_windows(golden) -> None:
    plan, scores = golden.slide()
    assert_scores(plan, scores, golden.arrays["slide_logits_sub4"])
    assert_labels(golden.labels(plan, scores), golden.arrays["pred"])


@every("probs_sub4")
def test_probability_of_the_winner(golden) -> None:
    plan, scores = golden.slide()
    size = (plan.source_h, plan.source_w)
    _, best = ops.decode_labels(scores, size, plan=plan, return_scores=True, **golden.settings())
    expected = golden.arrays["probs_sub4"]
    if golden.case.method == "naclip":  # normalised over classes once more, after the labels were taken
        return np.testing.assert_array_less(best[::4, ::4], expected.max(axis=0) + 1e-5)
    np.testing.assert_allclose(best[::4, ::4], expected.max(axis=0), rtol=0, atol=1e-5)


@every("pred_nothd")
def test_without_threshold(golden) -> None:
    expected = golden.arrays["pred_nothd"]
    assert_labels(golden.labels(*golden.slide(), threshold=0.0), expected)


@every("pred_ori")
def test_at_the_source_size(golden) -> None:
    source = tuple(int(side) for side in golden.arrays["ori_shape"])
    frame = golden.whole(source) if golden.case.whole_at_source else golden.slide(source=source)
    assert_labels(golden.labels(*frame), golden.arrays["pred_ori"])


@every("pred_whole")
def test_whole_image(golden) -> None:
    plan, scores = golden.whole()
    assert_scores(plan, scores, golden.arrays["whole_logits_sub4"])
    assert_labels(golden.labels(plan, scores), golden.arrays["pred_whole"])


@every("pred_pad")
def test_window_larger_than_the_image(golden) -> None:
    plan, scores = golden.slide("image_pad")
    assert_scores(plan, scores, golden.arrays["pad_logits_sub4"])
    assert_labels(golden.labels(plan, scores), golden.arrays["pred_pad"])


@every("pred_area")
def test_area_threshold(golden) -> None:
    expected = golden.arrays["pred_area"]
    plan, scores = golden.slide()
    changes = {
        "logit_scale": float(golden.arrays["area_logit_scale"]),
        "threshold": float(golden.arrays["area_prob_thd"]),
        "area_threshold": float(golden.arrays["area_thd"]),
    }
    assert_labels(golden.labels(plan, scores, **changes), expected)


@every("pred_pamr")
def test_pamr(golden) -> None:
    expected = golden.arrays["pred_pamr"]
    plan, scores = golden.slide()
    size = (plan.source_h, plan.source_w)
    refined = ops.pamr(ops.upsample_scores(scores, size, plan=plan), golden.image())
    np.testing.assert_allclose(refined[:, ::4, ::4], golden.arrays["pamr_logits_sub4"], rtol=0, atol=1e-5)
    assert_labels(ops.decode_labels(refined, size, **golden.settings()), expected)
