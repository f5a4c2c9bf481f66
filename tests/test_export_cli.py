"""``vocabseg export`` from weights in a file to a verified bundle, and what it says to bad input."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from export_models import MERGES, small_clip
from vocabseg import safetensors_io
from vocabseg.bundle import check_files, read_manifest
from vocabseg.cli import main
from vocabseg.errors import OfflineError
from vocabseg.export import build, source, storage

HEADS = ["--heads", "12", "--text-heads", "2"]
WINDOW = ["--crop", "64", "--stride", "32", "--short-side", "96"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights in three formats, and the merges of their tokenizer."""
    folder = tmp_path_factory.mktemp("weights")
    state = {name.removeprefix("text."): v.contiguous() for name, v in small_clip().state_dict().items()}
    save_file(state, folder / "small.safetensors")
    torch.save(state, folder / "small.pt")
    prefixed = {
        ("" if k.startswith("visual.") or k == "logit_scale" else "text.") + k: v for k, v in state.items()
    }
    torch.save({"state_dict": {f"module.{k}": v for k, v in prefixed.items()}}, folder / "custom.pt")
    save_file({k: v for k, v in state.items() if k.startswith("visual.")}, folder / "visual.safetensors")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES))
    return folder


def arguments(files: Path, out: Path, *more: str, weights: str = "small.safetensors") -> list[str]:
    merges = [] if weights.startswith("visual") else ["--merges", str(files / "merges.txt")]
    base = ["export", "small", "--pretrained", str(files / weights), *HEADS, *WINDOW, *merges]
    return [*base, "--out", str(out), *more]


@pytest.fixture(scope="module")
def bundle(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "full"
    more = ["--method", "naclip", "--set", "std=2.5", "--precision", "float32", "bfloat16", "float16"]
    more += ["--vocabulary", "sky, blue; cat; background: red", "--templates", "photo", "--name", "small one"]
    more += ["--area-threshold", "0.1", "--pamr", "10", "--logit-scale", "50", "--licence", "MIT"]
    assert main(arguments(files, out, *more)) == 0
    return out


def test_manifest(bundle: Path, files: Path) -> None:
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    listed = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == listed - {"manifest.json"}
    assert manifest["name"] == "small one"
    assert manifest["method"] == {"name": "naclip", "parameters": {"std": 2.5, "residual": False}}
    assert manifest["window"] == {
        "mode": "slide",
        "height": 64,
        "width": 64,
        "stride": [32, 32],
        "short_side": 96,
        "long_side": 2048,
        "resize": "bilinear",
    }
    assert manifest["grid"] == [4, 4]
    assert manifest["logit_scale"] == 50.0
    assert manifest["post_steps"] == [
        {"name": "area_threshold", "threshold": 0.1},
        {"name": "pamr", "steps": 10, "dilations": [8, 16]},
    ]
    weights = (files / "small.safetensors").read_bytes()
    assert manifest["model"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert manifest["model"]["licence"] == "MIT"
    assert manifest["image_encoder"]["variants"] == {
        "float32": "image.onnx",
        "bfloat16": "image.bf16.onnx",
        "float16": "image.fp16.onnx",
    }
    assert manifest["tokenizer"]["vocab_size"] == 514 + len(MERGES)
    assert str(files) not in (bundle / "manifest.json").read_text()


def test_contents(bundle: Path) -> None:
    assert (bundle / "merges.txt").read_text().splitlines() == [f"{a} {b}" for a, b in MERGES]
    tensors, metadata = safetensors_io.read(bundle / "reference.safetensors")
    assert tensors["windows"].shape == (2, 3, 64, 64)
    assert tensors["features"].shape == (2, 16, 32)
    assert len(json.loads(metadata["prompts"])) == len(tensors["tokens"]) == len(tensors["embedding"])
    np.testing.assert_allclose(np.linalg.norm(tensors["features"], axis=-1), 1, atol=1e-5)
    words, metadata = safetensors_io.read(bundle / "vocabularies" / "default.safetensors")
    assert words["embeddings"].shape == (4, 32)
    assert json.loads(metadata["names"]) == ["sky", "cat", "red"]
    assert metadata["text_encoder_sha256"] == read_manifest(bundle)["files"]["text.onnx"]["sha256"]
    properties = {p.key: p.value for p in onnx.load(bundle / "image.fp16.onnx").metadata_props}
    assert properties["grid"] == "4 4"
    assert properties["precision"] == "float16"
    assert properties["method"] == "NACLIP(std=2.5, residual=False)"
    assert "mean" in properties


@pytest.mark.parametrize("weights", ["small.pt", "custom.pt"])
def test_formats_give_the_same_graph(files: Path, bundle: Path, tmp_path: Path, weights: str) -> None:
    method = ["--method", "naclip", "--set", "std=2.5"]
    assert main(arguments(files, tmp_path / "b", *method, weights=weights)) == 0
    for name in ("image.onnx", "text.onnx"):
        first, second = (onnx.load(folder / name) for folder in (bundle, tmp_path / "b"))
        assert first.graph == second.graph


def test_vision_tower_alone_whole_window_half_storage(files: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "b"
    command = [
        "export",
        "v",
        "--pretrained",
        str(files / "visual.safetensors"),
        "--heads",
        "12",
        "--whole",
        "48x80",
    ]
    assert main([*command, "--weights", "float16", "--method", "maskclip", "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {result["tower"] for result in document["parity"]} == {"image"}
    manifest = read_manifest(out)
    assert manifest["text_encoder"] is None and manifest["tokenizer"] is None
    assert manifest["window"] == {"mode": "whole", "height": 48, "width": 80, "resize": "bilinear"}
    assert manifest["grid"] == [3, 5]
    stored = {value.data_type for value in onnx.load(out / "image.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT16 in stored


def test_weights_beyond_one_file(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Larger weights lie beside the graph; the engines of the gate find them, the manifest lists them."""
    monkeypatch.setattr(storage, "_SINGLE_FILE_BYTES", 1000)
    out = tmp_path / "b"
    assert main(arguments(files, out)) == 0
    assert {"image.onnx.data", "text.onnx.data"} <= set(read_manifest(out)["files"])
    assert (out / "image.onnx").stat().st_size < 100_000 < (out / "image.onnx.data").stat().st_size
    assert main(["verify", str(out), "--backend", "onnxruntime"]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--method", "magic"], "no method 'magic'; known: vanilla"),
        (["--set", "std=1"], "sclip has no parameter 'std'"),
        (["--set", "std"], "key=value"),
        (["--crop", "100"], "not a multiple of the model's patch size 16; take 96 or 112"),
        (["--crop", "8", "--stride", "8"], "take 16"),
        (["--crop", "0"], "positive"),
        (["--stride", "0"], "stride is 0, expected 1 to 64"),
        (["--stride", "65"], "gaps"),
        (["--short-side", "0"], "short side is 0"),
        (["--short-side", "4096"], "short side is 4096"),
        (["--whole", "48x80"], "leave --crop"),
        (["--templates", "nope"], "template set"),
        (["--vocabulary", "sky; sky"], "same name"),
        (["--logit-scale", "-1"], "positive"),
        (["--threshold", "2"], "0 to 1"),
        (["--heads", "7"], "heads"),
    ],
)
def test_bad_settings(files: Path, tmp_path: Path, capsys, more: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    assert main(arguments(files, tmp_path / "b", *more)) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", ["48", "48x", "x48", "ax48", "0x48", "-16x48", "48x50"])
def test_bad_whole_sizes(files: Path, tmp_path: Path, capsys, size: str) -> None:  # type: ignore[no-untyped-def]
    command = ["export", "v", "--pretrained", str(files / "visual.safetensors"), f"--whole={size}"]
    assert main([*command, "--out", str(tmp_path / "b")]) == 1
    assert capsys.readouterr().err.startswith("ShapeError")


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("ViT-Z-99", "none", "no model 'ViT-Z-99'"),
        ("RN50", "none", "not a plain CLIP ViT"),
        ("ViT-B-16", "no_such_tag", "known tags: openai"),
        ("ViT-B-16", "missing.pt", "no weights file"),
        ("ViT-B-16", "small.safetensors", "is not ViT-B-16: its vision tower has width 96 (expected 768)"),
        ("x", "corrupt.safetensors", "cannot read weights"),
        ("x", "corrupt.pt", "cannot read weights"),
        ("x", "resnet.safetensors", "not a plain CLIP vision transformer"),
        ("x", "empty.safetensors", "no tensors"),
        ("x", "truncated.safetensors", "weights do not fit"),
        ("x", "small.safetensors", "merges make"),
    ],
)
def test_bad_models(files: Path, tmp_path: Path, capsys, model: str, weights: str, message: str) -> None:  # type: ignore[no-untyped-def]
    state = small_clip().state_dict()
    (files / "corrupt.safetensors").write_bytes(b"\xff" * 100)
    (files / "corrupt.pt").write_bytes(b"PK\x03\x04 nothing")
    save_file({"visual.layer1.0.conv1.weight": torch.zeros(1)}, files / "resnet.safetensors")
    save_file({}, files / "empty.safetensors")
    short = {k: v for k, v in state.items() if k != "visual.transformer.resblocks.1.mlp.c_fc.weight"}
    save_file({k: v.contiguous() for k, v in short.items()}, files / "truncated.safetensors")
    path = str(files / weights) if "." in weights else weights
    assert main(["export", model, "--pretrained", path, "--out", str(tmp_path / "b")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("WeightsError") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("merges", ["a b c\n", "\n\n", "\xff\xfe"])
def test_bad_merges(files: Path, tmp_path: Path, capsys, merges: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "merges").write_bytes(merges.encode("latin-1"))
    assert main(arguments(files, tmp_path / "b", "--merges", str(tmp_path / "merges"))) == 1
    assert capsys.readouterr().err.startswith("WeightsError")


def test_hub_out_of_reach(tmp_path: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """One line that names the ways without a network, within seconds and without a client's retries."""
    monkeypatch.setattr(source, "reachable", lambda url: False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    assert main(["export", "ViT-B-16", "--pretrained", "openai", "--out", str(tmp_path / "b")]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(OfflineError.__name__) and output.err.count("\n") == 1
    assert "--pretrained FILE.safetensors" in output.err and "--pretrained none" in output.err
    assert not (tmp_path / "b").exists()


def test_existing_targets(files: Path, bundle: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    before = (bundle / "manifest.json").read_bytes()
    assert main(arguments(files, bundle)) == 1
    assert "--force" in capsys.readouterr().err
    (tmp_path / "letter").write_text("dear")
    assert main(arguments(files, tmp_path, "--force")) == 1
    assert "not a bundle" in capsys.readouterr().err
    assert (bundle / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("stage", ["write_reference", "check"])
def test_interrupted_export_leaves_nothing(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, failure: type[BaseException]
) -> None:
    def fail(*args: object) -> None:
        raise failure

    monkeypatch.setattr(build, stage, fail)
    if failure is KeyboardInterrupt:
        assert main(arguments(files, tmp_path / "b")) == 130
    else:
        with pytest.raises(failure):
            main(arguments(files, tmp_path / "b"))
    assert list(tmp_path.iterdir()) == []


def test_failed_gate_leaves_nothing(files: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Graphs that compute something else than the reference are not exported."""
    original = build.write_reference

    def other_model(path, visual, method, *rest):  # type: ignore[no-untyped-def]
        original(path, small_clip(seed=7).visual, method, *rest)

    monkeypatch.setattr(build, "write_reference", other_model)
    assert main(arguments(files, tmp_path / "b")) == 1
    error = capsys.readouterr().err
    assert "ParityError" in error and "image tower on openvino-graph/float32" in error
    assert list(tmp_path.iterdir()) == []
