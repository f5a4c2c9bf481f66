"""`vocabseg.tensorrt.Encoder`: built engines as functions of arrays, on a machine that is stood in for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fake_bindings
from built_bundle import PATCHES, TOKENS, Built, feedback_features, image_features, text_embedding
from tensorrt_runs import OnGpu, contents
from vocabseg.device_arrays import DeviceArray
from vocabseg.errors import BackendUnavailable, ShapeError
from vocabseg.tensorrt import Encoder

RANDOM = np.random.default_rng(7)
WINDOWS = RANDOM.standard_normal((6, 3, 32, 32)).astype(np.float32)
TOKEN_IDS = RANDOM.integers(1, 500, (70, 16))


@pytest.fixture(params=fake_bindings.NAMES)
def built(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    return Built(tmp_path / "bundle", monkeypatch, request.param)


def test_windows_to_features(built: Built) -> None:
    with Encoder.load(built.bundle) as encode:
        assert (encode.precision, encode.batch) == ("float32", 4)
        assert (encode.inputs, encode.outputs) == (("windows",), ("features", "tokens"))
        features = encode(WINDOWS)
    assert isinstance(features, np.ndarray) and features.dtype == np.float32
    np.testing.assert_array_equal(features, image_features({"windows": WINDOWS})["features"])
    assert built.gpu.memory == {}


def test_device_arrays_in_and_out(built: Built) -> None:
    with Encoder.load(built.bundle) as encode:
        features = encode(OnGpu(built.gpu, WINDOWS))
        assert isinstance(features, DeviceArray) and features.shape == (6, PATCHES, 4)
        expected = image_features({"windows": WINDOWS})["features"]
        np.testing.assert_array_equal(contents(built.gpu, features), expected)
    assert not {"upload", "download"} & set(built.gpu.calls)


def test_prompts(built: Built) -> None:
    with Encoder.load(built.bundle, "text") as encode:
        expected = text_embedding({"tokens": TOKEN_IDS})["embedding"]
        np.testing.assert_array_equal(encode(TOKEN_IDS), expected)
        with pytest.raises(ShapeError, match=r"input tokens is int32 .*expected int64 \[B, 16\]"):
            encode(TOKEN_IDS.astype(np.int32))


def test_a_network_of_several_inputs(built: Built) -> None:
    given = {
        "shared": RANDOM.standard_normal((5, PATCHES, PATCHES)).astype(np.float32),
        "tokens": RANDOM.standard_normal((5, *TOKENS)).astype(np.float32),
    }
    with Encoder.load(built.bundle, "feedback") as encode:
        expected = feedback_features(given)["features"]
        np.testing.assert_array_equal(encode.run(given)["features"], expected)
        with pytest.raises(
            ShapeError, match=r"inputs shared, tokens; give them by name: encoder.run\(\{…\}\)"
        ):
            encode(given["shared"])


def test_which_engine(built: Built) -> None:
    assert Encoder.load(str(built.bundle), precision="fp32").precision == "float32"
    with pytest.raises(BackendUnavailable, match="no float16 engine of the image network"):
        Encoder.load(built.bundle, precision="fp16")
    with pytest.raises(BackendUnavailable, match="has no caption network; it has image, feedback, text"):
        Encoder.load(built.bundle, "caption")
    with pytest.raises(BackendUnavailable, match="no precision 'fp8'"):
        Encoder.load(built.bundle, precision="fp8")


def test_the_verifier_runs_the_same_session(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    from vocabseg.bundle import read_manifest
    from vocabseg.tensorrt.towers import open_built

    towers = open_built(built.bundle, read_manifest(built.bundle), "auto", cache=False)
    with Encoder.load(built.bundle) as encode:
        np.testing.assert_array_equal(towers.encode_windows(WINDOWS), encode(WINDOWS))
    assert towers.latency_ms(WINDOWS) > 0


def test_importing_is_light() -> None:
    code = (
        "import sys, vocabseg.tensorrt\n"
        "assert not {'numpy', 'tensorrt', 'pycuda', 'cuda'} & set(sys.modules)\n"
        "from vocabseg.tensorrt import Encoder\n"
        "assert not {'torch', 'tensorrt', 'pycuda', 'cuda', 'openvino', 'vocabseg._core'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
