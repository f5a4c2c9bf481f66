"""Bundles on disk: whole or not there, and nothing in them changes unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vocabseg.bundle import MANIFEST, check_files, inside, new_bundle, read_manifest, write_manifest
from vocabseg.errors import BundleError

MANIFEST_BODY = {
    "name": "x",
    "model": {},
    "method": {},
    "window": {},
    "grid": [1, 1],
    "normalization": {},
    "logit_scale": 40.0,
    "image_encoder": {},
}


def make(folder: Path) -> dict:
    (folder / "sub").mkdir(parents=True)
    (folder / "a.onnx").write_bytes(b"abc")
    (folder / "sub" / "b.txt").write_text("b")
    return write_manifest(folder, MANIFEST_BODY)


def test_manifest_lists_every_file(tmp_path: Path) -> None:
    manifest = make(tmp_path / "b")
    assert list(manifest["files"]) == ["a.onnx", "sub/b.txt"]
    assert manifest["files"]["a.onnx"] == {
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "bytes": 3,
    }
    assert manifest["schema_version"] == 1
    check_files(tmp_path / "b", manifest)
    assert read_manifest(tmp_path / "b") == manifest


@pytest.mark.parametrize("damage", ["altered", "missing", "truncated"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    manifest = make(tmp_path)
    path = tmp_path / "a.onnx"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"abd" if damage == "altered" else b"ab")
    with pytest.raises(BundleError, match="a.onnx"):
        check_files(tmp_path, manifest)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".", "sub/../../secret"])
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    make(tmp_path / "b")
    with pytest.raises(BundleError):
        inside(tmp_path / "b", name)


def test_links_stay_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    make(tmp_path / "b")
    (tmp_path / "b" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match="not inside"):
        inside(tmp_path / "b", "link")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read"),
        ("[]", "schema_version None"),
        ('{"schema_version": 2}', "schema_version 2, expected 1"),
        ('{"schema_version": 1}', "lacks name"),
        (
            json.dumps(
                {"schema_version": 1, "files": {}, **MANIFEST_BODY, "post_steps": [{"name": "magic"}]}
            ),
            "'magic'",
        ),
    ],
)
def test_bad_manifests(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=message):
        read_manifest(tmp_path)


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="vocabseg export"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_bundle_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), new_bundle(tmp_path / "b") as folder:
        make(folder / "deep")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_new_bundle_appears_at_once(tmp_path: Path) -> None:
    target = tmp_path / "new" / "b"
    with new_bundle(target) as folder:
        make(folder / "x")
        assert not target.exists()
        assert folder.parent == target.parent
    assert (target / "x" / MANIFEST).is_file()
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_existing_targets_are_kept(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "letter").write_text("dear")
    (tmp_path / "file").write_text("x")
    make(tmp_path / "bundle")
    for name, force in (("documents", True), ("documents", False), ("file", True), ("bundle", False)):
        with pytest.raises(BundleError, match=name), new_bundle(tmp_path / name, force):
            pytest.fail("must not start")
    assert (tmp_path / "documents" / "letter").read_text() == "dear"


def test_force_replaces_a_bundle_only_when_done(tmp_path: Path) -> None:
    make(tmp_path / "b")
    with pytest.raises(ValueError), new_bundle(tmp_path / "b", force=True) as folder:
        (folder / "new").write_text("x")
        raise ValueError
    assert (tmp_path / "b" / "a.onnx").is_file()
    with new_bundle(tmp_path / "b", force=True) as folder:
        (folder / "new").write_text("x")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with new_bundle(tmp_path / "b") as folder:
        (folder / "x").write_text("x")
    assert (tmp_path / "b" / "x").is_file()


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="cannot write"), new_bundle(tmp_path / "file" / "b"):
        pytest.fail("must not start")
