"""One step of a build in a process of its own: ``python -m vocabseg.tensorrt.worker``.

TensorRT and CUDA keep host and device memory until their process ends, so each network gets a new one. The job comes
as JSON on standard input; answers go to standard output, one JSON object a line: ``{"progress": 0.4}`` any number of
times, then ``{"done": {...}}`` or ``{"error": {"type", "message"}}``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import safetensors_io
from ..bundle import inside, read_manifest
from ..errors import VocabsegError
from ..files import write_atomic
from .backend import Backend, BuildRequest, load
from .record import Record

Progress = Callable[[float], None]


def machine(backend: Backend, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return asdict(backend.machine())


def build(backend: Backend, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Writes the plan, whole or not at all."""
    request = BuildRequest(
        Path(job["graph"]),
        {name: tuple(map(tuple, shapes)) for name, shapes in job["profile"].items()},  # type: ignore[misc]
        job["options"],
        job["workspace"],
        Path(job["timing_cache"]) if job["timing_cache"] else None,
    )
    start = time.monotonic()
    plan, warnings = backend.build(request, progress)
    write_atomic(job["plan"], plan)
    return {
        "sha256": hashlib.sha256(plan).hexdigest(),
        "bytes": len(plan),
        "seconds": round(time.monotonic() - start, 2),
        "warnings": warnings,
    }


def check(backend: Backend, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The parity gate on built engines, and the image engine's latency."""
    from ..export.verification import compare_towers
    from .store import Store
    from .towers import BuiltEngines

    bundle, store = Path(job["bundle"]), Store(Path(job["folder"]))
    manifest = read_manifest(bundle)
    engines = {each["tower"]: Record(**each) for each in job["records"]}
    towers = BuiltEngines(bundle, manifest, backend, engines, store)
    windows, _ = safetensors_io.read(inside(bundle, manifest["reference"]))
    latency = towers.latency_ms(windows["windows"])
    only = set(engines)
    results = compare_towers(bundle, without_others(manifest, only), towers)
    return {"parity": [result.document() for result in results], "latency_ms": latency}


def without_others(manifest: dict[str, Any], towers: set[str]) -> dict[str, Any]:
    """A manifest that has only the towers of which engines are given."""
    left_out = {f"{tower}_encoder": None for tower in ("feedback", "text") if tower not in towers}
    return {**manifest, **left_out}


ACTIONS = {"machine": machine, "build": build, "check": check}


def main() -> int:
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(document: dict[str, Any]) -> None:
        answers.write(json.dumps(document) + "\n")

    try:
        job = json.load(sys.stdin)
        backend = load(job["backend"])
        answer({"done": ACTIONS[job["action"]](backend, job, lambda share: answer({"progress": share}))})
    except (VocabsegError, OSError, MemoryError) as error:
        answer({"error": {"type": type(error).__name__, "message": str(error)}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
