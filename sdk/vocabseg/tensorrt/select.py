"""Which built engine runs here: the one whose key fits graph, machine and batch, and whose results were checked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable, EngineMismatch, ParityError
from .key import Machine, differences, greatest_batch
from .networks import graph_sha256
from .record import Record
from .store import Store, bundle_folder, cache_folder


def open_store(bundle: Path, manifest: Mapping[str, Any], cache: bool) -> Store:
    """The bundle's own engines, or those of the cache where the user asks for them."""
    return Store(cache_folder(manifest), private=True) if cache else Store(bundle_folder(bundle))


def build_command(bundle: Path, options: list[str] | None = None, cache: bool = False) -> str:
    """The command that builds a bundle's engines."""
    words = ["vocabseg", "build", str(bundle), "--engine", "tensorrt", *(options or [])]
    return shlex.join([*words, "--cache"] if cache else words)


def select(
    bundle: Path,
    manifest: Mapping[str, Any],
    machine: Machine,
    tower: str,
    precision: str = "auto",
    cache: bool = False,
    batch: int = 1,
) -> Record:
    """The engine of a tower that runs on ``machine``.

    precision: ``auto`` takes the fastest that passed its gate. batch: the least that the profile must hold.

    Raises:
        BackendUnavailable: none is built.
        EngineMismatch: those that are built are of another graph, machine or profile; names the fields.
        ParityError: the engine that fits failed its gate, or was never checked.
    """
    store = open_store(bundle, manifest, cache)
    records = [each for each in store.records() if each.tower == tower]
    if precision != "auto":
        records = [each for each in records if each.key.get("precision") == precision]
    if not records:
        broken = "".join(f" ({problem})" for problem in store.unreadable())
        kind = "" if precision == "auto" else f" {precision}"
        options = None if precision == "auto" else ["--precision", precision]
        raise BackendUnavailable(
            f"{store.folder} has no{kind} engine of the {tower} network{broken}; "
            f"run: {build_command(bundle, options, cache)}"
        )
    judged = [(mismatch(manifest, each, machine, batch), each) for each in records]
    fitting = [each for problems, each in judged if not problems]
    if not fitting:
        problems, record = min(judged, key=lambda pair: len(pair[0]))
        raise EngineMismatch(
            f"engine {store.folder / record.plan} does not fit: {'; '.join(problems)}; "
            f"run: {build_command(bundle, record.rebuild, cache)}"
        )
    usable = [each for each in fitting if each.passed or each.degraded]
    if not usable:
        raise ParityError(unusable(fitting[0], store, build_command(bundle, fitting[0].rebuild, cache)))
    return min(usable, key=lambda each: (not each.passed, each.latency_ms or float("inf")))


def mismatch(manifest: Mapping[str, Any], record: Record, machine: Machine, batch: int) -> list[str]:
    """The fields in which an engine differs from what is asked for."""
    variants = manifest[f"{record.tower}_encoder"]["variants"]
    name = variants.get(record.key.get("precision"))
    graph = graph_sha256(manifest, name) if name else "no graph of that precision in the bundle"
    found = differences(record.key, {"onnx_sha256": graph, **machine.fields()})
    greatest = greatest_batch(record.key)
    return found if batch <= greatest else [*found, f"profile holds {greatest} at most, expected {batch}"]


def unusable(record: Record, store: Store, rebuild: str) -> str:
    if record.parity is None:
        return f"engine {store.folder / record.plan} was never checked; run: {rebuild}"
    failures = "; ".join(record.parity.get("failures", ()))
    return (
        f"engine {store.folder / record.plan} failed its parity gate ({failures}); build another --precision, "
        f"or accept it with: {rebuild} --allow-degraded"
    )
