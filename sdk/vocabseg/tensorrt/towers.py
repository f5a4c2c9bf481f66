"""Built engines as the parity gate sees them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EngineError
from ..export.engines import StoredGraphs, joined, stored
from . import backend
from .backend import Backend, Session, load
from .record import Record
from .select import build_command, open_store, select

_WARM_UPS, _RUNS = 3, 20


class BuiltEngines(StoredGraphs):
    """Engines of one bundle. One is loaded at a time, so that a small GPU holds it."""

    def __init__(
        self,
        folder: Path,
        manifest: dict[str, Any],
        device: Backend,
        engines: Mapping[str, Record],
        read: Callable[[Record], bytes],
    ) -> None:
        """engines: by tower. read: gives the plan of an engine, see ``Store.read_plan``."""
        super().__init__(folder, manifest, "tensorrt", str(engines["image"].key["precision"]))
        if "text" in engines:
            self.text_precision = str(engines["text"].key["precision"])
        self._device, self._engines, self._read = device, engines, read
        self._loaded: tuple[str, Session] | None = None

    def _run(self, tower: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        record = self._engines[tower.removesuffix("_encoder")]
        session = self._session(record.tower)
        least, _, greatest = batches_of(record)
        parts = [run_padded(session, part, least) for part in split(inputs, greatest)]
        missing = set(record.outputs) - set(parts[0])
        if missing:
            raise EngineError(
                f"the {record.tower} engine has no output {', '.join(sorted(missing))}; "
                f"it has {', '.join(parts[0])}; build it again: vocabseg build"
            )
        return joined([[part[name] for name in record.outputs] for part in parts])

    def _session(self, tower: str) -> Session:
        if self._loaded is None or self._loaded[0] != tower:
            if self._loaded is not None:
                self._loaded[1].close()  # before the next engine takes its memory
            self._loaded = (tower, self._device.open(self._read(self._engines[tower])))
        return self._loaded[1]

    def latency_ms(self, windows: np.ndarray) -> float:
        """Median time of the image engine at its best batch, copies included."""
        record = self._engines["image"]
        session, count = self._session("image"), batches_of(record)[1]
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
    return BuiltEngines(
        folder,
        manifest,
        device,
        engines,
        lambda record: store.read_plan(record, build_command(folder, record.rebuild, cache)),
    )


def batches_of(record: Record) -> tuple[int, int, int]:
    """Least, best and greatest batch of an engine."""
    least, best, greatest = next(iter(record.key["profile"].values()))
    return int(least[0]), int(best[0]), int(greatest[0])


def split(inputs: Mapping[str, np.ndarray], greatest: int) -> list[dict[str, np.ndarray]]:
    """Parts of at most ``greatest`` rows."""
    count = len(next(iter(inputs.values())))
    return [
        {name: array[start : start + greatest] for name, array in inputs.items()}
        for start in range(0, count, greatest)
    ]


def run_padded(session: Session, part: Mapping[str, np.ndarray], least: int) -> dict[str, np.ndarray]:
    """A run of at least ``least`` rows: the last row is repeated, and its results are cut off."""
    count = len(next(iter(part.values())))
    missing = max(least - count, 0)
    padded = {
        name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
        for name, array in part.items()
    }
    return {name: array[:count] for name, array in session.run(padded).items()}
