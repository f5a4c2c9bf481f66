"""``bench.gpu_check``'s kernels, sanitizer, environment and frames on what stands for a GPU: their programs run, and
their answers are understood."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.gpu import environment, frames, kernels, sanitizer
from bench.gpu.kernel_calls import SHORT, calls
from bench.gpu.parts import Outcome
from bench.gpu.target import Target

from vocabseg.core import DEMO


def test_kernels(stand_ins) -> None:
    found = kernels.run(replace(stand_ins, deadline=time.monotonic() + 20))
    assert found.measured["failed"] == []
    assert {"pamr/cpu", "mask_pooling/cpu", "label_decoding/cpu"} <= set(found.verdicts())
    assert any("tests of kernels, for lack of time" in reason for reason in found.left_out)


@pytest.mark.parametrize("call", list(calls(SHORT, "cpu")), ids=lambda call: call.name)
def test_kernel_calls(call) -> None:
    assert call.run("cpu") is not None
    assert call.moved > 0


def test_kernel_times(stand_ins) -> None:
    found = Outcome()
    frames.kernels(replace(stand_ins, deadline=time.monotonic() + 40), found)
    assert found.verdicts() == {"kernel times": True}
    rows = found.measured["kernels"]["rows"]
    assert {row["call"] for row in rows} == {call.name for call in calls(SHORT, "cpu")}
    assert all(len(row["samples"]["device_ms"]) >= 20 and row["share_of_roofline"] > 0 for row in rows)
    assert found.measured["kernels"]["states"][0]["power.draw"] is None


def test_kernel_times_of_what_fails(stand_ins, monkeypatch) -> None:
    found = Outcome()
    monkeypatch.setattr(frames, "_KERNEL_SHARE", 0.0)
    frames.kernels(stand_ins, found)
    assert len(found.left_out) == len(list(calls(SHORT, "cpu")))
    frames.kernels(replace(stand_ins, target=Target("no-device", ("cpu",), short=True)), found)
    assert not found.checks[-1].passed and "no-device" in found.checks[-1].detail


def test_sanitizer(stand_ins, monkeypatch) -> None:
    found = sanitizer.run(replace(stand_ins, quick=False))
    assert found.verdicts() == {"memcheck": True, "racecheck": True} and found.left_out == []
    monkeypatch.setenv("FAKE_SANITIZER", "racecheck")
    found = sanitizer.run(replace(stand_ins, quick=False))
    assert found.verdicts() == {"memcheck": True, "racecheck": False}
    assert "ERROR SUMMARY: 1 error" in found.checks[-1].detail


def test_sanitizer_that_does_not_run_is_left_out(stand_ins, tmp_path, monkeypatch) -> None:
    program = tmp_path / "compute-sanitizer"
    program.write_text("#!/bin/sh\necho could not attach; exit ${CODE}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sanitizer, "find", lambda: str(program))
    for code in ("0", "255"):  # a tool that ran nothing may well say that all is fine
        monkeypatch.setenv("CODE", code)
        found = sanitizer.run(stand_ins)
        assert found.checks == []
        assert found.left_out == [
            f"compute-sanitizer memcheck does not run here: exit code {code}: could not attach"
        ]
    monkeypatch.setattr(sanitizer, "find", lambda: None)
    assert "pip install nvidia-cuda-sanitizer-api" in sanitizer.run(stand_ins).left_out[0]


def test_sanitizer_of_the_package_is_found(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "nvidia" / "cu13" / "bin"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "stand_ins" / "bin" / "compute-sanitizer", folder)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert sanitizer.find() == str(folder / "compute-sanitizer")


def test_environment(stand_ins, monkeypatch) -> None:
    device = SimpleNamespace(index=0, name="Imagined GPU", arch=90)
    core = SimpleNamespace(cuda=SimpleNamespace(devices=lambda: [device]))
    monkeypatch.setattr(environment, "load_core", lambda: core)
    found = environment.run(stand_ins)
    assert found.measured["nvidia_smi"]["name"] == "Imagined GPU"
    assert found.measured["nvidia_smi"]["power.draw"] is None
    assert found.measured["devices"] == [{"index": 0, "name": "Imagined GPU", "arch": "sm_90"}]
    assert found.verdicts() == {"driver shows a device": True} and found.measured["packages"]["numpy"]


def test_frames(stand_ins) -> None:
    """Frames of the demo model through OpenVINO; engines are only looked for."""
    shutil.copytree(DEMO, stand_ins.folder / "demo")
    found = Outcome()
    frames.frames(stand_ins, found)
    assert "frames of demo: its engines were not built" in found.left_out
    (stand_ins.folder / "demo" / "engines").mkdir()
    (stand_ins.folder / "demo" / "engines" / "image.float32.plan").touch()
    found = Outcome()
    frames.agreement(stand_ins, found)
    frames.frames(stand_ins, found)
    # What a frame says of its stages on a device is not what it says on a CPU.
    assert found.verdicts() == {
        "labels of a frame": True,
        "frame on the device": False,
        "frames demo 480x640": True,
    }
    assert "100.00 %" in found.checks[0].detail and "expected upload" in found.checks[1].detail
    assert found.measured["frames demo 480x640"]["stages_ms"]["total"]["p50"] > 0


def test_a_frame_on_the_device(stand_ins, monkeypatch) -> None:
    """What a run on TensorRT answers."""
    answers = {"backend": "tensorrt/float32", "agreement": 0.99, "stages": ["upload", "encode", "total"]}

    def python(arguments, seconds):
        return subprocess.CompletedProcess(arguments, 0, json.dumps(answers), "")

    monkeypatch.setattr(frames, "python", python)
    monkeypatch.setattr(frames, "built", lambda bundle: True)
    for share, passed in ((0.99, False), (0.999, True)):
        answers["agreement"], found = share, Outcome()
        frames.agreement(stand_ins, found)
        assert found.verdicts() == {"labels of a frame": passed, "frame on the device": passed}
        assert found.checks[1].detail.startswith("labels only")


def test_frames_without_the_library_are_left_out(stand_ins) -> None:
    reason = frames.why_not("tensorrt")
    if reason is None:
        pytest.skip("libvocabseg_tensorrt.so is here")
    found = frames.run(
        replace(
            stand_ins, target=replace(stand_ins.target, backend="tensorrt"), deadline=time.monotonic() + 40
        )
    )
    assert [check.name for check in found.checks] == ["kernel times"]
    assert found.left_out == [f"labels of frames: {reason}", f"latency of frames: {reason}"]
