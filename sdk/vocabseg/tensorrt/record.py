"""The file beside an engine: its key, where its plan is, and what the parity gate found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import EngineError
from .key import KEY_SCHEMA

RECORD_SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """One built network.

    tower: ``image``, ``feedback`` or ``text``. key: see ``EngineKey.document``; digest: of it. plan: file name of the
    serialised engine, with its sha256 and size. inputs, outputs: tensor names in the bundle's order. rebuild: options
    of ``vocabseg build`` that make it again. parity: the gate's results, None until it ran. degraded: the user
    accepted a failed gate. latency_ms: median run of the best batch, copies included, where it was measured. build:
    seconds, workspace in bytes, warnings.
    """

    tower: str
    key: dict[str, Any]
    digest: str
    plan: str
    plan_sha256: str
    plan_bytes: int
    inputs: list[str]
    outputs: list[str]
    rebuild: list[str]
    build: dict[str, Any]
    parity: dict[str, Any] | None = None
    degraded: bool = False
    latency_ms: float | None = None

    @property
    def passed(self) -> bool:
        return self.parity is not None and bool(self.parity["passed"])

    def to_json(self) -> str:
        document = {"schema_version": RECORD_SCHEMA, **asdict(self)}
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(path: Path) -> Record:
    """Raises `EngineError` for a file that is no record of this schema, or points outside its folder."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(f"cannot read the engine's record {path}: {error}") from error
    problem = record_problem(document)
    if problem:
        raise EngineError(f"{path} is not a record that this vocabseg reads: {problem}")
    return Record(**{each.name: document[each.name] for each in fields(Record)})


def record_problem(document: Any) -> str | None:
    """What is wrong with a record's content, or None."""
    if not isinstance(document, Mapping) or document.get("schema_version") != RECORD_SCHEMA:
        version = document.get("schema_version") if isinstance(document, Mapping) else None
        return f"schema_version is {version!r}, expected {RECORD_SCHEMA}"
    missing = [each.name for each in fields(Record) if each.name not in document]
    if missing:
        return f"it lacks {', '.join(missing)}"
    key = document["key"]
    if not isinstance(key, Mapping) or key.get("schema") != KEY_SCHEMA:
        return f"its key is not of schema {KEY_SCHEMA}"
    plan = document["plan"]
    if not isinstance(plan, str) or Path(plan).name != plan or plan in ("", ".", ".."):
        return f"it names the plan {plan!r}, which is not a file name"
    parity = document["parity"]
    if parity is not None and not (isinstance(parity, Mapping) and isinstance(parity.get("passed"), bool)):
        return "its parity is not a result"
    return None
