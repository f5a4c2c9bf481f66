"""Rewrites of a traced graph into the shapes that OpenVINO and TensorRT fuse. None changes the function."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript import optimizer

from .graph import add_constant, add_node, constant, nodes, producer, remove_unused, users

_NO_LIMIT = 1 << 40


def shape_for_engines(model: ir.Model) -> None:
    """All passes, in order."""
    fold_constants(model)
    split_projections(model.graph)
    separate_key_transposes(model.graph)
    distribute_attention_sum(model.graph)
    pad_class_token(model.graph)
    multiply_patches(model.graph)
    remove_unused(model.graph)


def fold_constants(model: ir.Model) -> None:
    """Evaluate everything that depends on no input (position tables, attention biases), whatever its size."""
    optimizer.fold_constants(
        model, onnx_shape_inference=False, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT
    )
    optimizer.remove_unused_nodes(model)


def split_projections(graph: ir.Graph) -> None:
    """x W + b, split into q, k and v, becomes one product each.

    OpenVINO copies the parts of a Split, but reads separate products in place and takes the scale of q into its
    product; TensorRT joins them again. A part that nobody uses (q in key-key attention) is not computed at all.
    """
    for split in nodes(graph, "Split"):
        add = producer(split.inputs[0], "Add")
        product = producer(add.inputs[0], "MatMul") if add else None
        if add is None or product is None:
            continue
        weight, bias = constant(product.inputs[1]), constant(add.inputs[1])
        if weight is None or bias is None or split.attributes.get_int("axis", 0) not in (-1, 2):
            continue
        parts = len(split.outputs)
        weights, biases = np.split(weight, parts, axis=1), np.split(bias, parts)
        for part, output in enumerate(split.outputs):
            if not output.uses():
                continue
            w = add_constant(graph, f"{output.name}.weight", weights[part])
            b = add_constant(graph, f"{output.name}.bias", biases[part])
            projected = add_node(split, "MatMul", [product.inputs[0], w], output.dtype)
            output.replace_all_uses_with(add_node(split, "Add", [projected, b], output.dtype))


def separate_key_transposes(graph: ir.Graph) -> None:
    """[B, N, heads, d] to [B, heads, d, N] in two steps: first the heads, then the last two axes.

    OpenVINO takes the second step into the product, and the first is a copy of whole rows; the single transpose
    that the exporter makes of both is a slow pass over memory.
    """
    for node in nodes(graph, "Transpose"):
        if list(node.attributes.get_ints("perm")) != [0, 2, 3, 1]:
            continue
        dtype = node.outputs[0].dtype
        heads = add_node(node, "Transpose", [node.inputs[0]], dtype, perm=[0, 2, 1, 3])
        node.outputs[0].replace_all_uses_with(add_node(node, "Transpose", [heads], dtype, perm=[0, 1, 3, 2]))


def distribute_attention_sum(graph: ir.Graph) -> None:
    """(A + B) v becomes A v + B v, so that each softmax stands in an attention of its own, which engines fuse."""
    for product in nodes(graph, "MatMul"):
        total = producer(product.inputs[0], "Add")
        if (
            total is None
            or len(total.outputs[0].uses()) != 1
            or not all(map(attention_weights, total.inputs))
        ):
            continue
        value, output = product.inputs[1], product.outputs[0]
        left, right = (add_node(product, "MatMul", [term, value], output.dtype) for term in total.inputs)
        output.replace_all_uses_with(add_node(product, "Add", [left, right], output.dtype))


def attention_weights(value: ir.Value | None) -> bool:
    cast = producer(value, "Cast")
    return producer(cast.inputs[0] if cast else value, "Softmax") is not None


def pad_class_token(graph: ir.Graph) -> None:
    """concat(class token, patches) + positions becomes pad(patches) + (positions with the class token added).

    The same numbers, as 0 + (c + p) equals c + p, and no arithmetic on shapes is left in the graph.
    """
    for concat in nodes(graph, "Concat"):
        expand, readers = producer(concat.inputs[0], "Expand"), users(concat.outputs[0])
        if expand is None or len(concat.inputs) != 2 or [node.op_type for node in readers] != ["Add"]:
            continue
        add = readers[0]
        token, table = constant(expand.inputs[0]), constant(add.inputs[1])
        if token is None or table is None:
            continue
        table = table.copy()
        table[..., 0, :] += token.reshape(-1)
        pads = add_constant(graph, f"{concat.name}.pads", np.array([0, 1, 0, 0, 0, 0], np.int64))
        padded = add_node(concat, "Pad", [concat.inputs[1], pads], concat.outputs[0].dtype)
        positions = add_constant(graph, f"{concat.name}.positions", table)
        add.replace_input_with(0, padded)
        add.replace_input_with(1, positions)


def multiply_patches(graph: ir.Graph) -> None:
    """A bfloat16 patch convolution becomes a product of flattened patches: Conv takes no bfloat16 before opset 22."""
    for conv in nodes(graph, "Conv"):
        weight, dtype = constant(conv.inputs[1]), conv.outputs[0].dtype
        tokens = flattened(conv.outputs[0])
        if dtype != ir.DataType.BFLOAT16 or weight is None or tokens is None or len(conv.inputs) != 2:
            continue
        width, channels, patch, _ = weight.shape
        assert conv.inputs[0] is not None and conv.inputs[0].shape is not None
        rows, columns = (int(str(side)) // patch for side in conv.inputs[0].shape[2:])
        split = np.array([0, channels, rows, patch, columns, patch])
        join = np.array([0, rows * columns, channels * patch * patch])
        matrix = np.ascontiguousarray(weight.reshape(width, -1).T)
        x = add_node(
            conv, "Reshape", [conv.inputs[0], add_constant(graph, f"{conv.name}.split", split)], dtype
        )
        x = add_node(conv, "Transpose", [x], dtype, perm=[0, 2, 4, 1, 3, 5])
        x = add_node(conv, "Reshape", [x, add_constant(graph, f"{conv.name}.join", join)], dtype)
        x = add_node(conv, "MatMul", [x, add_constant(graph, f"{conv.name}.matrix", matrix)], dtype)
        tokens.replace_all_uses_with(x)


def flattened(image: ir.Value) -> ir.Value | None:
    """[B, h·w, D] where the graph makes it of [B, D, h, w], its only reader, by Reshape and Transpose."""
    for op_type in ("Reshape", "Transpose"):
        readers = users(image)
        if [node.op_type for node in readers] != [op_type]:
            return None
        image = readers[0].outputs[0]
    return image if list(readers[0].attributes.get_ints("perm", ())) == [0, 2, 1] else None
