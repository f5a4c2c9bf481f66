"""A stand-in for the module ``tensorrt``, as far as running engines goes, over a `FakeGpu`. A plan is a key of
``networks``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np

from fake_gpu import FakeGpu

MODES = SimpleNamespace(INPUT="in", OUTPUT="out")
USER_MANAGED = "user managed"
TYPES = {"float": np.float32, "int64": np.int64}
Arrays = dict[str, np.ndarray]


@dataclass
class FakeNetwork:
    """inputs, outputs: type and row shape by name. batch: least and greatest. activations: bytes per row.

    failing: what fails, of ``context``, ``shape``, ``run`` and ``capture``. said: what TensorRT logs then. contexts: all
    that were made.
    """

    inputs: Mapping[str, tuple[str, tuple[int, ...]]]
    outputs: Mapping[str, tuple[str, tuple[int, ...]]]
    compute: Callable[[Arrays], Arrays]
    batch: tuple[int, int] = (1, 4)
    activations: int = 1000
    failing: str = ""
    said: str = "TensorRT's own words"
    contexts: list[FakeContext] = field(default_factory=list)


class FakeTrt(ModuleType):
    """networks: by plan. starts: whether a runtime can be made. refusal: of other plans."""

    __version__ = "10.3.0"
    TensorIOMode = MODES
    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED=USER_MANAGED)

    class ILogger:
        INTERNAL_ERROR, ERROR, WARNING = range(3)

    def __init__(self, gpu: FakeGpu, networks: dict[bytes, FakeNetwork]) -> None:
        super().__init__("tensorrt")
        self.gpu, self.networks, self.starts = gpu, networks, True
        self.refusal = "The engine plan file is not compatible with this version of TensorRT"

    @staticmethod
    def nptype(kind: str) -> type:
        return TYPES[kind]

    def Runtime(self, logger):  # noqa: N802
        if not self.starts:
            logger.log(self.ILogger.ERROR, "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: self.load(plan, logger))

    def load(self, plan: bytes, logger):
        self.gpu.called("deserialize")
        if plan in self.networks:
            return FakeEngine(self.gpu, self.networks[plan], lambda said: logger.log(1, said))
        logger.log(self.ILogger.ERROR, self.refusal)
        return None


class FakeEngine:
    def __init__(self, gpu: FakeGpu, network: FakeNetwork, log) -> None:
        self.gpu, self.network, self.log = gpu, network, log
        self.num_io_tensors = len(network.inputs) + len(network.outputs)

    def tensor(self, name: str) -> tuple[str, tuple[int, ...]]:
        return {**self.network.inputs, **self.network.outputs}[name]

    def get_tensor_name(self, index: int) -> str:
        return [*self.network.inputs, *self.network.outputs][index]

    def get_tensor_mode(self, name: str) -> str:
        return MODES.INPUT if name in self.network.inputs else MODES.OUTPUT

    def get_tensor_dtype(self, name: str) -> str:
        return self.tensor(name)[0]

    def get_tensor_profile_shape(self, name: str, profile: int):
        assert profile == 0
        least, greatest = self.network.batch
        return [(rows, *self.tensor(name)[1]) for rows in (least, least, greatest)]

    def create_execution_context(self, strategy: str):
        self.gpu.called("create_execution_context")
        assert strategy == USER_MANAGED
        if self.network.failing == "context":
            self.log(self.network.said)
            return None
        self.network.contexts.append(FakeContext(self))
        return self.network.contexts[-1]


class FakeContext:
    """A context that a graph was captured from may not be altered."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.gpu, self.network = engine, engine.gpu, engine.network
        self.rows, self.addresses, self.memory, self.captured = 0, {}, (0, 0), False

    def set_input_shape(self, name: str, shape) -> bool:
        self.altered()
        if self.network.failing == "shape":
            self.engine.log(self.network.said)
            return False
        assert tuple(shape[1:]) == self.network.inputs[name][1] and self.rows in (0, shape[0])
        self.rows = shape[0]
        return True

    def get_tensor_shape(self, name: str):
        return (self.rows, *self.network.outputs[name][1])

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.altered()
        self.addresses[name] = address
        return True

    def update_device_memory_size_for_shapes(self) -> int:
        self.altered()
        return self.rows * self.network.activations

    def set_device_memory(self, address: int, size: int) -> None:
        self.altered()
        assert size >= self.rows * self.network.activations
        self.memory = address, size

    def altered(self) -> None:
        assert not self.captured

    def execute_async_v3(self, stream: int) -> bool:
        self.gpu.called("execute")
        capturing = self.gpu.streams[stream].capturing is not None
        if self.network.failing == "run" or (self.network.failing == "capture" and capturing):
            self.engine.log(self.network.said)
            return False
        self.captured = self.captured or capturing
        self.gpu.queue(stream, self.execute)
        return True

    def execute(self) -> None:
        self.gpu.region(*self.memory)[:] = 0x55
        results = self.network.compute({name: self.array(name) for name in self.network.inputs})
        for name, result in results.items():
            self.array(name)[:] = result

    def array(self, name: str) -> np.ndarray:
        kind, row = self.engine.tensor(name)
        return self.gpu.array(self.addresses[name], (self.rows, *row), TYPES[kind])
