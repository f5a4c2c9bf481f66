"""Names that say where in the model a node stands, the same on every export."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection

import onnx_ir as ir
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

_SCOPES = "pkg.torch.onnx.name_scopes"
_BLOCK = re.compile(r"^.*\.resblocks\.\d+|^[^.]*")
_ROLES = {"MatMul": "weight", "Gemm": "weight", "Add": "bias", "Mul": "scale", "Reshape": "shape"}


def name_everything(model: ir.Model, parameters: Collection[str]) -> None:
    """Rename nodes after their module, values after their node, constants after their parameter or first use.

    Traces of the exporter (source files, stack traces) are removed. Inputs and outputs keep their names.
    """
    graph = model.graph
    seen: Counter[str] = Counter()
    scope = ""
    fixed = {value.name for value in (*graph.inputs, *graph.outputs)}
    for node in graph:
        scope = module_path(node) or enclosing(scope)
        node.name = unique(f"{scope}/{node.op_type}", seen)
    for node in graph:
        for index, value in enumerate(node.outputs):
            if not value.is_graph_output():
                value.name = f"{node.name}:{index}"
    for value in list(graph.initializers.values()):
        if value.name not in parameters or value.name in fixed:
            rename_initializer(graph, value, unique(role(value), seen))
    ClearMetadataAndDocStringPass()(model)


def module_path(node: ir.Node) -> str:
    """The path of the module that a node was traced in, ``visual.transformer.resblocks.3.attn``."""
    scopes = [scope for scope in ast.literal_eval(node.metadata_props.get(_SCOPES, "[]")) if scope]
    return scopes[-2] if len(scopes) > 1 else ""


def enclosing(scope: str) -> str:
    """The block, or the tower, around a module: where a node stands that was traced outside of any module's call."""
    match = _BLOCK.match(scope)
    return match.group() if match else scope


def role(value: ir.Value) -> str:
    use = next(iter(value.uses()))
    return f"{use.node.name}.{_ROLES.get(use.node.op_type, f'input{use.idx}')}"


def rename_initializer(graph: ir.Graph, value: ir.Value, name: str) -> None:
    del graph.initializers[str(value.name)]
    value.name = name
    if value.const_value is not None:
        value.const_value.name = name
    graph.initializers[name] = value


def unique(name: str, seen: Counter[str]) -> str:
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}_{seen[name] - 1}"
