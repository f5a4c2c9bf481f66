"""Runs of one size: their execution context, and the CUDA graph that replays them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import EngineError
from .buffers import Buffers
from .cuda import Cuda
from .tensors import Tensor

logger = logging.getLogger(__name__)

_ACTIVATIONS = "(activations)"


class Execution:
    """An engine on ``rows`` rows, bound to buffers that it reserves. inputs, outputs, addresses: by tensor name.

    A graph holds for its context as it was when it was captured, so every size has a context of its own. Activation
    memory is what the size needs, not the profile's greatest, and all contexts share it.
    """

    def __init__(
        self,
        trt: Any,
        engine: Any,
        cuda: Cuda,
        buffers: Buffers,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, np.dtype],
        rows: int,
        fault: Callable[[str], EngineError],
    ) -> None:
        """outputs: their types. fault: makes an error of what failed and TensorRT's own words.

        Raises `EngineError`, `OutOfMemory`.
        """
        context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise fault("cannot run the engine")
        self._cuda, self._context, self._fault = cuda, context, fault
        self.rows, self.inputs = rows, inputs
        for name, tensor in inputs.items():
            if not context.set_input_shape(name, (rows, *tensor.row)):
                raise fault(f"cannot run {rows} rows")
        self.outputs = {
            name: Tensor(dtype, tuple(context.get_tensor_shape(name))[1:]) for name, dtype in outputs.items()
        }
        self.addresses = {
            name: buffers.device(name, rows * tensor.row_bytes)
            for name, tensor in (*inputs.items(), *self.outputs.items())
        }
        for name, address in self.addresses.items():
            context.set_tensor_address(name, address)
        size = context.update_device_memory_size_for_shapes()
        context.set_device_memory(buffers.device(_ACTIVATIONS, size), size)
        self.moves = buffers.moves
        self._graph: Any = None
        self._warm = False

    def run(self, stream: int, graphs: bool) -> bool:
        """Queue a run. The first goes without a graph, for TensorRT loads kernels with it; the second is captured.

        Returns ``graphs``, or False where the capture failed; the run went without a graph then.
        """
        if self._graph is None and self._warm and graphs:
            try:
                self._graph = self._cuda.capture(stream, lambda: self._queue(stream))
            except EngineError as error:
                logger.warning("the engine runs without a CUDA graph: %s", error)
                graphs = False
        if self._graph is None:
            self._queue(stream)
            self._warm = True
        else:
            self._cuda.launch(self._graph, stream)
        return graphs

    def close(self) -> None:
        """Give graph and context back."""
        if self._graph is not None:
            self._cuda.drop(self._graph)
            self._graph = None
        del self._context

    def _queue(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise self._fault("failed to run the engine")
