"""What OpenVINO makes of a graph: the operators that its CPU plugin executes for every input."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx_ir as ir
import openvino

FUSED_ATTENTION = "FusedAttention"
_FREE = ("Input", "Output", "Reshape")  # no work: reshapes share their input's memory


def compile_graph(model: ir.Model, precision: str = "f32", batch: int | None = None) -> Any:
    """Compile for the CPU with an inference precision (``f32``, ``bf16``) and a fixed or dynamic batch."""
    core = openvino.Core()
    network = core.read_model(ir.to_proto(model).SerializeToString())
    if batch is not None:
        shape = network.input(0).partial_shape
        shape[0] = batch
        network.reshape(shape)
    return core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": precision})


def has_bfloat16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def executed(compiled: Any) -> Counter[str]:
    """Counts by layer type of the executed nodes that depend on an input.

    The kernel that OpenVINO generates for matmul, softmax, matmul is a ``Subgraph`` whose origins include a
    softmax; it counts as ``FusedAttention``, and other generated or single elementwise kernels as ``Eltwise``.
    """
    counts: Counter[str] = Counter()
    depending = set()
    for node in compiled.get_runtime_model().get_ordered_ops():
        kind = text(node, "layerType")
        sources = {port.get_source_output().get_node().get_friendly_name() for port in node.inputs()}
        if kind != "Input" and not sources & depending:
            continue
        depending.add(node.get_friendly_name())
        if kind == "Subgraph":
            kind = FUSED_ATTENTION if "Softmax" in text(node, "originalLayersNames") else "Eltwise"
        if kind not in _FREE:
            counts[kind] += 1
    return counts


def text(node: Any, key: str) -> str:
    value = node.get_rt_info()[key]
    return value if isinstance(value, str) else str(value.astype(str))
