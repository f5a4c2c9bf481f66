"""``bench.gpu_check``'s engines and golden files on what stands for TensorRT: real exports, real commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.gpu import claims, engines, goldens
from bench.gpu.parts import Context

import fake_tensorrt
import golden_sets
from vocabseg import methods


def test_stand_in(stand_ins) -> None:
    code = "from vocabseg.tensorrt import backend; print(backend.TENSORRT)"
    done = engines.python(("-c", code), 60)
    assert done.stdout.strip() == fake_tensorrt.BACKEND


def test_engines(stand_ins, monkeypatch) -> None:
    """The demo, and a bundle that is exported first."""
    planned = engines.plan
    wanted = ("demo fp32", "vanilla fp16")
    monkeypatch.setattr(engines, "plan", lambda given: [job for job in planned(given) if job.name in wanted])
    monkeypatch.setattr(engines, "BINDINGS", ("a-binding",))
    monkeypatch.setattr(
        engines, "binding", lambda name, bundle, given: engines.failed(name, bundle.name, claims.BINDINGS)
    )
    found = engines.run(stand_ins)
    assert found.left_out == []
    named = {
        "build demo fp32": True,
        "demo fp32 image": True,
        "demo fp32 text": True,
        "a-binding": False,
        "build vanilla fp16": True,
        "vanilla fp16 image": True,
    }
    assert found.verdicts() == named
    assert {check.claim for check in found.checks} == {claims.BUILDS, claims.NUMERICS, claims.BINDINGS}
    assert found.measured["vanilla fp16"]["build"]["precision"] == "float16"


def test_engines_that_are_too_far_off_and_that_fail(stand_ins, monkeypatch) -> None:
    monkeypatch.setattr(engines, "plan", lambda given: [])
    demo = engines.Job("demo", Path(shutil.copytree(engines.DEMO, stand_ins.folder / "demo")), "fp32")
    settings = {"noise": {"float32": 0.05}, "fail": {"text.onnx": "memory"}}
    monkeypatch.setenv("FAKE_TENSORRT", json.dumps(settings))
    (check,) = engines.work(demo, stand_ins).checks
    assert not check.passed and "out of memory" in check.detail
    monkeypatch.setenv("FAKE_TENSORRT", json.dumps({"noise": {"float32": 0.05}}))
    (check,) = engines.work(demo, stand_ins).checks
    assert not check.passed and "too far from the reference" in check.detail


def test_an_engine_that_verify_refuses(tmp_path, monkeypatch) -> None:
    parity = {"tower": "image", "cosine_min": 0.9, "max_abs": 0.1, "passed": False}
    answers = {"build": {"engines": []}, "verify": {"parity": [parity]}}

    def python(arguments, seconds):
        return subprocess.CompletedProcess(arguments, 0, json.dumps(answers[arguments[2]]), "")

    monkeypatch.setattr(engines, "python", python)
    found = engines.work(engines.Job("demo", tmp_path, "fp16"), Context(True, tmp_path, (), 0))
    assert found.verdicts() == {"build demo fp16": True, "demo fp16 image": False}
    answers["verify"] = {"error": {"type": "EngineMismatch"}}
    found = engines.work(engines.Job("demo", tmp_path, "fp16"), Context(True, tmp_path, (), 0))
    assert found.verdicts() == {"build demo fp16": True, "verify demo fp16": False}


def test_every_method_that_is_exported_is_planned_in_every_precision(stand_ins) -> None:
    jobs = list(engines.plan(replace(stand_ins, quick=False, bundles=(engines.DEMO,))))
    names = {job.name for job in jobs}
    assert len(names) == len(jobs)
    assert {f"{name} bf16" for name in methods.names()} - names == {"proxyclip bf16"}
    assert {"demo fp32", "demo int8", "own-demo auto", "ViT-B-16 fp16", "ViT-B-16 int8"} <= names


def test_engines_without_time_or_tensorrt(stand_ins) -> None:
    found = engines.run(replace(stand_ins, deadline=0))
    assert found.checks == []
    assert found.left_out[0] == "engines of demo fp32, for lack of time"
    target = replace(stand_ins.target, tensorrt="no_such_module")
    for part in (engines, goldens):
        (reason,) = part.run(replace(stand_ins, target=target)).left_out
        assert "no_such_module is not installed; run: " in reason


FILES = {"cliptrase_a": "clusters", "resclip_a": "second pass", "scclip_a": "patches", "naclip_a": "patches"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if FILES[name] == "patches" else []) for name in FILES],
)
def test_golden_files(stand_ins, name) -> None:
    path = golden_sets.find(f"{name}.npz")
    (check,) = goldens.compare(path, name, stand_ins).checks
    assert check.passed and check.claim == claims.NUMERICS
    assert check.detail.startswith(f"to the {FILES[name]}, largest errors: ")


def test_golden_files_that_differ(stand_ins, monkeypatch) -> None:
    monkeypatch.setattr(golden_sets, "files", lambda: [golden_sets.find("resclip_a.npz")])
    monkeypatch.setenv("FAKE_TENSORRT", json.dumps({"noise": {"float32": 1e-3}}))
    found = goldens.run(stand_ins)
    assert found.verdicts() == {"golden resclip_a": False}
    assert (
        "too far from the reference" in found.checks[0].detail or "is beyond 1e-04" in found.checks[0].detail
    )


def test_golden_files_are_taken_in_turn() -> None:
    names = ("sclip_b", "naclip_b", "sclip_a", "naclip_a", "naclip_kk_a")
    turns = [path.stem for path in goldens.in_turn(Path(f"{name}.npz") for name in names)]
    assert turns == ["naclip_a", "sclip_a", "naclip_b", "sclip_b", "naclip_kk_a"]


def test_a_golden_file_that_cannot_be_exported(stand_ins, tmp_path) -> None:
    """Windows that patches do not fill."""
    arrays = dict(golden_sets.load(golden_sets.find("naclip_a.npz")))
    arrays["image"] = arrays["image"][:, :, :100]
    path = tmp_path / "naclip_odd.npz"
    np.savez(path, **arrays)
    (reason,) = goldens.compare(path, "golden naclip_odd", stand_ins).left_out
    assert reason.startswith("golden naclip_odd: the window is 100x112")
