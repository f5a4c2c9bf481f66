"""A deserialised engine that takes and gives arrays, of the host or of the GPU."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..device_arrays import DeviceArray, DeviceView, on_device, read
from ..errors import BackendUnavailable, EngineError, OutOfMemory
from .backend import REBUILD
from .buffers import Buffers
from .builder import make_logger
from .cuda import Cuda
from .execution import Execution
from .tensors import DEVICE, Tensor, names_fit, rows_of
from .transfers import DeviceTransfer, HostTransfer, Transfer

logger = logging.getLogger(__name__)

_SIZES = 4  # numbers of rows that keep their context and graph


class EngineSession:
    """One engine on one stream. Buffers grow and are kept; calls from several threads wait for one another.

    inputs, outputs: names. batch: the most rows of one run.
    """

    def __init__(
        self, trt: Any, cuda: Cuda, plan: bytes, rebuild: str = REBUILD, allow_smaller_batch: bool = False
    ) -> None:
        """rebuild: the command that messages name. allow_smaller_batch: see ``run``.

        Raises `BackendUnavailable`: TensorRT does not start. `EngineError`: it refuses the plan. `OutOfMemory`.
        """
        self._trt, self._cuda, self._rebuild = trt, cuda, rebuild
        self._allow_smaller_batch, self._graphs = allow_smaller_batch, cuda.graphs
        self._logger, self._lock = make_logger(trt), threading.Lock()
        with cuda.current():
            self._runtime = self._start()
            self._engine = self._load(plan)
            self._read_tensors(self._engine)
            self._buffers, self._joined = Buffers(cuda), Buffers(cuda)
            self._executions: dict[int, Execution] = {}
            self._stream: int | None = cuda.stream()

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """All outputs for arrays of the engine's inputs with one number of rows each, whatever it is.

        Arrays of the host give new NumPy arrays. Contiguous device arrays (DLPack or ``__cuda_array_interface__``)
        give `DeviceArray`, valid until the next call; when this one returns the inputs may be overwritten.

        More rows than ``batch`` take several runs; fewer than the profile's least are filled up with the last one.
        Where memory is short and a smaller batch is allowed, ``batch`` is halved, down to the profile's least.

        Raises `ShapeError`: names, types or shapes are not the engine's. `EngineError`: it fails. `OutOfMemory`.
        """
        with self._lock, self._cuda.current():
            stream = self._opened()
            names_fit(self._tensors, inputs)
            arrays = {name: self._held(array, stream) for name, array in inputs.items()}
            rows = rows_of(self._tensors, arrays)
            while True:
                size = max(min(rows, self.batch), self._least)
                try:
                    return self._run_rows(arrays, rows, size, stream)
                except OutOfMemory as error:
                    self._release(stream)
                    self._shrink(size, error)

    def close(self) -> None:
        """Give the device's memory back; the session cannot run after this."""
        with self._lock, self._cuda.current():
            if self._stream is not None:
                self._release(self._stream)
                self._cuda.close_stream(self._stream)
                self._stream = None
                del self._engine, self._runtime

    def _start(self) -> Any:
        try:
            return self._trt.Runtime(self._logger)
        except Exception as error:  # noqa: BLE001  the bindings raise what comes where the library gives no runtime
            raise BackendUnavailable(
                f"TensorRT {self._trt.__version__} does not start: {self._said() or error}; the driver serves CUDA "
                f"{self._cuda.driver_version()}: if that is too old update it, and check it with: nvidia-smi"
            ) from error

    def _load(self, plan: bytes) -> Any:
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            error = self._fault("cannot load the engine")
            raise self._short(error) if isinstance(error, OutOfMemory) else error
        return engine

    def _read_tensors(self, engine: Any) -> None:
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        types = {name: np.dtype(self._trt.nptype(engine.get_tensor_dtype(name))) for name in names}
        self.inputs = [name for name in names if modes[name] == self._trt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if modes[name] == self._trt.TensorIOMode.OUTPUT]
        profiles = {name: engine.get_tensor_profile_shape(name, 0) for name in self.inputs}
        self._tensors = {name: Tensor(types[name], tuple(profiles[name][2])[1:]) for name in self.inputs}
        self._output_types = {name: types[name] for name in self.outputs}
        self._least = max(int(least[0]) for least, _, _ in profiles.values())
        self.batch = min(int(greatest[0]) for _, _, greatest in profiles.values())

    def _opened(self) -> int:
        if self._stream is None:
            raise EngineError("the engine is closed; load it again")
        return self._stream

    def _held(self, array: Any, stream: int) -> np.ndarray | DeviceView:
        if on_device(array):
            return read(array, stream, lambda other: self._cuda.wait(stream, other))
        return np.asarray(array)

    def _run_rows(self, arrays: Mapping[str, Any], rows: int, size: int, stream: int) -> dict[str, Any]:
        if isinstance(next(iter(arrays.values())), DeviceView):
            within = DeviceTransfer(self._cuda, stream, self._joined, arrays, rows)
            self._run_parts(within, rows, size, stream)
            return {name: self._array(*result, rows) for name, result in within.results.items()}
        host = HostTransfer(self._cuda, stream, self._buffers, arrays, rows)
        self._run_parts(host, rows, size, stream)
        return dict(host.results)

    def _run_parts(self, transfer: Transfer, rows: int, size: int, stream: int) -> None:
        for start in range(0, rows, size):
            count = min(size, rows - start)
            execution = self._execution(max(count, self._least), stream)
            transfer.put(execution, start, count)
            self._graphs = execution.run(stream, self._graphs)
            transfer.take(execution, start, count)

    def _array(self, address: int, tensor: Tensor, rows: int) -> DeviceArray:
        stream = self._opened()

        def wait(consumer: int) -> None:
            with self._cuda.current():
                self._opened()
                self._cuda.wait(consumer, stream)

        return DeviceArray(address, (rows, *tensor.row), tensor.dtype, DEVICE, stream, self, wait)

    def _execution(self, rows: int, stream: int) -> Execution:
        """That of a size, made anew where buffers have moved since; the one used least recently makes room."""
        held = self._executions.pop(rows, None)
        if held is None or held.moves != self._buffers.moves:
            self._cuda.synchronize(stream)  # what is queued uses buffers that may move
            if held is not None:
                held.close()
            elif len(self._executions) >= _SIZES:
                self._executions.pop(next(iter(self._executions))).close()
            tensors, types = self._tensors, self._output_types
            held = Execution(
                self._trt, self._engine, self._cuda, self._buffers, tensors, types, rows, self._fault
            )
        self._executions[rows] = held
        return held

    def _release(self, stream: int) -> None:
        self._cuda.synchronize(stream)
        while self._executions:
            self._executions.popitem()[1].close()
        self._buffers.clear()
        self._joined.clear()

    def _shrink(self, size: int, error: OutOfMemory) -> None:
        """Raises `OutOfMemory` where ``batch`` may not become smaller than ``size``."""
        smaller = max(self._least, size // 2)
        if not self._allow_smaller_batch or smaller == size:
            raise self._short(error, f"cannot run {size} rows at once: ") from error
        logger.warning("memory is short for %d rows at once, from now on it is %d: %s", size, smaller, error)
        self.batch = smaller

    def _short(self, error: OutOfMemory, what: str = "") -> OutOfMemory:
        return OutOfMemory(
            f"{what}{error}; stop other programs (nvidia-smi shows them), or build with a smaller --batch: "
            f"{self._rebuild}"
        )

    def _fault(self, what: str) -> EngineError:
        """An error of TensorRT's last words; `OutOfMemory` where they are about memory."""
        said = self._said() or "no reason given"
        if "memory" in said.lower():
            return OutOfMemory(f"TensorRT {what}: {said}")
        return EngineError(f"TensorRT {what}: {said}; run: {self._rebuild}")

    def _said(self) -> str:
        said = "; ".join(self._logger.errors[-3:])
        self._logger.errors.clear()
        return said
