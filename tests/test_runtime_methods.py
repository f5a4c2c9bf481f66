"""Methods with steps after the network label a picture in the runtime (export, OpenVINO, C++ core) as torch and the
ops do. That torch and the ops equal the official code is shown by the tests of goldens."""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import vocabseg
from vocabseg import clip, methods, ops
from vocabseg.errors import BundleError, VocabularyError
from vocabseg.eval.segments import frame_segments
from vocabseg.export import build, source, window
from vocabseg.kernels.common.window_plan import WindowPlan, slide_plan

GRID, CROP, STRIDE = (7, 7), 112, 56
SIZE = (160, 231)  # the frame is not resized: its short side is that of the bundle
WORDS = ("sky", "a tree", "the road", "a car", "water", "a wall")
CASES = {
    "scclip": methods.get("scclip"),
    "resclip": methods.get("resclip"),
    "resclip_rcs": methods.get("resclip", sfr=None),
    "resclip_sfr": methods.get("resclip", base="sclip", rcs=None, temp_thd=0.2),
    "resclip_paper": methods.get("resclip", strict_paper=True),
    "cliptrase": methods.get("cliptrase", eps=0.45),
    "cliptrase_mean": methods.get("cliptrase", eps=0.45, rule="mean"),
    "cliptrase_class_token": methods.get("cliptrase", eps=0.45, class_token=True),
}
SETTINGS = build.Settings(logit_scale=30.0, threshold=0.18)


def picture() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(0, 256, (10, 15, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(16, 0).repeat(16, 1)[: SIZE[0], : SIZE[1]])


def text() -> np.ndarray:
    rows = np.random.default_rng(3).standard_normal((len(WORDS), 64)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def plan() -> WindowPlan:
    sides = {"crop": (CROP, CROP), "stride": (STRIDE, STRIDE), "short_side": SIZE[0], "long_side": 2048}
    made = slide_plan(SIZE, **sides, grid=GRID)
    assert (made.net_h, made.net_w) == SIZE and made.windows > 2
    return made


def expected_segments(method, affinity: np.ndarray) -> np.ndarray:
    """As the evaluation draws them, numbered without gaps."""
    out = frame_segments(affinity, plan(), method)
    return np.where(out < 0, -1, np.searchsorted(np.unique(out[out >= 0]), out)).astype(np.int32)


def expected(method) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels, and segments where the method makes them."""
    windows = torch.from_numpy(ops.preprocess(picture(), plan()))
    visual = clip.load_visual(golden_sets.weights())
    if method.name != "cliptrase":
        features = clip.dense_features(visual, method, windows, torch.from_numpy(text()))
        return decode(ops.patch_text_similarity(features.numpy(), text())), None
    with torch.inference_mode():
        outputs = {name: values.numpy() for name, values in method.outputs(visual, windows).items()}
    scores = ops.patch_text_similarity(outputs["features"], text())
    if method.class_token:
        of_class = ops.patch_text_similarity(outputs["class_features"][:, None], text())
        scores = scores * (SETTINGS.logit_scale * of_class)
    segments = expected_segments(method, outputs["affinity"])
    if method.rule == "majority":
        return decode(scores, regions=segments), segments
    means, _ = ops.mask_pool(np.moveaxis(scores, 1, 2), segments, plan=plan())
    of_segment = ops.decode_labels(means.T[:, None], (1, len(means)), **decode_options())[0]
    return np.where(segments < 0, decode(scores), of_segment[segments]), segments


def decode_options() -> dict:
    return {"logit_scale": SETTINGS.logit_scale, "threshold": SETTINGS.threshold}


def decode(scores: np.ndarray, regions: np.ndarray | None = None) -> np.ndarray:
    windows = scores.reshape(len(scores), -1, *GRID)
    return ops.decode_labels(windows, plan=plan(), regions=regions, **decode_options())


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Makes a method's segmenter; each method is exported once."""
    model = source.load("golden-tiny", str(golden_sets.weights()))
    frame = window.sliding(CROP, STRIDE, SIZE[0])
    folders = {}

    def open_segmenter(method) -> vocabseg.Segmenter:
        if method not in folders:
            folders[method] = tmp_path_factory.mktemp("bundles") / "bundle"
            build.export_bundle(model, method, frame, folders[method], SETTINGS)
        return vocabseg.Segmenter.load(folders[method], precision="float32")

    return open_segmenter


def vocabulary() -> vocabseg.Vocabulary:
    return vocabseg.Vocabulary(WORDS, WORDS, np.arange(len(WORDS), dtype=np.int32), embeddings=text())


@pytest.mark.parametrize("name", CASES)
def test_labels_and_segments(name, load) -> None:
    method = CASES[name]
    segmenter = load(method)
    if method.name == "cliptrase":  # segments need no words
        segments = segmenter.segments(picture())
    else:
        with pytest.raises(BundleError, match="makes no segments"):
            segmenter.segments(picture())
    segmenter.set_vocabulary(vocabulary())
    result = segmenter(picture())
    labels, drawn = expected(method)
    assert len(np.unique(labels)) > 2
    assert np.mean(result.labels != labels) <= 5e-4
    if drawn is not None:
        assert drawn.max() > 4 and segments.dtype == np.int32
        assert np.mean(segments != drawn) <= 5e-4
        regions = segmenter.classify_masks(picture(), segments)
        assert len(regions.class_ids) == segments.max() + 1
        assert regions.area.min() > 0
    stage = {"resclip": "feedback", "cliptrase": "clusters"}.get(method.name)
    assert stage not in result.timing if name == "resclip_rcs" else stage in (None, *result.timing)


def test_words_change_the_second_pass(load) -> None:
    segmenter = load(CASES["resclip"])
    with pytest.raises(VocabularyError, match="set_vocabulary"):
        segmenter.features(picture())
    segmenter.set_vocabulary(vocabulary())
    before, labels = segmenter.features(picture()), segmenter(picture()).labels
    few = vocabseg.Vocabulary(WORDS[:2], WORDS[:2], np.arange(2, dtype=np.int32), embeddings=text()[:2])
    segmenter.set_vocabulary(few)
    assert np.abs(segmenter.features(picture()) - before).max() > 1e-3
    segmenter.set_vocabulary(vocabulary())
    np.testing.assert_array_equal(segmenter(picture()).labels, labels)


@pytest.mark.parametrize("rule", ["majority", "mean"])
def test_all_noise_keeps_the_pixels_labels(rule, load) -> None:
    segmenter = load(methods.get("cliptrase", eps=1e-6, min_samples=3, rule=rule))
    segmenter.set_vocabulary(vocabulary())
    np.testing.assert_array_equal(segmenter.segments(picture()), np.full(SIZE, -1))
    visual = clip.load_visual(golden_sets.weights())
    windows = torch.from_numpy(ops.preprocess(picture(), plan()))
    features = clip.dense_features(visual, "cliptrase", windows).numpy()
    labels = decode(ops.patch_text_similarity(features, text()))
    assert np.mean(segmenter(picture()).labels != labels) <= 5e-4


def test_one_word_and_a_constant_picture(load) -> None:
    flat = np.full((*SIZE, 3), 128, np.uint8)
    one = vocabseg.Vocabulary(("sky",), ("sky",), np.zeros(1, np.int32), embeddings=text()[:1])
    for name in ("scclip", "resclip", "cliptrase"):
        segmenter = load(CASES[name])
        segmenter.set_vocabulary(one)
        result = segmenter(flat)
        np.testing.assert_array_equal(result.labels, 0)
        np.testing.assert_array_equal(result.scores, 1)
