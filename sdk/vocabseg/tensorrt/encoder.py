"""A bundle's TensorRT engine as a function of arrays."""

from __future__ import annotations

import os
from typing import Any

from ..bundle import read_manifest
from ..core import bundle_path
from ..errors import BackendUnavailable, ShapeError
from . import device
from .backend import Session
from .networks import TOWERS, precision_name
from .record import Record
from .select import build_command, open_store, select
from .towers import open_engine


class Encoder:
    """One network of a bundle on its built engine. Make one with `Encoder.load`.

    precision: of the engine. inputs, outputs: names, in the bundle's order. Calls from several threads are answered one
    after another.
    """

    def __init__(self, record: Record, session: Session) -> None:
        self.precision = str(record.key["precision"])
        self.inputs, self.outputs = tuple(record.inputs), tuple(record.outputs)
        self._session = session

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str],
        tower: str = "image",
        precision: str = "auto",
        cache: bool = False,
        binding: str = "auto",
        allow_smaller_batch: bool = False,
    ) -> Encoder:
        """Load the engine that ``vocabseg build`` made for this machine.

        tower: ``image``, ``feedback`` or ``text``. precision: ``auto`` takes the fastest that passed its gate. cache:
        engines of the cache, not the bundle's. binding: of CUDA, ``pycuda`` or ``cuda-bindings``.
        allow_smaller_batch: where the GPU's memory is short the batch of a run is halved, with a warning in the log.

        Raises:
            BundleError: the bundle cannot be read.
            BackendUnavailable: no such network, engine, TensorRT, CUDA binding, driver or device.
            EngineMismatch: the engine is of another graph, TensorRT or GPU.
            ParityError: the engine's results were not accepted.
            EngineError: the engine's file is damaged, or TensorRT refuses it.
            OutOfMemory: the GPU's memory is short.
        """
        folder = bundle_path(bundle)
        manifest = read_manifest(folder)
        towers = [each for each in TOWERS if manifest.get(f"{each}_encoder")]
        if tower not in towers:
            raise BackendUnavailable(f"bundle {folder} has no {tower} network; it has {', '.join(towers)}")
        wanted = precision if precision == "auto" else precision_name(precision)
        backend = device.TensorRT(binding)
        record = select(folder, manifest, backend.machine(), tower, wanted, cache)
        rebuild = build_command(folder, record.rebuild, cache)
        plan = open_store(folder, manifest, cache).read_plan(record, rebuild)
        return cls(record, open_engine(backend, record, plan, rebuild, allow_smaller_batch))

    @property
    def batch(self) -> int:
        """The most rows of one run; larger batches take several."""
        return self._session.batch

    def __call__(self, windows: Any) -> Any:
        """The network's first output, float32: [B, N, D] for windows, [B, D] for prompts.

        windows: float32 [B, 3, H, W], normalised; for the text network int64 tokens [B, context length]. NumPy gives
        NumPy. A contiguous device array (DLPack or ``__cuda_array_interface__``) gives a `DeviceArray` without a copy
        through the host; it is valid until the next call.

        Raises `ShapeError`, `EngineError`.
        """
        if len(self.inputs) > 1:
            raise ShapeError(
                f"this network has the inputs {', '.join(self.inputs)}; give them by name: encoder.run({{…}})"
            )
        return self.run({self.inputs[0]: windows})[self.outputs[0]]

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """All outputs by name, for arrays by name, with one number of rows. As `__call__` in everything else."""
        results = self._session.run(inputs)
        return {name: results[name] for name in self.outputs}

    def close(self) -> None:
        """Give the engine's memory back, and that of device arrays that it returned."""
        self._session.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
