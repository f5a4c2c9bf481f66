"""A deserialised engine that takes and gives NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import EngineError
from .builder import make_logger
from .cuda import Cuda


class EngineSession:
    """One engine, one context, one stream; buffers on the device grow and are kept.

    Raises `EngineError`: the plan is of another TensorRT or damaged, or the GPU's memory is too small for it.
    """

    def __init__(self, trt: Any, cuda: Cuda, plan: bytes) -> None:
        self._trt, self._cuda, self._logger = trt, cuda, make_logger(trt)
        runtime = trt.Runtime(self._logger)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError(f"TensorRT cannot load the engine: {self._said()}; run: vocabseg build")
        context = engine.create_execution_context()
        if context is None:
            raise EngineError(f"TensorRT cannot run the engine: {self._said()}; use a smaller --batch")
        self._runtime, self._engine, self._context = runtime, engine, context
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        self.inputs = [name for name in names if modes[name] == trt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if modes[name] == trt.TensorIOMode.OUTPUT]
        self._stream = cuda.stream()
        self._buffers: dict[str, tuple[int, int]] = {}  # name -> address, size

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs for arrays of the engine's inputs. Raises `EngineError`, see ``check``."""
        self._check(inputs)
        context, cuda = self._context, self._cuda
        kept = [self._bind(name, array) for name, array in inputs.items()]
        results = {name: self._empty(name) for name in self.outputs}
        for name, array in results.items():
            context.set_tensor_address(name, self._buffer(name, array.nbytes))
        if not context.execute_async_v3(self._stream):
            raise EngineError(f"TensorRT failed to run the engine: {self._said()}")
        for name, array in results.items():
            cuda.download(array, self._buffers[name][0], self._stream)
        cuda.synchronize(self._stream)
        del kept  # the copies read from these arrays until here
        return results

    def close(self) -> None:
        """Give the device's memory back; the session cannot run after this."""
        for address, _ in self._buffers.values():
            self._cuda.release(address)
        self._buffers.clear()
        del self._context, self._engine, self._runtime

    def _check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Names, types and batch are the engine's. Raises `EngineError`."""
        engine = self._engine
        if set(inputs) != set(self.inputs):
            raise EngineError(
                f"the engine's inputs are {', '.join(self.inputs)}, got {', '.join(inputs)}; build it again: vocabseg build"
            )
        for name, array in inputs.items():
            wanted = np.dtype(self._trt.nptype(engine.get_tensor_dtype(name)))
            if array.dtype != wanted:
                raise EngineError(f"input {name} is {array.dtype}, the engine expects {wanted}")
            least, _, greatest = engine.get_tensor_profile_shape(name, 0)
            fits = len(array.shape) == len(greatest) and all(
                low <= side <= high for low, side, high in zip(least, array.shape, greatest, strict=True)
            )
            if not fits:
                raise EngineError(
                    f"input {name} is {list(array.shape)}, the engine's profile holds {list(least)} to "
                    f"{list(greatest)}; build it for this batch: vocabseg build … --batch"
                )

    def _bind(self, name: str, array: np.ndarray) -> np.ndarray:
        array = np.ascontiguousarray(array)
        address = self._buffer(name, array.nbytes)
        self._cuda.upload(address, array, self._stream)
        self._context.set_input_shape(name, array.shape)
        self._context.set_tensor_address(name, address)
        return array

    def _empty(self, name: str) -> np.ndarray:
        shape = tuple(self._context.get_tensor_shape(name))
        return np.empty(shape, self._trt.nptype(self._engine.get_tensor_dtype(name)))

    def _buffer(self, name: str, size: int) -> int:
        address, held = self._buffers.get(name, (0, -1))
        if held < size:
            if held >= 0:
                self._cuda.release(address)
                del self._buffers[name]
            address = self._cuda.allocate(size)
            self._buffers[name] = (address, size)
        return address

    def _said(self) -> str:
        return "; ".join(self._logger.errors[-3:]) or "no reason given"
