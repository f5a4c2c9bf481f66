"""``vocabseg build``: engines of a bundle, one network after the other, checked before anybody runs them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..bundle import check_files, read_manifest
from ..cache import home
from ..errors import EngineError, ParityError
from . import process
from .backend import TENSORRT
from .key import EngineKey, Machine
from .networks import Network, networks, parse_batch
from .record import Record
from .select import open_store
from .store import Store, plan_name

# Shares of the free memory that tactics may use. On Tegra the rest of the build takes from the same memory.
_WORKSPACE_SHARE, _TEGRA_SHARE, _LOW_SHARE = 1 / 2, 1 / 4, 1 / 8
_LEAST_WORKSPACE = 64 << 20
_LEVEL, _LOW_LEVEL = 3, 2


@dataclass(frozen=True)
class Settings:
    """precision: a name of ``networks.PRECISIONS``. batch: see ``networks.parse_batch``. low_memory: a smaller
    workspace and fewer tactics. allow_degraded: keep engines that fail their gate, and record it. cache: keep engines
    in the cache folder, not in the bundle. backend: see ``backend.load``."""

    precision: str
    batch: str | None = None
    low_memory: bool = False
    allow_degraded: bool = False
    cache: bool = False
    backend: str = TENSORRT

    def rebuild_options(self) -> list[str]:
        """Options of ``vocabseg build`` that make the same engines."""
        options = ["--precision", self.precision]
        options += ["--batch", self.batch] if self.batch else []
        return [*options, "--low-memory"] if self.low_memory else options


class Report(Protocol):
    """Is told what happens."""

    def begin(self, text: str) -> None: ...

    def progress(self, share: float) -> None: ...

    def end(self, text: str) -> None: ...


class Silent:
    """A report that nobody reads."""

    def begin(self, text: str) -> None: ...

    def progress(self, share: float) -> None: ...

    def end(self, text: str) -> None: ...


class Build:
    """A build in one bundle: its store, the machine that it is for, and the engines that were made so far."""

    def __init__(self, bundle: Path, settings: Settings, report: Report | None = None) -> None:
        """Raises `BundleError` for a bundle that is altered, `BackendUnavailable` where TensorRT does not run,
        `CacheError` where engines cannot be kept."""
        self.bundle, self.settings, self.report = bundle, settings, report or Silent()
        self.manifest = read_manifest(bundle)
        check_files(bundle, self.manifest)
        self.batch = parse_batch(settings.batch, self.manifest)
        self.machine = Machine(**process.run("machine", {"backend": settings.backend}))
        self.store: Store = open_store(bundle, self.manifest, settings.cache)
        self.store.prepare()
        self.made: list[Record] = []

    def networks(self, precision: str) -> list[Network]:
        """What a precision needs. Raises `BackendUnavailable` where the bundle lacks a graph."""
        return networks(self.bundle, self.manifest, precision, self.batch)

    def make(self, network: Network) -> Record:
        """The engine of a network: the one that is there under the same key, or a new one, not yet checked."""
        key = EngineKey(
            network.onnx_sha256, network.precision, network.profile, self.machine, self._options()
        )
        kept = self.store.find(network.tower, key.digest())
        label = f"{network.tower} {network.precision}"
        if kept is not None:
            self.report.begin(label)
            self.report.end("kept: built before")
            return kept
        return self._build(network, key, label)

    def _build(self, network: Network, key: EngineKey, label: str) -> Record:
        name, workspace = plan_name(network.tower, network.precision, key.digest()), self._workspace()
        job = {
            "backend": self.settings.backend,
            "graph": str(network.graph),
            "profile": key.document()["profile"],
            "options": dict(key.options),
            "workspace": workspace,
            "timing_cache": str(timing_cache(self.machine)),
            "plan": str(self.store.folder / name),
        }
        self.report.begin(label)
        answer = process.run("build", job, self.report.progress)
        record = Record(
            tower=network.tower,
            key=key.document(),
            digest=key.digest(),
            plan=name,
            plan_sha256=answer["sha256"],
            plan_bytes=answer["bytes"],
            inputs=list(network.profile),
            outputs=list(network.outputs),
            rebuild=replace(self.settings, precision=self._asked(network)).rebuild_options(),
            build={
                "seconds": answer["seconds"],
                "workspace": workspace,
                "warnings": answer["warnings"],
            },
        )
        self.store.write_record(record)
        self.made.append(record)
        self.report.end(f"built in {answer['seconds']:.0f} s, {answer['bytes'] / 1e6:.1f} MB")
        return record

    def _asked(self, network: Network) -> str:
        return network.precision if self.settings.precision == "auto" else self.settings.precision

    def _options(self) -> dict[str, Any]:
        """What decides the engine beside graph and batches. TF32 would make float32 something else."""
        low = self.settings.low_memory
        return {"optimization_level": _LOW_LEVEL if low else _LEVEL, "tf32": False, "low_memory": low}

    def _workspace(self) -> int:
        """Bytes that tactics may use. Raises `EngineError` where too little is free to try."""
        free = Machine(**process.run("machine", {"backend": self.settings.backend})).free_bytes
        share = _TEGRA_SHARE if self.machine.tegra else _WORKSPACE_SHARE
        workspace = int(free * (_LOW_SHARE if self.settings.low_memory else share))
        if workspace < _LEAST_WORKSPACE:
            hint = "" if self.settings.low_memory else ", or build with --low-memory"
            where = "GPU and host share" if self.machine.tegra else "the GPU has"
            raise EngineError(
                f"{where} {free / 2**20:.0f} MiB of free memory, which leaves {workspace / 2**20:.0f} MiB for "
                f"TensorRT's workspace, expected {_LEAST_WORKSPACE >> 20} or more; stop other programs{hint}"
            )
        return workspace

    def check(self, records: Sequence[Record]) -> list[Record]:
        """The parity gate on engines, the image network's among them; the records with what it found.

        Engines that were all checked before are not run again.
        """
        if all(record.parity is not None for record in records):
            return list(records)
        self.report.begin("parity gate")
        job = {
            "backend": self.settings.backend,
            "bundle": str(self.bundle),
            "folder": str(self.store.folder),
            "records": [asdict(record) for record in records],
        }
        answer = process.run("check", job)
        found = {result["tower"]: finite(result) for result in answer["parity"]}
        latency = round(answer["latency_ms"], 4)
        checked = [
            replace(
                record,
                parity=found[record.tower],
                degraded=False,
                latency_ms=latency if record.tower == "image" else None,
            )
            for record in records
        ]
        for record in checked:
            self.store.write_record(record)
        passed = all(record.passed for record in checked)
        self.report.end(f"{'passed' if passed else 'FAILED'}, image network {latency:.2f} ms")
        return checked

    def accept(self, records: Sequence[Record], strict: bool = False) -> list[Record]:
        """Engines that may be run: all that passed; the others only where the user allows it, which is recorded, and
        never with ``strict``.

        Raises `ParityError`. The engines stay, so that ``--allow-degraded`` afterwards takes no second build.
        """
        failed = [record for record in records if not record.passed]
        if failed and (strict or not self.settings.allow_degraded):
            raise ParityError(gate_failure(failed, self.bundle))
        accepted = [replace(record, degraded=not record.passed) for record in records]
        for record in accepted:
            self.store.write_record(record)
        return accepted


def build_precision(build: Build, precision: str, strict: bool = False) -> list[Record]:
    """All engines of one precision, checked and accepted, see ``Build.accept``."""
    wanted = build.networks(precision)
    return build.accept(build.check([build.make(network) for network in wanted]), strict)


def gate_failure(failed: Sequence[Record], bundle: Path) -> str:
    said = "; ".join(
        f"{record.tower} network in {record.key['precision']}: {', '.join(record.parity['failures'])}"
        for record in failed
        if record.parity is not None
    )
    return (
        f"the engines of {bundle} are too far from the reference: {said}; build another --precision, "
        "or keep them with --allow-degraded"
    )


def finite(result: dict[str, Any]) -> dict[str, Any]:
    """A gate's result for JSON, which has no NaN and no infinity: they become null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in result.items()
    }


def timing_cache(machine: Machine) -> Path:
    """Measured tactics, which are TensorRT's and the device's own."""
    label = f"{machine.tensorrt}-sm{machine.compute_capability}-{machine.device}"
    return home() / "timing" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', label)}.cache"
