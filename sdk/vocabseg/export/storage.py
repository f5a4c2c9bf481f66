"""ONNX models on disk: metadata, half-size storage of weights, and one file or two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

from ..errors import WeightsError
from .graph import add_node, constant

# protobuf cannot hold more than 2 GiB; larger weights go into a second file beside the graph.
_SINGLE_FILE_BYTES = 1_900_000_000


def save(model: ir.Model, path: Path, metadata: Mapping[str, str]) -> None:
    """Write a model with ``metadata_props``; weights beyond 1.9 GB go to ``<name>.data``."""
    model.producer_name, model.producer_version = "vocabseg", None
    model.metadata_props.clear()
    model.metadata_props.update(metadata)
    total = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    ir.save(model, path, external_data=f"{path.name}.data" if total > _SINGLE_FILE_BYTES else None)


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """Round a tower's matrices to float16, in place, and keep computing in float32. Raises `WeightsError`."""
    for name, parameter in module.named_parameters():
        if parameter.dim() < 2:
            continue
        half = parameter.half()
        if not torch.isfinite(half).all():
            raise WeightsError(f"{name} has values beyond float16; export with --weights float32")
        parameter.copy_(half.float())


def store_float16(model: ir.Model) -> None:
    """Store every float32 matrix that float16 holds exactly as float16, with a Cast back to float32.

    After ``round_weights`` these are all matrices that are not computed; engines undo the Cast once, at load.
    """
    graph = model.graph
    for value in list(graph.initializers.values()):
        array = constant(value)
        if array is None or array.dtype != np.float32 or array.ndim < 2:
            continue
        half = array.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), array):
            continue
        uses = list(value.uses())
        full = add_node(first_of(graph, uses), "Cast", [value], ir.DataType.FLOAT, to=ir.DataType.FLOAT)
        full.name = f"{value.name}:float32"
        full.producer().name = f"{value.name}/Cast"  # type: ignore[union-attr]
        for use in uses:
            use.node.replace_input_with(use.idx, full)
        value.const_value, value.dtype = ir.tensor(half, name=value.name), ir.DataType.FLOAT16


def first_of(graph: ir.Graph, uses: list) -> ir.Node:  # type: ignore[type-arg]
    """The node that comes first in the graph, so that what it needs can stand in front of it."""
    users = {use.node for use in uses}
    return next(node for node in graph if node in users)
