"""A bundle's manifest has the options of its export: an error names the command that makes it again, and that works."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")
from safetensors.torch import save_file

from export_models import small_clip
from vocabseg.bundle import read_manifest
from vocabseg.cli import main
from vocabseg.core import DEMO
from vocabseg.errors import BackendUnavailable
from vocabseg.export.command import export_command, how_to_add, recorded
from vocabseg.export.engines import open_towers

# Of a vision tower alone.
OPTIONS = ["--heads", "12", "--crop", "64", "--short-side", "96", "--method", "naclip", "--set", "std=2.5"]


def test_the_command_makes_the_bundle_again(tmp_path: Path, monkeypatch) -> None:
    state = {
        name: v.contiguous() for name, v in small_clip().state_dict().items() if name.startswith("visual.")
    }
    folder, bundle = tmp_path / "weights", tmp_path / "a bundle"
    folder.mkdir()
    save_file(state, folder / "visual.safetensors")
    given = ["export", "small", "--pretrained", str(folder / "visual.safetensors"), *OPTIONS]
    assert main([*given, "--out", str(bundle)]) == 0
    manifest = read_manifest(bundle)
    assert str(tmp_path) not in (bundle / "manifest.json").read_text()
    with pytest.raises(BackendUnavailable, match="export it again: vocabseg export small --") as raised:
        towers = open_towers(bundle, manifest, "openvino-graph", "float16")
        towers.encode_windows(np.zeros((1, 3, 64, 64), np.float32))
    words = shlex.split(str(raised.value).partition("export it again: ")[2])
    assert words[-6:] == ["--precision", "float32", "float16", "--force", "--out", str(bundle)]
    monkeypatch.chdir(folder)  # files are named without their folders
    assert main(words[1:]) == 0
    again = read_manifest(bundle)
    assert list(again["image_encoder"]["variants"]) == ["float32", "float16"]
    changed = {"created", "files", "image_encoder"}
    for key in manifest.keys() - changed:
        assert again[key] == manifest[key], key


def test_options_at_their_defaults_and_others_are_not_recorded() -> None:
    defaults = {"model": None, "method": "sclip", "heads": None, "precision": ["float32"]}
    given = {"model": "ViT-B-16", "method": "sclip", "heads": None, "precision": ["float16"], "out": "b"}
    assert recorded(given, defaults) == {"model": "ViT-B-16"}
    command = export_command(
        {"export": {"model": "m", "text_heads": 2, "set": ["std=5", "kk=no"]}}, "b", ["float32"]
    )
    assert command == "vocabseg export m --text-heads 2 --set std=5 kk=no --precision float32 --force --out b"


def test_a_bundle_without_options() -> None:
    manifest = read_manifest(DEMO)
    assert export_command(manifest, DEMO, ["float32"]) is None
    text = how_to_add(manifest, "b", ["float32", "int8"], "float16")
    expected = "vocabseg export … --precision float32 float16 --force --out b"
    assert text == f"export it again with the same options and: {expected}"
    assert how_to_add(manifest, "b", ["float32"], "int8").endswith("--precision int8 --calibrate PHOTOS")
