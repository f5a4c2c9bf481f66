"""One set of cubins for all tests: the committed one, or where there is none a set for one architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs the extra: triton")

from vocabseg.kernels.aot import manifest
from vocabseg.kernels.aot.build import build


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    if (manifest.FOLDER / manifest.NAME).exists():
        return manifest.FOLDER
    folder = tmp_path_factory.mktemp("cubins")
    build(folder, [87], processes=2)
    return folder


@pytest.fixture(scope="session")
def entries(folder) -> list[dict]:
    return manifest.read(folder)["kernels"]


@pytest.fixture(scope="session")
def unpacked(folder, entries, tmp_path_factory) -> dict[str, Path]:
    """Each cubin as a file of its own, by its hash."""
    place = tmp_path_factory.mktemp("unpacked")
    files = {entry["sha256"]: place / f"{entry['sha256']}.cubin" for entry in entries}
    for entry in entries:
        files[entry["sha256"]].write_bytes(manifest.cubin(folder, entry))
    return files
