"""The committed set of cubins, read once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs the extra: triton")

from vocabseg.kernels.aot import FOLDER, manifest


@pytest.fixture(scope="session")
def entries() -> list[dict]:
    return manifest.read(FOLDER)["kernels"]


@pytest.fixture(scope="session")
def unpacked(entries, tmp_path_factory) -> dict[str, Path]:
    """Each cubin as a file of its own, by its hash."""
    place = tmp_path_factory.mktemp("unpacked")
    files = {entry["sha256"]: place / f"{entry['sha256']}.cubin" for entry in entries}
    for entry in entries:
        files[entry["sha256"]].write_bytes(manifest.cubin(FOLDER, entry))
    return files
