"""The core with OpenVINO on a bundle whose results can be worked out by hand."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra: test")

from tiny_bundle import (
    BLUE,
    CONTEXT,
    DIM,
    GREEN,
    RED,
    patch_features,
    stripes,
    text_rows,
    write_tiny_bundle,
)
from vocabseg import _core
from vocabseg.errors import (
    BackendUnavailable,
    ShapeError,
)


def test_labels_scores_timing(segmenter):
    out = segmenter.segment(stripes(64, 96), True, None, None)
    assert out["labels"].dtype == np.uint8 and out["labels"].shape == (64, 96)
    assert [out["labels"][0, x] for x in (0, 48, 95)] == [0, 1, 2]
    assert out["scores"].dtype == np.float32 and out["scores"].min() > 0.5
    assert list(out["timing"]) == ["preprocess", "encode", "similarity", "decode", "total"]
    assert out["backend"] == segmenter.backend == "openvino/float32"
    assert "auto" in segmenter.backend_reason


def test_scores_only_when_asked(segmenter):
    assert segmenter.segment(stripes(40, 40), False, None, None)["scores"] is None


def test_probability_by_hand(segmenter):
    image = np.full((32, 32, 3), (255, 51, 0), np.uint8)
    cosines = patch_features(image, 8)[0, 0] @ np.stack([RED, GREEN, BLUE]).T
    expected = np.exp(10 * cosines) / np.exp(10 * cosines).sum()
    out = segmenter.segment(image, True, 0.0, 10.0)
    np.testing.assert_allclose(out["scores"], expected[0], atol=1e-6)


def test_bfloat16_where_the_cpu_has_it(bundle):
    has = any(name in _core.cpu_features() for name in ("avx512_bf16", "amx_bf16"))
    if not has:
        with pytest.raises(BackendUnavailable, match="float32"):
            _core.Segmenter(bundle, "openvino", 0, "bfloat16")
    chosen = _core.Segmenter(bundle, "openvino", 0, "auto").backend
    assert chosen == f"openvino/{'bfloat16' if has else 'float32'}"


@pytest.mark.parametrize("view", [np.flipud, np.fliplr, lambda a: a[:, :, ::-1], lambda a: a[::2, ::3]])
def test_any_strides(segmenter, view):
    image = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    strided = view(image)
    expected = segmenter.segment(np.ascontiguousarray(strided))
    np.testing.assert_array_equal(segmenter.segment(strided)["labels"], expected["labels"])


def test_alpha_is_ignored(segmenter):
    image = stripes(40, 60)
    rgba = np.dstack([image, np.full((40, 60), 9, np.uint8)])
    np.testing.assert_array_equal(segmenter.segment(rgba)["labels"], segmenter.segment(image)["labels"])


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (33, 65)])
def test_odd_sizes(segmenter, shape):
    assert segmenter.segment(stripes(*shape))["labels"].shape == shape


def test_whole_frame_window(tmp_path):
    folder = write_tiny_bundle(tmp_path, window=(24, 40), mode="whole")
    segmenter = _core.Segmenter(_core.Bundle.open(str(folder)), "openvino", 1, "float32")
    assert len(segmenter.plan(48, 80)["xs"]) * len(segmenter.plan(48, 80)["ys"]) == 1
    plan = segmenter.plan(48, 160)
    assert (len(plan["ys"]), len(plan["xs"]), plan["net_h"], plan["net_w"]) == (1, 2, 24, 80)
    image = np.random.default_rng(1).integers(0, 256, (24, 40, 3), np.uint8)
    np.testing.assert_allclose(segmenter.features(image), patch_features(image, 8), atol=1e-5)


def test_features_average_windows(segmenter):
    image = np.random.default_rng(2).integers(0, 256, (32, 64, 3), np.uint8)
    np.testing.assert_allclose(segmenter.features(image), patch_features(image, 8), atol=1e-5)


def test_encode_windows(segmenter):
    image = np.random.default_rng(3).integers(0, 256, (32, 32, 3), np.uint8)
    windows = (image.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)
    out = segmenter.encode_windows(np.repeat(windows, 3, axis=0))
    assert out.shape == (3, 16, DIM)
    np.testing.assert_allclose(out[2], patch_features(image, 8).reshape(16, DIM), atol=1e-5)
    with pytest.raises(ShapeError, match="32, 32"):
        segmenter.encode_windows(windows[:, :, :16])


def test_masks_of_every_form(segmenter):
    image = stripes(32, 96)
    label_map = np.repeat(np.arange(3, dtype=np.int32), 32)[None].repeat(32, 0)
    masks = np.stack([label_map == index for index in range(3)])
    codes = [(32, 96, np.array([1024 * i, 1024, 1024 * (2 - i)], np.uint32)) for i in range(3)]
    results = [segmenter.classify_masks(image, form) for form in (masks, label_map, codes)]
    for out in results:
        assert out["class_ids"].tolist() == [0, 1, 2]
        assert out["area"].tolist() == [1024] * 3
        np.testing.assert_allclose(out["features"], results[0]["features"], atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(out["features"], axis=1), 1, atol=1e-6)


def test_empty_and_no_masks(segmenter):
    out = segmenter.classify_masks(stripes(32, 32), np.zeros((1, 32, 32), bool))
    assert (out["class_ids"].tolist(), out["scores"].tolist(), out["area"].tolist()) == ([-1], [0], [0])
    assert segmenter.classify_masks(stripes(32, 32), np.zeros((0, 32, 32), bool))["features"].shape == (
        0,
        DIM,
    )


def test_text_rows(bundle):
    encoder = _core.TextEncoder(bundle, "auto", 0, "float32")
    rows = encoder.encode(["a road", "the car"] * 50)
    tokens = _core.Tokenizer(bundle.file("merges.txt"), CONTEXT).encode_batch(["a road", "the car"])
    sums = text_rows()[tokens].sum(axis=1)
    np.testing.assert_allclose(rows[-2:], sums / np.linalg.norm(sums, axis=1, keepdims=True), atol=1e-5)
    assert encoder.encode([]).shape == (0, DIM)


def test_calls_from_several_threads(segmenter):
    image = stripes(60, 90)
    expected = segmenter.segment(image)["labels"]
    results: list[np.ndarray] = []

    def work() -> None:
        results.append(segmenter.segment(image)["labels"])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for labels in results:
        np.testing.assert_array_equal(labels, expected)


def test_thread_count_does_not_change_labels(bundle):
    image = np.random.default_rng(4).integers(0, 256, (90, 130, 3), np.uint8)
    labels = []
    for threads in (1, 2):
        segmenter = _core.Segmenter(bundle, "openvino", threads, "float32")
        segmenter.set_vocabulary(np.arange(3, dtype=np.int32), 3, [], np.stack([RED, GREEN, BLUE]))
        labels.append(segmenter.segment(image)["labels"])
    np.testing.assert_array_equal(*labels)


def test_log_callback(bundle):
    messages: list[tuple[str, str]] = []
    segmenter = _core.Segmenter(bundle, "auto", 0, "float32", lambda *message: messages.append(message))
    segmenter.features(stripes(32, 32))
    assert messages[0][0] == "info" and "openvino/float32" in messages[0][1]
    assert any(level == "debug" and "windows" in text for level, text in messages)


def test_parse_vocabulary():
    parsed = _core.parse_vocabulary(["road", "car, truck, van", "background: sky"])
    assert parsed == {
        "names": ["road", "car", "sky"],
        "queries": ["road", "car", "truck", "van", "sky"],
        "query_to_class": [0, 1, 1, 1, 2],
        "background": [2],
    }


def test_about_this_machine():
    assert [backend["id"] for backend in _core.backends() if backend["available"]] == ["openvino"]
    assert all(isinstance(feature, str) for feature in _core.cpu_features())
    assert _core.openvino_version().startswith("2026.4")
