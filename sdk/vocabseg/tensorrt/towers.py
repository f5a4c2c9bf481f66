"""Built engines as the parity gate sees them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EngineError
from ..export.engines import StoredGraphs, stored
from . import backend
from .backend import Backend, Session, load
from .record import Record
from .select import build_command, open_store, select
from .store import Store

_WARM_UPS, _RUNS = 3, 20


class BuiltEngines(StoredGraphs):
    """Engines of one bundle. One is loaded at a time, so that a small GPU holds it."""

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        device: Backend,
        engines: Mapping[str, Record],
        store: Store,
        cache: bool = False,
    ) -> None:
        """engines: by tower. store: has their plans. cache: it is the cache's, which messages say."""
        super().__init__(folder, manifest, "tensorrt", str(engines["image"].key["precision"]))
        if "text" in engines:
            self.text_precision = str(engines["text"].key["precision"])
        self._device, self._engines, self._store, self._cache = device, engines, store, cache
        self._loaded: tuple[str, Session] | None = None

    def _run(self, tower: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        record = self._engines[tower.removesuffix("_encoder")]
        results = self._session(record.tower).run(inputs)
        return [results[name] for name in record.outputs]

    def _session(self, tower: str) -> Session:
        if self._loaded is None or self._loaded[0] != tower:
            if self._loaded is not None:
                self._loaded[1].close()  # before the next engine takes its memory
            record = self._engines[tower]
            rebuild = build_command(self._folder, record.rebuild, self._cache)
            plan = self._store.read_plan(record, rebuild)
            self._loaded = tower, open_engine(self._device, record, plan, rebuild)
        return self._loaded[1]

    def latency_ms(self, windows: np.ndarray) -> float:
        """Median time of the image engine at its best batch, copies included."""
        record = self._engines["image"]
        session = self._session("image")
        count = int(next(iter(record.key["profile"].values()))[1][0])
        part = {record.inputs[0]: np.resize(windows, (count, *windows.shape[1:]))}
        times = []
        for _ in range(_WARM_UPS + _RUNS):
            start = time.perf_counter()
            session.run(part)
            times.append(1000 * (time.perf_counter() - start))
        return statistics.median(times[_WARM_UPS:])


def open_built(folder: Path, manifest: dict[str, Any], precision: str, cache: bool) -> BuiltEngines:
    """The engines of a bundle that run on this machine, see ``select``. Raises what that raises."""
    device = load(backend.TENSORRT)
    machine, store = device.machine(), open_store(folder, manifest, cache)
    image = select(folder, manifest, machine, "image", precision, cache)
    engines = {"image": image}
    for tower in ("feedback", "text"):
        if manifest.get(f"{tower}_encoder"):
            same = stored(manifest, f"{tower}_encoder", str(image.key["precision"]))
            engines[tower] = select(folder, manifest, machine, tower, same, cache)
    return BuiltEngines(folder, manifest, device, engines, store, cache)


def open_engine(
    device: Backend, record: Record, plan: bytes, rebuild: str, allow_smaller_batch: bool = False
) -> Session:
    """A built engine, ready to run. Raises `EngineError`, also where its tensors are not those of its record."""
    session = device.open(plan, rebuild, allow_smaller_batch)
    found, missing = set(session.inputs), set(record.outputs) - set(session.outputs)
    if found == set(record.inputs) and not missing:
        return session
    session.close()
    raise EngineError(
        f"engine {record.plan} takes {', '.join(session.inputs)} and gives {', '.join(session.outputs)}; its record "
        f"says that it takes {', '.join(record.inputs)} and gives {', '.join(record.outputs)}; run: {rebuild}"
    )
