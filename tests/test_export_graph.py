"""The exported graphs have the shapes that engines fuse, and the types that strongly typed engines take."""

from __future__ import annotations

import platform
import re
from functools import cache

import onnx
import onnx_ir as ir
import pytest

from export_models import LAYERS, small_source
from openvino_graph import FUSED_ATTENTION, compile_graph, executed, has_bfloat16
from vocabseg import methods
from vocabseg.export.trace import trace_image, trace_text

SIZE = (96, 128)
METHODS = {
    "vanilla": {},
    "maskclip": {},
    "maskclip identity": {"head": "identity"},
    "sclip": {},
    "clearclip": {},
    "naclip": {},
}
# Per method: fused attentions, layer normalisations, matrix products.
EXPECTED = {
    "vanilla": (LAYERS, 2 * LAYERS + 2, 6 * LAYERS + 1),
    "maskclip": (LAYERS - 1, 2 * LAYERS + 2, 6 * LAYERS - 1),
    "maskclip identity": (LAYERS - 1, 2 * LAYERS + 1, 6 * LAYERS - 3),
    "sclip": (LAYERS + 1, 2 * LAYERS + 2, 6 * LAYERS + 1),
    "clearclip": (LAYERS, 2 * LAYERS + 1, 6 * LAYERS - 2),
    "naclip": (LAYERS, 2 * LAYERS + 1, 6 * LAYERS - 2),
}
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenVINO fuses attention on x86 only")


@cache
def image_graph(method: str, precision: str = "float32", activation: str = "quick_gelu") -> ir.Model:
    visual = small_source(activation=activation).visual
    return trace_image(visual, methods.get(method.split(maxsplit=1)[0], **METHODS[method]), SIZE, precision)


@x86
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("precision", ["f32", "bf16"])
@pytest.mark.parametrize("method", METHODS)
def test_openvino_fuses_attention_and_runs_nothing_stray(
    method: str, precision: str, batch: int | None
) -> None:
    if precision == "bf16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16")
    counts = executed(compile_graph(image_graph(method), precision, batch))
    attentions, norms, products = EXPECTED[method]

    assert counts[FUSED_ATTENTION] == attentions
    assert counts["MVN"] == norms
    assert counts["FullyConnected"] == products
    for kind in (
        "MatMul",
        "Softmax",
        "Gelu",
        "Swish",
        "Convert",
        "Split",
        "Gather",
        "Concatenation",
        "Broadcast",
    ):
        assert counts[kind] == 0, kind
    # Layout and type of the window, and the type of the features.
    assert counts["Reorder"] <= 3
    # Keys, and in bfloat16 the attention's output; SCLIP shares v between two attentions and transposes its queries.
    each = 1 if precision == "f32" else 2
    allowance = (2 if method == "sclip" else 0) + (batch is None)
    assert counts["Transpose"] <= each * attentions + allowance
    # Scale and shift of each layer normalisation, two skip connections a block, position, length, q·q's scale.
    assert counts["Eltwise"] <= norms + 2 * LAYERS + 4


@x86
@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_openvino_takes_the_activation_into_the_product(activation: str) -> None:
    counts = executed(compile_graph(image_graph("vanilla", activation=activation), "f32", 2))
    assert counts["Eltwise"] == (2 * LAYERS + 2) + 2 * LAYERS + 2


@x86
def test_openvino_fuses_the_causal_attention_of_the_text_tower() -> None:
    text = small_source().text
    assert text is not None
    counts = executed(compile_graph(trace_text(text, "float32"), "f32"))
    assert counts[FUSED_ATTENTION] == len(text.transformer.resblocks)
    assert counts["MatMul"] == counts["Softmax"] == counts["Split"] == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("tower", [*METHODS, "text"])
def test_graph_is_valid_and_strongly_typed(tower: str, precision: str) -> None:
    text = small_source().text
    model = trace_text(text, precision) if tower == "text" else image_graph(tower, precision)
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    types |= {value.name: value.data_type for value in inferred.initializer}

    assert [(v.version, v.domain) for v in proto.opset_import] == [(20, "")]
    full, computing = (
        onnx.TensorProto.FLOAT,
        getattr(onnx.TensorProto, precision.upper(), onnx.TensorProto.FLOAT),
    )
    for node in inferred.node:
        if node.op_type in ("LayerNormalization", "Softmax", "ReduceL2", "Div"):
            assert types[node.input[0]] == full, node.name
        if node.op_type in ("MatMul", "Conv", "Gelu"):
            assert {types[name] for name in node.input} == {computing}, node.name


def test_names_tell_the_module_and_nothing_of_this_machine() -> None:
    proto = ir.to_proto(image_graph("naclip"))
    names = [node.name for node in proto.graph.node]
    assert len(set(names)) == len(names)
    assert "visual.transformer.resblocks.0.mlp.c_fc/MatMul" in names
    outputs = [name for node in proto.graph.node for name in node.output]
    assert not set(names) & set(outputs), "TensorRT refuses a tensor that is called like a node"
    text = str(proto.graph.node) + str(proto.metadata_props)
    assert not re.search(r"\.py|/home|/work|Traceback", text)
    assert {"visual.conv1.weight", "visual.ln_pre.bias"} <= {value.name for value in proto.graph.initializer}


def test_the_same_model_gives_the_same_graph() -> None:
    graphs = [image_graph("sclip"), image_graph.__wrapped__("sclip")]
    first, second = (ir.to_proto(graph).SerializeToString(deterministic=True) for graph in graphs)
    assert first == second


def test_interface() -> None:
    def describe(values):  # type: ignore[no-untyped-def]
        return [
            (
                v.name,
                v.type.tensor_type.elem_type,
                [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim],
            )
            for v in values
        ]

    image = ir.to_proto(image_graph("sclip", "float16")).graph
    assert describe(image.input) == [("windows", onnx.TensorProto.FLOAT, ["batch", 3, *SIZE])]
    assert describe(image.output) == [("features", onnx.TensorProto.FLOAT, ["batch", 48, 32])]
    text = small_source().text
    assert text is not None
    graph = ir.to_proto(trace_text(text, "bfloat16")).graph
    assert describe(graph.input) == [("tokens", onnx.TensorProto.INT64, ["batch", 16])]
    assert describe(graph.output) == [("embedding", onnx.TensorProto.FLOAT, ["batch", 32])]


def test_constants_are_folded() -> None:
    """Position table and Gaussian bias are constants; nothing computes on shapes."""
    kinds = {node.op_type for node in ir.to_proto(image_graph("naclip")).graph.node}
    assert not kinds & {"Shape", "Expand", "Resize", "Einsum", "Concat", "Gather", "Split", "Exp", "Constant"}
