"""The methods' benchmark runs at a small size, and the runtime's labels are the plain pipelines'."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxscript", reason="needs the extra: export")
pytest.importorskip("sklearn", reason="needs the extra: test")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bundles")


def bench(folder: Path, *arguments: str) -> dict:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = ["-m", "bench.methods", "--json", "--model", "tiny", "--rounds", "2", "--size", "112x176"]
    command += ["--bundles", str(folder), *arguments]
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cost(bundles) -> None:
    document = bench(bundles, "--window", "112x176", "--methods", "sclip", "resclip")
    rows = {row["method"]: row for row in document["rows"]}
    assert set(rows) == {"sclip", "resclip"}
    assert rows["resclip"]["times"]["warm"]["sclip"] > 0
    for row in rows.values():
        assert len(row["samples_ms"]["warm"]) == len(row["samples_ms"]["cold"]) == 2
        assert row["ms"]["warm"]["p50"] <= row["ms"]["warm"]["p99"]


def test_pipelines(bundles) -> None:
    (row,) = bench(bundles, "--part", "pipelines", "--methods", "resclip")["rows"]
    assert row["agreement"]["ours_float32"] > 0.995
    assert set(row["ms"]) == set(row["memory"]) == {"ours", "ours_float32", "plain"}
    assert row["memory"]["plain"]["process_bytes"] > 0
