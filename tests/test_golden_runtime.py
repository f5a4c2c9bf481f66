"""The shipped path (export, bundle, OpenVINO, C++ core) labels a picture as torch and the ops do, post-steps included.

With the other golden tests this ties the runtime to the official code: features and ops equal it, and the runtime
equals features and ops.
"""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import vocabseg
from vocabseg import clip, ops
from vocabseg.export import build, source, window
from vocabseg.kernels.common.window_plan import slide_plan

GRID, SIZE = (7, 7), (150, 231)
POST_STEPS = {"sclip": {"area_threshold": 0.02}, "naclip": {"pamr_steps": 3}}
# Files that say how a method is configured, and one that has words with synonyms, a logit scale and a threshold.
CASES = {golden_sets.named(method, holding="text")[0]: method for method in POST_STEPS}
WORDS = golden_sets.load(golden_sets.files_with("query_idx")[0])


def picture() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(0, 256, (10, 15, 3), dtype=np.uint8)
    return coarse.repeat(16, 0).repeat(16, 1)[: SIZE[0], : SIZE[1]]


def vocabulary() -> vocabseg.Vocabulary:
    names = tuple(f"class {index}" for index in range(WORDS["query_idx"].max() + 1))
    queries = tuple(f"word {index}" for index in range(len(WORDS["text"])))
    mapping = WORDS["query_idx"].astype(np.int32)
    return vocabseg.Vocabulary(names, queries, mapping, embeddings=WORDS["text"])


def expected_labels(path, image: np.ndarray, frame: window.Window, settings: build.Settings) -> np.ndarray:
    sides = {"crop": (frame.height, frame.width), "stride": frame.stride, "short_side": frame.short_side}
    plan = slide_plan(SIZE, **sides, long_side=frame.long_side, grid=GRID)
    windows = torch.from_numpy(ops.preprocess(image, plan))
    features = clip.dense_features(golden_sets.tower(path), golden_sets.method_of(path), windows).numpy()
    scores = ops.patch_text_similarity(features, WORDS["text"]).reshape(plan.windows, -1, *GRID)
    options = {"query_to_class": WORDS["query_idx"], "logit_scale": settings.logit_scale}
    options["threshold"] = settings.threshold
    if settings.pamr_steps is not None:
        refined = ops.pamr(ops.upsample_scores(scores, SIZE, plan=plan), image, steps=settings.pamr_steps)
        return ops.decode_labels(refined, SIZE, **options)
    return ops.decode_labels(scores, plan=plan, area_threshold=settings.area_threshold, **options)


@pytest.mark.parametrize("path", CASES, ids=CASES.values())
def test_runtime_equals_torch_and_ops(path, tmp_path) -> None:
    scale, threshold = float(WORDS["logit_scale"]), float(WORDS["prob_thd"])
    settings = build.Settings(logit_scale=scale, threshold=threshold, **POST_STEPS[CASES[path]])
    model = source.load("golden-tiny", str(golden_sets.weights()))
    crop = GRID[0] * model.visual.config.patch_size
    frame = window.sliding(crop, crop // 2, crop * 10 // 7)
    build.export_bundle(model, golden_sets.method_of(path), frame, tmp_path / "bundle", settings)
    segmenter = vocabseg.Segmenter.load(tmp_path / "bundle", precision="float32")
    segmenter.set_vocabulary(vocabulary())

    image = picture()
    result = segmenter(image)
    expected = expected_labels(path, image, frame, settings)
    assert result.backend == "openvino/float32"
    assert 0 < np.mean(expected == 255) < 1  # the threshold does something
    assert len(np.unique(expected)) > 2
    assert np.mean(result.labels != expected) <= 5e-4
