"""Small helpers to read and edit a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir


def nodes(graph: ir.Graph, op_type: str) -> list[ir.Node]:
    """The nodes of one operator, as a list that stays valid while the graph is edited."""
    return [node for node in graph if node.op_type == op_type]


def producer(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """The node that makes a value, if it is of the given operator."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == op_type else None


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The content of an initialiser; None for every other value."""
    return None if value is None or value.const_value is None else value.const_value.numpy()


def users(value: ir.Value) -> list[ir.Node]:
    """The nodes that read a value, one entry per use."""
    return [use.node for use in value.uses()]


def add_constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """A new initialiser. Its name must be new to the graph."""
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.shape, value.type = ir.Shape(array.shape), ir.TensorType(ir.DataType.from_numpy(array.dtype))
    graph.register_initializer(value)
    return value


def add_node(
    anchor: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    dtype: ir.DataType | None,
    **attributes: Any,
) -> ir.Value:
    """The output of a new node in front of ``anchor``, which passes its place in the module on."""
    node = ir.node(op_type, inputs, attributes or None)
    node.metadata_props.update(anchor.metadata_props)
    node.outputs[0].type = None if dtype is None else ir.TensorType(dtype)
    assert anchor.graph is not None
    anchor.graph.insert_before(anchor, node)
    return node.outputs[0]


def remove_unused(graph: ir.Graph) -> None:
    """Drop the nodes and initialisers that no output depends on."""
    for node in reversed(list(graph)):
        if not any(output.uses() or output.is_graph_output() for output in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses():
            del graph.initializers[name]
