"""The set on disk: one pack of cubins per architecture, and ``manifest.json`` that says what is in them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...files import write_atomic
from .catalogue import sources_sha256

SCHEMA = 1
NAME = "manifest.json"
# cuModuleLoadData reads headers in place.
ALIGNMENT = 64


def write(
    folder: Path, cubins: Iterable[tuple[bytes, dict[str, Any]]], compiler: dict[str, str]
) -> dict[str, Any]:
    """Write packs and manifest, each file whole or not at all, the manifest last; return the manifest.

    A reader that comes in between finds the old manifest, whose hashes do not fit: an error, not a wrong kernel.
    """
    packs: dict[str, bytearray] = defaultdict(bytearray)
    offsets: dict[bytes, int] = {}
    kernels = []
    for data, entry in cubins:
        file = f"sm_{entry['arch']}.cubins"
        pack = packs[file]
        if data not in offsets:
            pack += bytes(-len(pack) % ALIGNMENT)
            offsets[data] = len(pack)
            pack += data
        place = {"file": file, "offset": offsets[data], "size": len(data)}
        kernels.append({**entry, **place, "sha256": hashlib.sha256(data).hexdigest()})
    document = {
        "schema": SCHEMA,
        "compiler": compiler,
        "sources_sha256": sources_sha256(),
        "kernels": kernels,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, pack in packs.items():
        write_atomic(folder / file, bytes(pack))
    write_atomic(folder / NAME, _text(document).encode())
    for stale in set(folder.glob("*.cubins")) - {folder / file for file in packs}:
        stale.unlink()
    return document


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a set. Raises ``OSError`` or ``ValueError`` where there is none that can be read."""
    document = json.loads((folder / NAME).read_text())
    if document.get("schema") != SCHEMA:
        raise ValueError(f"{folder / NAME} has schema {document.get('schema')}, expected {SCHEMA}")
    return document


def cubin(folder: Path, entry: dict[str, Any]) -> bytes:
    """The cubin of a manifest entry. Raises ``ValueError`` where it is not the one that was packed."""
    with open(folder / entry["file"], "rb") as file:
        file.seek(entry["offset"])
        data = file.read(entry["size"])
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ValueError(f"{entry['kernel']} in {folder / entry['file']} is not the one in the manifest")
    return data


def _text(document: dict[str, Any]) -> str:
    """JSON with one line per cubin, so that a change shows as the lines that changed."""
    head = {key: value for key, value in document.items() if key != "kernels"}
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in document["kernels"])
    return json.dumps(head, indent=1)[:-2] + f',\n "kernels": [\n{lines}\n]}}\n'
