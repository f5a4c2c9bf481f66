"""Frames that stay where they are, from Python to the driver's calls, on the C++ tests' driver and TensorRT."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fake_driver
import vocabseg
from test_device_arrays import Interface
from tiny_bundle import write_tiny_bundle
from vocabseg import NV12, Segmenter
from vocabseg.errors import BackendUnavailable, ImageError

HERE = Path(__file__).resolve().parent
LABELS, FRAME = 40 * 64, 40 * 64 * 3


def write_engine(bundle: Path) -> None:
    """An engine of the stand-in for TensorRT, as ``vocabseg build`` would enter it."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    plan = b"plan 12"
    key = {
        "schema": 1,
        "onnx_sha256": manifest["files"]["image.onnx"]["sha256"],
        "precision": "float32",
        "profile": {"windows": [[count, 3, 32, 32] for count in (1, 6, 12)]},
        "tensorrt": "10.3.0",
        "compute_capability": "8.9",
        "device": "Fake GPU",
        "tegra": False,
        "options": {},
    }
    record = {
        "schema_version": 1,
        "tower": "image",
        "key": key,
        "digest": "0" * 16,
        "plan": "image.plan",
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "inputs": ["windows"],
        "outputs": ["features"],
        "rebuild": [],
        "build": {},
        "parity": {"passed": True},
        "degraded": False,
        "latency_ms": 1.0,
    }
    (bundle / "engines").mkdir()
    (bundle / "engines" / "image.plan").write_bytes(plan)
    (bundle / "engines" / "image.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, dict]:
    """What happened to each frame of frames_on_fake_gpu.py."""
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    if (Path(vocabseg.__file__).parent / "libvocabseg_tensorrt.so").exists():
        pytest.skip("the core takes the TensorRT library that stands beside it")
    folder = tmp_path_factory.mktemp("gpu")
    driver = fake_driver.build(folder)
    fake_driver.build_tensorrt(folder, driver)
    bundle = write_tiny_bundle(folder / "bundle", text=False, model={"patch_size": 8, "embed_dim": 16})
    write_engine(bundle)
    paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    program = [sys.executable, str(HERE / "frames_on_fake_gpu.py"), str(bundle), driver]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": paths}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def copies(frame: dict) -> list[int]:
    """Bytes of each copy of the frame, up or on the device."""
    return [int(line.split()[1]) for line in frame["operations"] if line.split()[0] in ("up", "rows")]


@pytest.mark.parametrize(
    "name", ["interface", "interface with a stream", "dlpack", "alpha", "gaps", "nv12", "nv12 with a stream"]
)
def test_device_memory_is_read_where_it_is(found, name: str) -> None:
    frame = found[name]
    assert (frame["shape"], frame["regions"]) == ([40, 64], 1)
    assert frame["read_in_place"] and copies(frame) == []
    assert "graph 0" in frame["operations"]  # the network, and the copy of the labels down


@pytest.mark.parametrize(("name", "copied"), [("host", [FRAME]), ("nv12 on the host", [LABELS, LABELS // 2])])
def test_host_memory_is_copied_once(found, name: str, copied: list[int]) -> None:
    assert copies(found[name]) == copied and not found[name]["read_in_place"]


@pytest.mark.parametrize(
    ("name", "waits"),
    [("host", 0), ("interface", 0), ("interface with a stream", 1), ("dlpack", 1), ("nv12 with a stream", 1)],
)
def test_the_frame_waits_for_whoever_writes_it(found, name: str, waits: int) -> None:
    assert sum(line.startswith("wait") for line in found[name]["operations"]) == waits


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("grey", r"got a device array of uint8 [40, 64], expected uint8 [H, W, 3] or [H, W, 4]"),
        ("channels first", "permute(1, 2, 0).contiguous() makes it of [3, H, W]"),
        ("planes apart", "with the channels of a pixel beside each other"),
        ("floats", "got an array of float32 [40, 64, 3], expected uint8"),
        ("another gpu", "the array is on GPU 1, expected GPU 0: copy it there"),
        ("upwards", "expected at least 192 downwards"),
        ("half on the host", "one plane of an NV12 frame is on the GPU and one is not"),
        ("odd", "expected even sides; crop it"),
        ("unlike planes", "got NV12 planes of uint8 [40, 64] and uint8 [40, 64], expected uint8 [H, W] and"),
        ("two streams", "the planes are written on the streams 1 and 2, expected one"),
        ("planes with gaps", "the values in a row of an NV12 plane have gaps"),
    ],
)
def test_frames_that_cannot_be_read(found, name: str, message: str) -> None:
    assert found[name]["error"].startswith("ImageError: ") and message in found[name]["error"]


@pytest.mark.parametrize("kind", ["rgb", "nv12"])
def test_a_segmenter_on_the_cpu_takes_none(kind: str) -> None:
    segmenter = Segmenter.load("demo")
    frame = Interface(np.zeros((40, 64, 3), np.uint8))
    if kind == "nv12":
        frame = NV12(np.zeros((40, 64), np.uint8), np.zeros((20, 64), np.uint8))
    masks = np.ones((1, 40, 64), bool)
    for call in (lambda: segmenter(frame), lambda: segmenter.classify_masks(frame, masks)):
        with pytest.raises(BackendUnavailable, match="do not run on the GPU: .* give an RGB image in host"):
            call()
    if kind == "rgb":
        for method in (segmenter.features, segmenter.segments):
            with pytest.raises(ImageError, match="got an array in GPU memory, expected one in host memory"):
                method(frame)
