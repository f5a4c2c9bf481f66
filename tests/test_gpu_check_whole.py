"""``python -m bench.gpu_check`` from end to end, on what stands for a GPU and TensorRT: exit code, JSON, page, output."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import gpu_check
from bench.gpu import claims, engines, environment

import golden_sets


@pytest.mark.slow
def test_all_parts(stand_ins, tmp_path, monkeypatch, capsys) -> None:
    device = SimpleNamespace(index=0, name="Imagined GPU", arch=90)
    core = SimpleNamespace(cuda=SimpleNamespace(devices=lambda: [device]))
    for module in (gpu_check, environment):
        monkeypatch.setattr(module, "load_core", lambda: core)
    monkeypatch.setattr(gpu_check, "TARGET", stand_ins.target)
    monkeypatch.setattr(engines, "BINDINGS", ())  # tests/test_gpu_binding.py has stand-ins for them
    planned = engines.plan
    chosen = ("demo fp32", "resclip fp16")
    monkeypatch.setattr(engines, "plan", lambda given: [job for job in planned(given) if job.name in chosen])
    monkeypatch.setattr(golden_sets, "files", lambda: [golden_sets.find("resclip_a.npz")])
    out, page = tmp_path / "out.json", tmp_path / "page.md"
    shutil.copy(ROOT / "docs" / "gpu-status.md", page)
    code = gpu_check.main(["--quick", "--minutes", "30", "--out", str(out), "--page", str(page)])

    found = json.loads(out.read_text())
    failed = [check for part in found["parts"].values() for check in part["checks"] if not check["passed"]]
    assert [check["name"] for check in failed] == [
        "frame on the device"
    ]  # this backend keeps frames on the CPU
    assert code == 1 and found["device"] == "Imagined GPU (sm_90)"
    names = ["environment", "kernels", "engines", "goldens", "sanitizer", "latency"]
    assert list(found["parts"]) == names
    assert all(part["checks"] for part in found["parts"].values())
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ") and "Imagined" in line]
    covered = [claim for claim in claims.ALL if any(row.startswith(f"| {claim}") for row in rows)]
    # The core's own kernels ran, and no binding.
    assert covered == [claim for claim in claims.ALL if claim not in (claims.TRITON, claims.BINDINGS)]
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.err.splitlines()] == [name for name in names for _ in range(2)]
    assert said.out.startswith("FAILED    frame on the device: the frame was not on the device")
    assert "tests of kernels, for lack of time" not in said.out
