"""Every exported graph parses and builds, strongly typed, for three GPU generations. No GPU is needed.

TensorRT-RTX builds for chips that are not there; its parser and its type rules are TensorRT's. What it cannot show are
numerics (see test_export_numerics.py, test_export_methods.py) and TensorRT's own kernels.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

torch = pytest.importorskip("torch", reason="needs the extra: test")
trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed; pip install 'vocabseg[rtx]'")

from export_models import small_source
from vocabseg import methods
from vocabseg.errors import EngineError
from vocabseg.export import source
from vocabseg.export.quantize import activations, quantize
from vocabseg.export.trace import trace_feedback, trace_image, trace_text
from vocabseg.tensorrt.backend import BuildRequest
from vocabseg.tensorrt.builder import Phases, build_plan

SIZE, GRID, BATCHES = (96, 96), (6, 6), (1, 2, 4)
CHIPS = ("SM86", "SM89", "SM120")
METHODS = [name for name in methods.names() if name != "proxyclip"]  # runs a second backbone, never exported
PRECISIONS = ("float32", "float16", "bfloat16")
OPTIONS = {"optimization_level": 3, "tf32": False, "low_memory": False}
# Pattern of a warning -> why it may stay.
ALLOWED = {
    "Make sure input tokens has Int64 binding": "token ids are int64 in every engine, and bound as such",
    "timing cache": "TensorRT-RTX measures nothing at build time and has no such cache",
}
# A small model has one block before the last.
PARAMETERS = {"scclip": {"pre": 0, "post": 0, "multi": (0, 1)}, "resclip": {"rcs_layers": (0, 1)}}


@pytest.fixture(scope="module")
def model():
    return small_source()


def target(config) -> None:
    config.num_compute_capabilities = len(CHIPS)
    for index, chip in enumerate(CHIPS):
        config.set_compute_capability(getattr(trt.ComputeCapability, chip), index)


def build(graph: ir.Model, tmp_path: Path, options=OPTIONS) -> tuple[bytes, list[str], list[float]]:
    """The plan, the warnings that are not allowed, and the reported shares."""
    path, shares = tmp_path / "graph.onnx", []
    ir.save(graph, path)
    profile = {
        str(value.name): tuple((count, *map(int, value.shape[1:])) for count in BATCHES)
        for value in graph.graph.inputs
    }
    request = BuildRequest(path, profile, options, 1 << 30, tmp_path / "timing.cache")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # RTX has no timing cache
        plan, said = build_plan(trt, request, shares.append, target)
    said = [each for each in said if not any(re.search(pattern, each) for pattern in ALLOWED)]
    return plan, said, shares


def small_method(name: str):
    return methods.get(name, **PARAMETERS.get(name, {}))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("method", METHODS)
def test_image_tower(model, method: str, precision: str, tmp_path: Path) -> None:
    graph = trace_image(model.visual, small_method(method), SIZE, precision)
    plan, said, shares = build(graph, tmp_path)
    assert said == [] and plan
    assert shares == sorted(shares) and shares[-1] == 1.0
    if precision == "float16":  # what INT8 is made of
        quantize(graph, dict.fromkeys(activations(graph.graph), 0.05))
        smaller, said, _ = build(graph, tmp_path)
        assert said == [] and smaller


@pytest.mark.parametrize("precision", PRECISIONS)
def test_second_pass(model, precision: str, tmp_path: Path) -> None:
    graph = trace_feedback(model.visual, small_method("resclip"), GRID, precision)
    plan, said, _ = build(graph, tmp_path)
    assert said == [] and plan


@pytest.mark.parametrize("precision", PRECISIONS)
def test_text_tower(model, precision: str, tmp_path: Path) -> None:
    plan, said, _ = build(trace_text(model.text, precision), tmp_path)
    assert said == [] and plan


def test_low_memory_builds_too(model, tmp_path: Path) -> None:
    options = {"optimization_level": 2, "tf32": False, "low_memory": True}
    assert build(trace_text(model.text, "float16"), tmp_path, options)[0]


def test_types_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Strong typing is on: a product of float16 and float32 is an error, not a cast."""
    x = ir.val("x", ir.DataType.FLOAT16, ir.Shape(["n", 4]))
    weight = ir.val(
        "w", ir.DataType.FLOAT, ir.Shape([4, 4]), const_value=ir.tensor(np.eye(4, dtype=np.float32))
    )
    node = ir.node("MatMul", [x, weight])
    node.outputs[0].name = "y"
    graph = ir.Graph([x], node.outputs, nodes=[node], initializers=[weight], opset_imports={"": 20}, name="g")
    with pytest.raises(EngineError):
        build(ir.Model(graph, ir_version=9), tmp_path)


def test_a_file_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"not a graph")
    request = BuildRequest(tmp_path / "x.onnx", {}, OPTIONS, 1 << 30)
    with pytest.raises(EngineError, match=r"cannot read x\.onnx"):
        build_plan(trt, request, lambda share: None, target)


def test_inputs_that_the_manifest_does_not_know(model, tmp_path: Path) -> None:
    ir.save(trace_text(model.text, "float32"), tmp_path / "t.onnx")
    request = BuildRequest(tmp_path / "t.onnx", {"words": ((1, 16),) * 3}, OPTIONS, 1 << 30)
    with pytest.raises(EngineError, match="has the inputs tokens, the bundle's manifest says words"):
        build_plan(trt, request, lambda share: None, target)


def test_shares_of_nested_phases() -> None:
    phases = Phases()
    phases.start("build", None, 2)
    phases.start("tactics", "build", 4)
    phases.step("tactics", 1)
    assert phases.share() == 0.25
    phases.finish("tactics")
    phases.step("build", 0)
    assert phases.share() == 0.5
    phases.finish("build")
    assert phases.share() == 1.0


@pytest.mark.slow
def test_vit_b_16(tmp_path: Path) -> None:
    """The real sizes, random weights."""
    clip = source.load("ViT-B-16", "none")
    for precision in PRECISIONS:
        graph = trace_image(clip.visual, methods.get("sclip"), (224, 224), precision)
        plan, said, _ = build(graph, tmp_path)
        assert said == [] and len(plan) > 86e6 * (4 if precision == "float32" else 2)
