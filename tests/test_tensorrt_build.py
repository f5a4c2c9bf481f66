"""``vocabseg build`` with a backend that stands for TensorRT: what is built, kept, refused, and left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import fake_tensorrt
import tensorrt_builds
from tensorrt_builds import MACHINE, files, settings
from vocabseg import errors
from vocabseg.bundle import check_files, read_manifest, write_manifest
from vocabseg.cli import main
from vocabseg.errors import EngineError, EngineMismatch, ParityError
from vocabseg.tensorrt import process
from vocabseg.tensorrt.build import Silent, timing_cache
from vocabseg.tensorrt.key import Machine
from vocabseg.tensorrt.policy import build_engines
from vocabseg.tensorrt.select import select

exported, bundle = tensorrt_builds.exported, tensorrt_builds.bundle
inline, pretend = tensorrt_builds.inline, tensorrt_builds.pretend


def test_all_networks_are_built_one_after_the_other(bundle: Path, pretend) -> None:
    result = build_engines(bundle, settings())
    assert pretend.built() == ["image.fp16.onnx", "feedback.fp16.onnx", "text.fp16.onnx"]
    assert [record.tower for record in result.records] == ["image", "feedback", "text"]
    assert all(record.passed and not record.degraded for record in result.records)
    assert result.reason() is None
    image = result.records[0]
    assert image.latency_ms > 0 and image.outputs == ["features", "tokens", "attention"]
    assert image.build["warnings"] == ["a warning"]
    assert image.key["tensorrt"] == "10.3.0" and image.key["options"]["tf32"] is False
    assert len(files(bundle)) == 6
    assert select(bundle, read_manifest(bundle), MACHINE, "feedback") == result.records[1]


def test_engines_are_no_part_of_the_bundle(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    again = write_manifest(bundle, {key: value for key, value in manifest.items() if key != "files"})
    assert again["files"] == manifest["files"]


def test_a_second_build_keeps_everything(bundle: Path, pretend) -> None:
    first = build_engines(bundle, settings())
    pretend()
    assert build_engines(bundle, settings()).records == first.records
    assert pretend.built() == []


@pytest.mark.parametrize(
    "change",
    [{"tensorrt": "10.16.0"}, {"device": "Other"}, {"compute_capability": "8.9"}, {"tegra": True}],
)
def test_another_machine_builds_anew(bundle: Path, inline, pretend, change: dict) -> None:
    build_engines(bundle, settings())
    pretend(machine=change)
    with pytest.raises(EngineMismatch):
        select(bundle, read_manifest(bundle), Machine(**(fake_tensorrt.MACHINE | change)), "image")
    build_engines(bundle, settings())
    assert len(pretend.built()) == 3


def test_another_batch_replaces_the_engine(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    pretend()
    result = build_engines(bundle, settings(batch="2"))
    assert pretend.built() == ["image.fp16.onnx", "feedback.fp16.onnx"]  # text has batches of its own
    assert len(files(bundle)) == 6
    assert result.records[0].key["profile"]["windows"] == [[2, 3, 64, 64]] * 3
    with pytest.raises(EngineMismatch, match="2 at most, expected 3.*--batch 2"):
        select(bundle, read_manifest(bundle), MACHINE, "image", batch=3)


def test_a_fixed_batch_above_the_reference(bundle: Path, inline, pretend) -> None:
    assert all(record.passed for record in build_engines(bundle, settings(batch="5")).records)


def test_low_memory(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    (usual, *_) = pretend.entries()
    assert usual["workspace"] == 2 << 30
    pretend()
    result = build_engines(bundle, settings(low_memory=True))
    (low, *_) = pretend.entries()
    assert low["workspace"] == 512 << 20 and low["options"]["low_memory"] is True
    assert low["options"]["optimization_level"] < usual["options"]["optimization_level"]
    assert result.records[0].rebuild == ["--precision", "float16", "--low-memory"]
    pretend(machine={"tegra": True})
    build_engines(bundle, settings())
    assert pretend.entries()[0]["workspace"] == 1 << 30


def test_too_little_memory_to_try(bundle: Path, inline, pretend) -> None:
    pretend(machine={"free_bytes": 100 << 20})
    with pytest.raises(EngineError, match="100 MiB of free memory.*--low-memory"):
        build_engines(bundle, settings())
    assert files(bundle) == []


class Interrupts(Silent):
    """Presses Ctrl-C while a network is half built."""

    def __init__(self, label: str) -> None:
        self._wanted, self._label = label, ""

    def begin(self, text: str) -> None:
        self._label = text

    def progress(self, share: float) -> None:
        if self._label == self._wanted:
            raise KeyboardInterrupt


def test_an_interrupted_build_resumes(bundle: Path, pretend) -> None:
    pretend(fail={"feedback.fp16.onnx": "hang"})
    with pytest.raises(KeyboardInterrupt):
        build_engines(bundle, settings(), Interrupts("feedback float16"))
    plan, record = sorted(files(bundle), reverse=True)
    assert plan.startswith("image.float16") and record == plan.replace(".plan", ".json")
    with pytest.raises(ParityError, match="never checked"):
        select(bundle, read_manifest(bundle), MACHINE, "image")
    pretend()
    result = build_engines(bundle, settings())
    assert pretend.built() == ["feedback.fp16.onnx", "text.fp16.onnx"]
    assert all(record.passed for record in result.records)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("memory", "out of memory.*--low-memory"),
        ("kill", "build of text.fp16.onnx was killed.*--low-memory"),
        ("error", "build of text.fp16.onnx ended with code 1: .*a fault in the backend"),
    ],
)
def test_a_build_that_fails_keeps_what_is_done(bundle: Path, pretend, fault: str, message: str) -> None:
    pretend(fail={"text.fp16.onnx": fault})
    with pytest.raises(EngineError, match=message):
        build_engines(bundle, settings())
    assert len(files(bundle)) == 4
    pretend()
    build_engines(bundle, settings())
    assert pretend.built() == ["text.fp16.onnx"]


@pytest.mark.parametrize("content", [b"", b"FAKEPLAN", None])
def test_a_damaged_engine_is_built_anew(bundle: Path, inline, pretend, content: bytes | None) -> None:
    first = build_engines(bundle, settings())
    plan = bundle / "engines" / first.records[0].plan
    if content is None:
        plan.unlink()
    else:
        plan.write_bytes(content)
    pretend()
    again = build_engines(bundle, settings())
    assert pretend.built() == ["image.fp16.onnx"] and again.records[0].passed


def test_the_command(bundle: Path, pretend, capsys) -> None:
    assert main(["build", str(bundle), "--engine", "tensorrt", "--precision", "fp16"]) == 0
    output = capsys.readouterr()
    assert [line.split()[0] for line in output.out.splitlines()] == ["network", "image", "feedback", "text"]
    assert output.err.splitlines()[0].startswith("image float16      built in 0 s")
    assert "parity gate        passed, image network" in output.err
    command = ["build", str(bundle), "--engine", "tensorrt", "--json", "--cache"]
    pretend(delay={"bfloat16": 0.01})
    assert main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["precision"] == "float16" and len(document["trials"]) == 2
    assert [engine["passed"] for engine in document["engines"]] == [True] * 3


def test_the_command_without_tensorrt(bundle: Path, capsys, monkeypatch) -> None:
    monkeypatch.undo()
    assert main(["build", str(bundle), "--engine", "tensorrt"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("BackendUnavailable: ") and "run: " in error
    assert not (bundle / "engines").exists()


def test_timing_caches_are_of_a_version_and_a_device(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path))
    machine = Machine("10.3.0", "8.9", "NVIDIA L4/../x", False)
    assert timing_cache(machine) == tmp_path / "timing" / "10.3.0-sm8.9-NVIDIA-L4-..-x.cache"


def test_worker_errors_keep_their_class() -> None:
    with pytest.raises(errors.BundleError):
        process.run("check", {"backend": fake_tensorrt.BACKEND, "bundle": "/nowhere", "folder": "/nowhere"})
    with pytest.raises(EngineError, match="ended with code 1"):
        process.run("machine", {"backend": "no_such_module:X"})


def test_the_parent_imports_no_tensorrt() -> None:
    code = "import sys, vocabseg.tensorrt.policy, vocabseg.tensorrt.device, vocabseg.cli.build;"
    code += "assert not {'tensorrt', 'torch', 'pycuda', 'cuda.bindings'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
