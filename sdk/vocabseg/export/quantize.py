"""INT8 by explicit Q/DQ on the linear layers of an image network.

Weights are symmetric int8 per output channel, activations symmetric int8 per tensor. Attention's own products, layer
normalisation, softmax, the patch embedding, the last projection and the normalisation stay as they are. Engines
fuse DequantizeLinear–MatMul into an int8 product; one that does not computes the rounded values in the graph's type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ..errors import ShapeError
from .graph import add_constant, add_node, constant, nodes, producer, remove_unused

_BLOCK = ".resblocks."
_LEVELS = 127
_BINS = 2048
# Ranges that are tried, as shares of the largest magnitude that was seen.
_RANGES = np.linspace(0.3, 1.0, 36)
_TINY = 1e-8


@dataclass
class Histogram:
    """Magnitudes of one activation, in bins whose range doubles when a larger value comes."""

    top: float = 0.0
    counts: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        magnitude = np.abs(values.astype(np.float32)).reshape(-1)
        largest = float(magnitude.max(initial=0.0))
        if not np.isfinite(largest):
            raise ShapeError(
                "an activation is not finite, so it has no range; calibrate in another precision"
            )
        if self.counts is None:
            self.top, self.counts = max(largest, _TINY), np.zeros(_BINS)
        while largest > self.top:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(_BINS // 2)])
            self.top *= 2
        self.counts += np.histogram(magnitude, _BINS, (0.0, self.top))[0]

    def scale(self) -> float:
        """The step whose rounding and clipping lose the least, in mean square."""
        if self.counts is None:
            raise ShapeError("no calibration data was given")
        centres = (np.arange(_BINS) + 0.5) * (self.top / _BINS)
        largest = float(centres[np.flatnonzero(self.counts)[-1]]) if self.counts.any() else _TINY
        steps = _RANGES * largest / _LEVELS
        rounded = np.clip(np.rint(centres / steps[:, None]), 0, _LEVELS) * steps[:, None]
        losses = ((rounded - centres) ** 2 * self.counts).sum(1)
        return max(float(steps[int(np.argmin(losses))]), _TINY)


def linear_layers(graph: ir.Graph) -> list[ir.Node]:
    """Products with a constant matrix inside of transformer blocks."""
    return [
        node
        for node in nodes(graph, "MatMul")
        if _BLOCK in str(node.name) and (weight := matrix(node.inputs[1])) is not None and weight.ndim == 2
    ]


def matrix(value: ir.Value | None) -> np.ndarray | None:
    """A constant, or one that is stored in half size behind a Cast; None for every other value."""
    cast = producer(value, "Cast")
    return constant(cast.inputs[0] if cast else value)


def activations(graph: ir.Graph) -> list[str]:
    """Names of the values that enter linear layers, each once: what has to be calibrated."""
    return list(dict.fromkeys(str(node.inputs[0].name) for node in linear_layers(graph) if node.inputs[0]))


def with_outputs(model: ir.Model, names: Sequence[str]) -> ir.Model:
    """A copy whose only outputs are the named values, as float32."""
    copy = ir.from_proto(ir.to_proto(model))
    values = {str(value.name): value for node in copy.graph for value in node.outputs}
    copy.graph.outputs.clear()
    for index, name in enumerate(names):
        node = ir.node("Cast", [values[name]], {"to": ir.DataType.FLOAT})
        node.outputs[0].name, node.outputs[0].type = f"calibrate.{index}", ir.TensorType(ir.DataType.FLOAT)
        copy.graph.append(node)
        copy.graph.outputs.append(node.outputs[0])
    remove_unused(copy.graph)
    return copy


def quantize(model: ir.Model, scales: Mapping[str, float]) -> None:
    """Put Q/DQ on every linear layer, in place. scales: step per name of ``activations``."""
    graph = model.graph
    made: dict[ir.Value, ir.Value] = {}  # q, k and v share their input; some methods use a matrix twice
    for node in linear_layers(graph):
        source, weight = node.inputs[:2]
        assert source is not None and weight is not None
        if source not in made:
            made[source] = quantized_activation(node, source, scales[str(source.name)])
        if weight not in made:
            made[weight] = quantized_weight(node)
        node.replace_input_with(0, made[source])
        node.replace_input_with(1, made[weight])
    remove_unused(graph)


def quantized_activation(node: ir.Node, source: ir.Value, step: float) -> ir.Value:
    """Q and DQ of a value, in front of the first product that reads it."""
    graph, dtype = node.graph, source.dtype
    assert graph is not None and dtype is not None
    scale = add_constant(graph, f"{source.name}.scale", np.array(step, dtype.numpy()))
    zero = add_constant(graph, f"{source.name}.zero_point", np.array(0, np.int8))
    integer = named(
        add_node(node, "QuantizeLinear", [source, scale, zero], ir.DataType.INT8), f"{source.name}/Q"
    )
    return named(add_node(node, "DequantizeLinear", [integer, scale, zero], dtype), f"{source.name}/DQ")


def quantized_weight(node: ir.Node) -> ir.Value:
    """DQ of an int8 matrix [in, out] with one step per output channel."""
    value = node.inputs[1]
    weight, graph = matrix(value), node.graph
    assert value is not None and weight is not None and graph is not None and value.dtype is not None
    full = weight.astype(np.float32)
    steps = np.maximum(np.abs(full).max(0) / _LEVELS, _TINY).astype(value.dtype.numpy())
    steps = np.maximum(steps, np.finfo(steps.dtype).tiny)
    integers = np.clip(np.rint(full / steps.astype(np.float32)), -_LEVELS, _LEVELS).astype(np.int8)
    stored = add_constant(graph, f"{value.name}.int8", integers)
    scale = add_constant(graph, f"{value.name}.scale", steps)
    zeros = add_constant(graph, f"{value.name}.zero_points", np.zeros(len(steps), np.int8))
    result = add_node(node, "DequantizeLinear", [stored, scale, zeros], value.dtype, axis=1)
    return named(result, f"{value.name}/DQ")


def named(value: ir.Value, name: str) -> ir.Value:
    node = value.producer()
    assert node is not None
    node.name, value.name = name, f"{name}:0"
    return value
