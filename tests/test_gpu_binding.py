"""The check of a CUDA binding on a GPU, on stand-ins for TensorRT, CUDA and the GPU."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from bench.gpu import binding, claims, engines
from bench.gpu.parts import Context

import fake_bindings
from built_bundle import Built


@pytest.mark.parametrize("name", fake_bindings.NAMES)
def test_all_ways_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, name: str) -> None:
    built = Built(tmp_path / "bundle", monkeypatch, name)
    assert binding.main(["--bundle", str(built.bundle), "--binding", name]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = answer["largest_difference"]
    assert {"captured", "replayed", "one by one", "another thread"} <= set(found)
    assert max(found.values()) == 0
    assert {"host arrays", "host arrays, no graph"} <= set(answer["ms"])


@pytest.mark.parametrize(
    ("said", "passed", "detail"),
    [
        ('{"largest_difference": {"replayed": 1e-6}, "ms": {"host arrays": 0.5}}', True, "replayed 1.0e-06"),
        ('{"largest_difference": {"replayed": 0.5}}', False, "replayed 5.0e-01"),
        ("no driver", False, "no driver"),
    ],
)
def test_what_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said, passed, detail) -> None:
    monkeypatch.setattr(engines, "version", lambda name: "1.2" if name == "pycuda" else None)
    done = subprocess.CompletedProcess((), 0, said, "")
    monkeypatch.setattr(engines, "python", lambda command, seconds: done)
    context = Context(True, tmp_path, (), time.monotonic() + 60)
    assert engines.binding("cuda-bindings", tmp_path, context).checks == []
    check, *times = engines.binding("pycuda", tmp_path, context).checks
    assert (check.passed, check.claim) == (passed, claims.BINDINGS)
    assert detail in check.detail
    assert [each.detail for each in times] == ["median of a run: host arrays 0.500"] * said.count("ms")
