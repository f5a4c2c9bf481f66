"""Graphs with more than one output or more than one pass compute what torch computes, on both engines."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch

import golden_sets
from openvino_graph import compile_graph
from vocabseg import clip, methods
from vocabseg.errors import ShapeError
from vocabseg.export.build import export_bundle
from vocabseg.export.source import Source
from vocabseg.export.trace import FeedbackEncoder, ImageEncoder, trace_feedback, trace_image
from vocabseg.export.window import sliding

SIZE, GRID = (112, 176), (7, 11)
TOLERANCE = 2e-5
METHODS = [
    ("scclip", {}),
    ("cliptrase", {}),
    ("resclip", {"sfr": None}),
    ("resclip", {"base": "sclip"}),
    ("resclip", {}),
]


def tower():
    return clip.load_visual(golden_sets.weights(), activation="quick_gelu", eps=1e-5)


def pictures() -> torch.Tensor:
    """Two golden windows: pictures, not noise, so that no comparison inside a method is close."""
    picture = golden_sets.load(golden_sets.named("clearclip")[0])["image"].astype(np.float32)
    return torch.nn.functional.interpolate(torch.from_numpy(picture), SIZE, mode="bilinear")


def run_openvino(model: ir.Model, *inputs: np.ndarray, precision: str = "f32") -> list[np.ndarray]:
    results = compile_graph(model, precision)(list(inputs))
    return [results[index] for index in range(len(model.graph.outputs))]


def run_onnxruntime(model: ir.Model, *inputs: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


@pytest.mark.parametrize(("name", "parameters"), METHODS)
def test_image_tower(name, parameters) -> None:
    visual, method, images = tower(), methods.get(name, **parameters), pictures()
    with torch.inference_mode():
        expected = ImageEncoder(visual, method).eval()(images)
        names = list(method.outputs(visual, images))
    model = trace_image(visual, method, SIZE, "float32")
    assert [value.name for value in model.graph.outputs] == names
    for run in (run_openvino, run_onnxruntime):
        for actual, wanted in zip(run(model, images.numpy()), expected, strict=True):
            np.testing.assert_allclose(actual, wanted.numpy(), atol=TOLERANCE, rtol=TOLERANCE)


def feedback_inputs(visual, method) -> list[torch.Tensor]:
    with torch.inference_mode():
        _, tokens, *attention = ImageEncoder(visual, method).eval()(pictures())
    shared = torch.rand(2, 77, 77, generator=torch.Generator().manual_seed(0))
    return [tokens, shared, *attention]


@pytest.mark.parametrize("parameters", [{}, {"strict_paper": True}, {"base": "vanilla", "rcs": None}])
def test_second_pass(parameters) -> None:
    visual, method = tower(), methods.get("resclip", **parameters)
    inputs = feedback_inputs(visual, method)
    with torch.inference_mode():
        expected = FeedbackEncoder(visual, method, GRID).eval()(*inputs).numpy()
    model = trace_feedback(visual, method, GRID, "float32")
    for run in (run_openvino, run_onnxruntime):
        (actual,) = run(model, *(values.numpy() for values in inputs))
        np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("path", golden_sets.named("scclip"), ids=lambda path: path.stem)
def test_scclip_golden_in_openvino(path) -> None:
    arrays = golden_sets.load(path)
    if int(arrays["slide_crop"]):
        windows = arrays["image"][..., : int(arrays["slide_crop"])]  # the first window
    else:
        windows = arrays["image"]
    windows = np.ascontiguousarray(windows, np.float32)
    model = trace_image(tower(), methods.get("scclip"), windows.shape[2:], "float32")
    (features,) = run_openvino(model, windows)
    expected = arrays["win_patch_logits"][:1]
    cosines = np.moveaxis(features @ arrays["text"].T, 2, 1).reshape(expected.shape)
    np.testing.assert_allclose(cosines, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["scclip", "cliptrase", "resclip"])
def test_reduced_precision(name, precision) -> None:
    visual, method, images = tower(), methods.get(name), pictures()
    with torch.inference_mode():
        expected = ImageEncoder(visual, method).eval()(images)[0].numpy()
    actual = run_openvino(trace_image(visual, method, SIZE, precision), images.numpy())[0]
    assert np.median((actual * expected).sum(-1)) > 0.999


def test_proxyclip_stays_in_python(tmp_path) -> None:
    source = Source("tiny", "none", tower(), None, None, None, "test")
    with pytest.raises(ShapeError, match="second backbone"):
        export_bundle(source, methods.get("proxyclip"), sliding(112), tmp_path / "bundle")
