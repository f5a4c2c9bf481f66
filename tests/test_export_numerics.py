"""Exported graphs compute what torch computes, on two engines that share no code."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from export_models import LAYOUTS, small_source, tokens, windows
from openvino_graph import compile_graph, has_bfloat16
from vocabseg import methods
from vocabseg.export.parity import GATES, compare, random_text
from vocabseg.export.storage import round_weights, store_float16
from vocabseg.export.trace import ImageEncoder, TextEncoder, trace_image, trace_text

TOLERANCE = 2e-5
METHODS = [
    ("vanilla", {}),
    ("vanilla", {"residual": False}),
    ("maskclip", {}),
    ("maskclip", {"head": "identity"}),
    ("sclip", {}),
    ("sclip", {"residual": False}),
    ("clearclip", {}),
    ("naclip", {}),
    ("naclip", {"std": 2.0, "residual": True}),
    ("naclip", {"std": None}),
]


def run_openvino(model: ir.Model, values: np.ndarray, precision: str = "f32") -> np.ndarray:
    return compile_graph(model, precision)([values])[0]


def run_onnxruntime(model: ir.Model, values: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: values})[0]


@torch.inference_mode()
def torch_features(visual, method, images) -> np.ndarray:  # type: ignore[no-untyped-def]
    return ImageEncoder(visual, method).eval()(images)[0].numpy()


@pytest.mark.parametrize(("name", "parameters"), METHODS)
def test_every_method(name: str, parameters: dict) -> None:
    visual, method = small_source().visual, methods.get(name, **parameters)
    images = windows(3, (96, 160))
    expected = torch_features(visual, method, images)
    model = trace_image(visual, method, (96, 160), "float32")
    for actual in (run_openvino(model, images.numpy()), run_onnxruntime(model, images.numpy())):
        assert actual.shape == expected.shape == (3, 60, 32)
        np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(np.linalg.norm(actual, axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str) -> None:
    source = small_source(layout, "gelu" if layout == "ViT-H-14" else "quick_gelu")
    method = methods.get("sclip")
    patch, grid = source.visual.config.patch_size, source.visual.config.grid
    for size in ((patch * grid, patch * grid), (patch * 3, patch * 5)):
        images = windows(2, size)
        actual = run_openvino(trace_image(source.visual, method, size, "float32"), images.numpy())
        np.testing.assert_allclose(
            actual, torch_features(source.visual, method, images), atol=TOLERANCE, rtol=0
        )


def test_text_tower() -> None:
    text, ids = small_source().text, tokens(5)
    assert text is not None
    with torch.inference_mode():
        expected = TextEncoder(text).eval()(ids).numpy()
    model = trace_text(text, "float32")
    for actual in (run_openvino(model, ids.numpy()), run_onnxruntime(model, ids.numpy())):
        np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)


def test_batch_does_not_change_a_window() -> None:
    visual, method = small_source().visual, methods.get("naclip")
    compiled = compile_graph(trace_image(visual, method, (64, 64), "float32"))
    images = windows(7, (64, 64)).numpy()
    together = compiled([images])[0].copy()
    for index in range(7):
        np.testing.assert_allclose(compiled([images[index : index + 1]])[0][0], together[index], atol=2e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", sorted({name for name, _ in METHODS}))
def test_lower_precision_passes_its_gate(name: str, precision: str) -> None:
    visual, method = small_source().visual, methods.get(name)
    images = windows(2, (96, 96))
    expected = torch_features(visual, method, images)
    model = trace_image(visual, method, (96, 96), precision)
    engines = [run_openvino] if precision == "bfloat16" else [run_openvino, run_onnxruntime]
    for run in engines:
        result = compare(
            "image", "test", precision, run(model, images.numpy()), expected, random_text(32, expected)
        )
        assert result.passed, result


def test_bfloat16_hint_on_the_float32_graph_passes_its_gate() -> None:
    if not has_bfloat16():
        pytest.skip("this CPU has no bfloat16")
    visual, method = small_source().visual, methods.get("sclip")
    images = windows(2, (96, 96))
    expected = torch_features(visual, method, images)
    actual = run_openvino(trace_image(visual, method, (96, 96), "float32"), images.numpy(), "bf16")
    assert compare("image", "test", "bfloat16", actual, expected, random_text(32, expected)).passed


def test_float16_storage_is_exact_and_small() -> None:
    source, method = small_source(), methods.get("sclip")
    full = len(ir.to_proto(trace_image(source.visual, method, (64, 64), "float32")).SerializeToString())
    round_weights(source.visual)
    images = windows(2, (64, 64))
    model = trace_image(source.visual, method, (64, 64), "float32")
    store_float16(model)
    assert len(ir.to_proto(model).SerializeToString()) < 0.6 * full
    expected = torch_features(source.visual, method, images)
    for actual in (run_openvino(model, images.numpy()), run_onnxruntime(model, images.numpy())):
        np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)


def test_a_zero_feature_row_stays_finite() -> None:
    visual, method = small_source().visual, methods.get("vanilla")
    visual.proj.data.zero_()
    actual = run_openvino(trace_image(visual, method, (64, 64), "float32"), windows(1, (64, 64)).numpy())
    assert np.array_equal(actual, np.zeros_like(actual))


def test_gates_fail_what_is_wrong() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((1, 200, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    text = random_text(16, rows)
    assert compare("image", "x", "float32", rows, rows, text).passed
    noisy = rows + 0.01 * generator.standard_normal(rows.shape).astype(np.float32)
    assert not compare("image", "x", "float32", noisy, rows, text).passed
    assert compare("image", "x", "bfloat16", noisy, rows, text).cosine_min > GATES["bfloat16"].cosine_min
    for bad in (np.zeros_like(rows), -rows, rows[:, ::-1], np.full_like(rows, np.nan)):
        assert not compare("image", "x", "bfloat16", bad, rows, text).passed
