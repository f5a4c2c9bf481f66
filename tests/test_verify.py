"""``vocabseg verify``: every engine against the stored reference; damage is found and named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export_models import MERGES, small_source
from openvino_graph import has_bfloat16
from vocabseg import methods, safetensors_io
from vocabseg.bundle import read_manifest, write_manifest
from vocabseg.cli import main
from vocabseg.export.build import export_bundle
from vocabseg.export.describe import Settings
from vocabseg.export.window import sliding


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    (folder / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in MERGES))
    settings = Settings(precisions=("float32", "bfloat16", "float16"), merges=folder / "merges.txt")
    export_bundle(small_source(), methods.get("sclip"), sliding(64, 32, 96), folder / "b", settings)
    return folder / "b"


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def rewrite_reference(folder: Path, **changes) -> None:  # type: ignore[no-untyped-def]
    """Replace arrays of the reference and enter the new hash."""
    tensors, metadata = safetensors_io.read(folder / "reference.safetensors")
    tensors = {name: array for name, array in (tensors | changes).items() if array is not None}
    safetensors_io.write(folder / "reference.safetensors", tensors, metadata)
    write_manifest(folder, {k: v for k, v in read_manifest(folder).items() if k != "files"})


@pytest.mark.parametrize(
    ("backend", "precision", "name"),
    [
        ("auto", "float32", "openvino/float32"),
        ("openvino", "bfloat16", "openvino/bfloat16"),
        ("openvino-graph", "auto", "openvino-graph/float32"),
        ("openvino-graph", "bfloat16", "openvino-graph/bfloat16"),
        ("openvino-graph", "float16", "openvino-graph/float16"),
        ("onnxruntime", "auto", "onnxruntime/float32"),
        ("onnxruntime", "float16", "onnxruntime/float16"),
    ],
)
def test_backends(bundle: Path, capsys, backend: str, precision: str, name: str) -> None:  # type: ignore[no-untyped-def]
    if name == "openvino/bfloat16" and not has_bfloat16():
        pytest.skip("this CPU has no bfloat16")
    assert main(["verify", str(bundle), "--backend", backend, "--precision", precision, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    image, text = document["parity"]
    assert (image["tower"], text["tower"]) == ("image", "text")
    assert image["backend"] == text["backend"] == name
    assert image["cosine_min"] <= image["cosine_mean"] <= 1 + 1e-9
    if name.endswith("float32"):
        assert image["max_abs"] < 2e-5 and text["max_abs"] < 2e-5 and image["agreement"] == 1.0


def test_table(bundle: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["verify", str(bundle)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[1].endswith("ok") and all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", ["image.onnx", "reference.safetensors", "merges.txt"])
def test_altered_file(copy: Path, capsys, name: str) -> None:  # type: ignore[no-untyped-def]
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    assert main(["verify", str(copy)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("BundleError") and name in error


def test_wrong_results(copy: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    tensors, _ = safetensors_io.read(copy / "reference.safetensors")
    rewrite_reference(copy, features=tensors["features"][:, ::-1].copy())
    assert main(["verify", str(copy), "--precision", "float32"]) == 1
    output = capsys.readouterr()
    assert (
        "FAILED" in output.out and output.err.startswith("ParityError: ") and "smallest cosine" in output.err
    )
    assert main(["verify", str(copy), "--precision", "float32", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_wrong_tokens(copy: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    tensors, _ = safetensors_io.read(copy / "reference.safetensors")
    changed = tensors["tokens"].copy()
    changed[0, 1] += 1
    rewrite_reference(copy, tokens=changed)
    assert main(["verify", str(copy), "--precision", "float32"]) == 1
    assert "tokenizer" in capsys.readouterr().err


def test_reference_lacks_an_array(copy: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    rewrite_reference(copy, embedding=None)
    assert main(["verify", str(copy)]) == 1
    assert "lacks embedding" in capsys.readouterr().err


def test_reference_of_another_shape(copy: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    tensors, _ = safetensors_io.read(copy / "reference.safetensors")
    rewrite_reference(copy, features=tensors["features"][:, :-1].copy())
    assert main(["verify", str(copy)]) == 1
    assert "shape" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--backend", "abacus"], "no backend 'abacus'"),
        (["--backend", "onnxruntime", "--precision", "bfloat16"], "no bfloat16"),
    ],
)
def test_backend_that_cannot_run(bundle: Path, capsys, more: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    assert main(["verify", str(bundle), *more]) == 1
    error = capsys.readouterr().err
    assert error.startswith("BackendUnavailable") and message in error


def test_precision_that_the_bundle_lacks(copy: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    manifest = read_manifest(copy)
    for tower in ("image_encoder", "text_encoder"):
        del manifest[tower]["variants"]["float16"]
    write_manifest(copy, {k: v for k, v in manifest.items() if k != "files"})
    assert main(["verify", str(copy), "--backend", "openvino-graph", "--precision", "float16"]) == 1
    assert "--precision float32 bfloat16 float16" in capsys.readouterr().err


def test_no_bundle(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["verify", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("BundleError")


def test_verification_needs_no_torch() -> None:
    code = "import sys, vocabseg.cli, vocabseg.export.verification; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
