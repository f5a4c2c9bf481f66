"""Whatever is wrong when an engine is loaded and run ends in one error, of one class, that names the next command."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fake_bindings
from built_bundle import Built
from vocabseg.errors import BackendUnavailable, EngineError, EngineMismatch, ShapeError, VocabsegError
from vocabseg.tensorrt import Encoder

BUILD = r"vocabseg build \S+bundle --engine tensorrt"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    return Built(tmp_path / "bundle", monkeypatch)


def other_gpu(built: Built) -> None:
    built.gpu.name = "Orin NX"


def other_version(built: Built) -> None:
    built.trt.__version__ = "10.16.0.72"


def other_graph(built: Built) -> None:
    record = built.record()
    built.store.write_record(replace(record, key={**record.key, "onnx_sha256": "0" * 64}))


def truncated(built: Built) -> None:
    path = built.store.folder / built.record().plan
    path.write_bytes(path.read_bytes()[:-1])


def missing(built: Built) -> None:
    (built.store.folder / built.record().plan).unlink()


def not_built(built: Built) -> None:
    built.store.remove(built.record())


def refused(built: Built) -> None:
    built.trt.networks.clear()


def other_input(built: Built) -> None:
    network = built.networks["image"]
    network.inputs = {"pixels": network.inputs["windows"]}


def other_output(built: Built) -> None:
    network = built.networks["image"]
    network.outputs = {"features": network.outputs["features"]}


def no_device(built: Built) -> None:
    built.gpu.present = False


def old_driver(built: Built) -> None:
    built.trt.starts = False


def old_tensorrt(built: Built) -> None:
    built.trt.__version__ = "8.6.1"


def no_tensorrt(built: Built) -> None:
    sys.modules["tensorrt"] = None  # type: ignore[assignment]


def no_binding(built: Built) -> None:
    for name in ("pycuda", "cuda.bindings.driver"):
        sys.modules[name] = None  # type: ignore[assignment]


@pytest.mark.parametrize("binding", fake_bindings.NAMES)
@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (other_gpu, EngineMismatch, f"device is Orin, expected Orin NX; run: {BUILD}"),
        (other_version, EngineMismatch, f"tensorrt is 10.3.0, expected 10.16.0.72; run: {BUILD}"),
        (other_graph, EngineMismatch, f"onnx_sha256 is 000000000000…, expected .*; run: {BUILD}"),
        (truncated, EngineError, f"is damaged: got 9 bytes, expected 10 .*run: {BUILD}"),
        (missing, EngineError, f"cannot read engine .*run: {BUILD}"),
        (not_built, BackendUnavailable, f"no engine of the image network; run: {BUILD}"),
        (refused, EngineError, f"cannot load the engine: .*not compatible with this version.*; run: {BUILD}"),
        (
            other_input,
            EngineError,
            f"takes pixels and gives .*record says that it takes windows.*run: {BUILD}",
        ),
        (other_output, EngineError, f"gives features; its record .*gives features, tokens; run: {BUILD}"),
        (no_device, BackendUnavailable, "no CUDA device can be used: .*check it with: nvidia-smi"),
        (
            old_driver,
            BackendUnavailable,
            r"does not start: .*error: 35; the driver serves CUDA 12\.6.*nvidia-smi",
        ),
        (old_tensorrt, BackendUnavailable, "TensorRT 8.6.1 is too old, expected 10.3 or newer; run: "),
        (no_tensorrt, BackendUnavailable, "tensorrt cannot be imported: .*; run: "),
        (
            no_binding,
            BackendUnavailable,
            "no CUDA binding can be imported .*; run: pip install cuda-bindings",
        ),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_loading(built: Built, fault, kind: type[VocabsegError], message: str, binding: str) -> None:
    fault(built)
    with pytest.raises(VocabsegError, match=message) as error:
        Encoder.load(built.bundle, binding=binding)
    assert type(error.value) is kind and built.gpu.memory == {} and built.gpu.contexts.stack == []


def test_a_binding_that_does_not_exist(built: Built) -> None:
    with pytest.raises(
        BackendUnavailable, match="no CUDA binding 'cupy'; one of auto, cuda-bindings, pycuda"
    ):
        Encoder.load(built.bundle, binding="cupy")


@pytest.mark.parametrize("binding", fake_bindings.NAMES)
def test_no_memory_to_run(built: Built, binding: str) -> None:
    with Encoder.load(built.bundle, binding=binding) as encode:
        built.gpu.limit = 30_000
        with pytest.raises(EngineError, match=f"cannot run 4 rows at once: .*smaller --batch: {BUILD}"):
            encode(np.zeros((9, 3, 32, 32), np.float32))
    with Encoder.load(built.bundle, binding=binding, allow_smaller_batch=True) as encode:
        assert encode(np.zeros((9, 3, 32, 32), np.float32)).shape == (9, 16, 4)
        assert encode.batch == 2


def test_no_memory_to_load(built: Built) -> None:
    built.trt.networks.clear()
    built.trt.refusal = "Requested amount of GPU memory could not be allocated"
    with pytest.raises(EngineError, match=f"cannot load the engine: Requested .*smaller --batch: {BUILD}"):
        Encoder.load(built.bundle)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (np.zeros((2, 3, 32, 32)), r"input windows is float64 \[2, 3, 32, 32\], expected float32"),
        (np.zeros((2, 32, 32, 3), np.uint8), r"is uint8 \[2, 32, 32, 3\], expected float32 \[B, 3, 32, 32\]"),
        (np.zeros((3, 32, 32), np.float32), r"expected float32 \[B, 3, 32, 32\] with B rows"),
        (np.zeros((0, 3, 32, 32), np.float32), "got 0 of windows; expected one or more rows"),
        ("photo.jpg", r"input windows is <U9 \[\], expected float32"),
    ],
)
def test_windows_that_do_not_fit(built: Built, windows, message: str) -> None:
    with Encoder.load(built.bundle) as encode, pytest.raises(ShapeError, match=message):
        encode(windows)
