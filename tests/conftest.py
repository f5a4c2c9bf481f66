"""Fixtures of more than one test file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

import fake_bindings
from fake_gpu import FakeGpu

ROOT = Path(__file__).resolve().parent.parent
STAND_INS = ROOT / "tests" / "stand_ins"


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """What ``bench.gpu_check`` gives its parts, for a target that runs here; programs that are started find the stand-ins
    first."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.syspath_prepend(str(STAND_INS))
    monkeypatch.setenv("PATH", f"{STAND_INS / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    from bench.gpu.parts import Context
    from bench.gpu.target import Target

    folder = tmp_path / "work"
    folder.mkdir()
    target = Target("cpu", ("cpu",), "fake_tensorrt", "openvino", short=True)
    return Context(True, folder, (), time.monotonic() + 300, target)


@pytest.fixture
def gpu() -> FakeGpu:
    """What stands for a GPU under the bindings of CUDA."""
    return FakeGpu()


@pytest.fixture(params=fake_bindings.NAMES)
def open_session(request, gpu, monkeypatch):
    """Makes a session over a network, with either binding."""
    from tensorrt_runs import network, session

    return lambda net=None, **options: session(gpu, monkeypatch, net or network(), request.param, **options)


@pytest.fixture
def bundle(tmp_path):
    """The tiny bundle, opened by the compiled core."""
    pytest.importorskip("onnx", reason="needs the extra: test")
    from tiny_bundle import write_tiny_bundle
    from vocabseg import _core

    return _core.Bundle.open(str(write_tiny_bundle(tmp_path / "tiny")))


@pytest.fixture
def segmenter(bundle):
    """The compiled core's segmenter of the tiny bundle, which tells red, green and blue apart."""
    from tiny_bundle import BLUE, GREEN, RED
    from vocabseg import _core

    segmenter = _core.Segmenter(bundle, "auto", 2, "float32")
    segmenter.set_vocabulary(np.arange(3, dtype=np.int32), 3, [], np.stack([RED, GREEN, BLUE]))
    return segmenter
