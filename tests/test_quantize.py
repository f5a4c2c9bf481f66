"""INT8: Q/DQ stand on the linear layers and nowhere else, ranges come from pictures, and the gate decides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

onnx = pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

import fake_tensorrt
from export_models import LAYERS, MERGES, small_source
from vocabseg import errors, methods
from vocabseg.bundle import check_files, read_manifest
from vocabseg.cli import main
from vocabseg.export import calibrate, parity
from vocabseg.export.build import export_bundle
from vocabseg.export.describe import Settings
from vocabseg.export.quantize import Histogram
from vocabseg.export.window import sliding
from vocabseg.tensorrt import backend


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for index in range(3):
        blocks = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(16, 0).repeat(16, 1)).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize")
    (folder / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in MERGES))
    settings = Settings(precisions=("float32", "float16"), merges=folder / "merges.txt")
    export_bundle(small_source(), methods.get("sclip"), sliding(64, 32, 96), folder / "b", settings)
    return folder / "b"


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


@pytest.fixture
def quantized(bundle: Path, photos: Path) -> Path:
    calibrate.add_int8(bundle, read_manifest(bundle), photos)
    return bundle


def test_only_linear_layers_are_quantized(quantized: Path) -> None:
    graph = onnx.load(quantized / "image.int8.onnx").graph
    produced = {name: node for node in graph.node for name in node.output}
    weights = {value.name: value for value in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    on_matrices = [node for node in products if is_quantized(produced.get(node.input[1]))]
    # Per block q, k, v, output, two of the feed-forward; SCLIP's last block has no other ones.
    assert len(on_matrices) == 6 * LAYERS
    for node in on_matrices:
        assert is_quantized(produced[node.input[0]])
        matrix, scale, _ = (weights[name] for name in produced[node.input[1]].input)
        assert matrix.data_type == onnx.TensorProto.INT8 and scale.data_type == onnx.TensorProto.FLOAT16
        assert list(scale.dims) == [matrix.dims[1]]
        assert abs(onnx.numpy_helper.to_array(matrix)).max(0).min() >= 126
    quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantizers) == 4 * LAYERS  # q, k and v read the same one
    assert all(list(weights[node.input[1]].dims) == [] for node in quantizers)
    kept = {node.op_type for node in graph.node if not is_quantized(node)}
    assert {"Conv", "LayerNormalization", "Softmax", "ReduceL2"} <= kept
    for node in graph.node:
        if node.op_type in ("Conv", "LayerNormalization", "Softmax"):
            assert not any(is_quantized(produced.get(name)) for name in node.input)


def is_quantized(node) -> bool:
    return node is not None and node.op_type == "DequantizeLinear"


def test_the_bundle_stays_whole(quantized: Path, capsys) -> None:
    manifest = read_manifest(quantized)
    check_files(quantized, manifest)
    assert manifest["image_encoder"]["variants"]["int8"] == "image.int8.onnx"
    assert "int8" not in manifest["text_encoder"]["variants"]
    assert main(["verify", str(quantized)]) == 0  # the runtime does not mind


@pytest.mark.parametrize("engine", ["openvino-graph", "onnxruntime"])
def test_two_engines_agree_with_the_reference(quantized: Path, capsys, engine: str) -> None:
    assert main(["verify", str(quantized), "--backend", engine, "--precision", "int8", "--json"]) == 0
    image, text = json.loads(capsys.readouterr().out)["parity"]
    assert (image["precision"], text["precision"]) == ("int8", "float16")
    assert 0.99 < image["cosine_min"] < 0.99999


def test_a_build_takes_the_text_network_in_half_precision(
    bundle: Path, photos: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(backend, "TENSORRT", fake_tensorrt.BACKEND)
    command = ["build", str(bundle), "--engine", "tensorrt", "--precision", "int8", "--json"]
    assert main(command) == 1
    assert "--calibrate PHOTOS" in capsys.readouterr().err
    assert main([*command, "--calibrate", str(photos)]) == 0
    engines = json.loads(capsys.readouterr().out)["engines"]
    assert [(engine["tower"], engine["key"]["precision"]) for engine in engines] == [
        ("image", "int8"),
        ("text", "float16"),
    ]
    assert all(engine["rebuild"] == ["--precision", "int8"] for engine in engines)
    assert main([*command[:-2], "fp16", "--calibrate", str(photos)]) == 1
    assert "--precision is fp16" in capsys.readouterr().err


def test_a_failed_gate_leaves_the_bundle_as_it_was(
    bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parity.GATES, "int8", parity.Gate(1.0, 1.0, 1.0, 0.0))
    before = {path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file()}
    with pytest.raises(errors.ParityError, match="openvino-graph/int8"):
        calibrate.add_int8(bundle, read_manifest(bundle), photos)
    assert {path.name: path.read_bytes() for path in bundle.iterdir() if path.is_file()} == before
    (failed,) = calibrate.add_int8(bundle, read_manifest(bundle), photos, allow_degraded=True)
    assert not failed.passed and (bundle / "image.int8.onnx").is_file()


def test_no_pictures(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.ImageError, match="no pictures in"):
        calibrate.add_int8(bundle, read_manifest(bundle), tmp_path / "nothing")
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(errors.ImageError, match=r"x\.png"):
        calibrate.add_int8(bundle, read_manifest(bundle), tmp_path)
    assert "int8" not in read_manifest(bundle)["image_encoder"]["variants"]


def test_without_onnx_ir(bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx_ir", None)
    with pytest.raises(errors.BackendUnavailable, match=r"pip install 'vocabseg\[quantize\]'"):
        calibrate.add_int8(bundle, read_manifest(bundle), photos)


@pytest.mark.parametrize(
    ("size", "window", "expected"),
    [
        ((480, 640), {"mode": "slide", "short_side": 336, "long_side": 2048}, (336, 448)),
        ((100, 2000), {"mode": "slide", "short_side": 336, "long_side": 448}, (224, 448)),
        ((480, 640), {"mode": "whole"}, (224, 299)),
    ],
)
def test_network_sizes(size, window, expected) -> None:
    assert calibrate.network_size(size, {**window, "height": 224, "width": 224}) == expected


def test_pictures_are_taken_evenly(tmp_path: Path) -> None:
    for index in range(200):
        (tmp_path / f"{index:03}.jpg").write_bytes(b"")
    names = [path.stem for path in calibrate.pictures(tmp_path)]
    assert len(names) == 64 and names[0] == "000" and names[-1] == "199" and names == sorted(names)


def test_histograms_grow_and_do_not_lose_counts() -> None:
    histogram = Histogram()
    histogram.add(np.linspace(-1, 1, 1001))
    histogram.add(np.array([5.0]))
    assert histogram.top == 8.0 and histogram.counts.sum() == 1002


def test_the_range_is_a_trade_of_rounding_and_clipping() -> None:
    uniform, outlier = Histogram(), Histogram()
    values = np.random.default_rng(0).uniform(-1, 1, 100_000)
    uniform.add(values)
    outlier.add(np.append(values, 3.0))
    assert uniform.scale() == pytest.approx(1 / 127, rel=0.02)
    assert outlier.scale() < 2 / 127  # one value is clipped so that the others are rounded less


def test_values_without_a_range() -> None:
    with pytest.raises(errors.ShapeError, match="not finite"):
        Histogram().add(np.array([np.inf]))
    with pytest.raises(errors.ShapeError, match="no calibration data"):
        Histogram().scale()
    zeros = Histogram()
    zeros.add(np.zeros(4))
    assert zeros.scale() > 0
