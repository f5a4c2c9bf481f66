"""Bad input to the core raises one class per cause and leaves the segmenter usable."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra: test")

from tiny_bundle import BLUE, GREEN, RED, stripes, write_manifest, write_tiny_bundle
from vocabseg import _core
from vocabseg.errors import (
    BackendUnavailable,
    BundleError,
    EngineError,
    ImageError,
    MaskError,
    VocabularyError,
)


@pytest.mark.parametrize(
    "masks",
    [
        np.zeros((1, 32, 33), bool),
        np.zeros((32, 32), np.float32),
        np.zeros((33, 32), np.int32),
        [(16, 32, np.array([512], np.uint32))],
        [(32, 32, np.array([512], np.uint32))],
    ],
)
def test_bad_masks(segmenter, masks):
    with pytest.raises(MaskError):
        segmenter.classify_masks(stripes(32, 32), masks)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (20000, 20000, 3)),
    ],
)
def test_bad_images(segmenter, image):
    for call in (segmenter.segment, segmenter.features):
        with pytest.raises(ImageError):
            call(image)


def test_bad_vocabularies(segmenter):
    indices = np.arange(3, dtype=np.int32)
    rows = np.stack([RED, GREEN, BLUE])
    for arguments in (
        (indices, 3, [], rows[:, :3]),
        (indices, 2, [], rows),
        (indices, 3, [3], rows),
        (indices, 3, [], rows[:2]),
        (indices[:0], 0, [], rows[:0]),
        (indices, 3, [], rows * np.nan),
    ):
        with pytest.raises(VocabularyError):
            segmenter.set_vocabulary(*arguments)
    assert segmenter.segment(stripes(32, 96))["labels"][0, 0] == 0


@pytest.mark.parametrize("backend", ["abacus", "", "OpenVINO"])
def test_unknown_backend(bundle, backend):
    with pytest.raises(BackendUnavailable, match="openvino"):
        _core.Segmenter(bundle, backend)


def test_tensorrt_says_why_it_cannot_run(bundle):
    backend = next(each for each in _core.backends() if each["id"] == "tensorrt")
    if backend["available"]:
        pytest.skip("this machine has TensorRT")
    assert "; " in backend["reason"], "the next step"
    with pytest.raises(BackendUnavailable, match="^backend tensorrt cannot run: "):
        _core.Segmenter(bundle, "tensorrt")


def test_broken_network(tmp_path):
    folder = write_tiny_bundle(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "image.onnx").write_bytes(b"not a network")
    write_manifest(folder, manifest)
    with pytest.raises(EngineError, match=r"image\.onnx"):
        _core.Segmenter(_core.Bundle.open(str(folder)))


def test_network_of_another_shape(tmp_path):
    bundle = _core.Bundle.open(str(write_tiny_bundle(tmp_path, grid=[2, 2])))
    segmenter = _core.Segmenter(bundle)
    with pytest.raises(EngineError):
        segmenter.features(stripes(32, 32))


def test_no_text_tower(tmp_path):
    bundle = _core.Bundle.open(str(write_tiny_bundle(tmp_path, text=False)))
    with pytest.raises(VocabularyError, match="no text tower"):
        _core.TextEncoder(bundle)


def test_altered_bundle(tmp_path):
    folder = write_tiny_bundle(tmp_path)
    data = bytearray((folder / "image.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "image.onnx").write_bytes(data)
    with pytest.raises(BundleError, match="altered"):
        _core.Bundle.open(str(folder))
