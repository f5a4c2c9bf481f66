"""The command, and that the same sources give the same bytes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vocabseg.kernels.aot import FOLDER, catalogue, manifest
from vocabseg.kernels.aot.__main__ import main
from vocabseg.kernels.aot.architectures import ARCHITECTURES
from vocabseg.kernels.aot.build import build

KERNEL = "patch_text_similarity"


def hashes(document) -> dict:
    return {(e["kernel"], e["dtype"], str(e["variant"]), e["arch"]): e["sha256"] for e in document["kernels"]}


@pytest.fixture
def same_compiler() -> None:
    made_by = manifest.read(FOLDER)["compiler"]
    if made_by != catalogue.compiler():
        pytest.skip(f"the set was made by {made_by}, here is {catalogue.compiler()}")


@pytest.mark.usefixtures("same_compiler")
def test_bytes_are_reproduced(tmp_path, monkeypatch) -> None:
    """Whatever the caller's Triton is told to do."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setenv("TRITON_DISABLE_LINE_INFO", "0")
    command = [sys.executable, "-m", "vocabseg.kernels.aot", "--arch", "87", "--kernel", KERNEL]
    subprocess.run([*command, "--out", tmp_path, "--jobs", "1"], check=True, capture_output=True)
    again, before = hashes(manifest.read(tmp_path)), hashes(manifest.read(FOLDER))
    assert again
    assert again == {key: before[key] for key in again}


@pytest.mark.slow
@pytest.mark.usefixtures("same_compiler")
def test_whole_set_is_reproduced(tmp_path) -> None:
    build(tmp_path, ARCHITECTURES, processes=2)
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {path.name for path in tmp_path.iterdir()}
    assert all((FOLDER / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)


def test_committed_set_is_of_these_sources() -> None:
    document = manifest.read(FOLDER)
    assert document["sources_sha256"] == catalogue.sources_sha256(), "run: python -m vocabseg.kernels.aot"
    assert {entry["arch"] for entry in document["kernels"]} == set(ARCHITECTURES)


def test_packs_hold_what_the_manifest_says(tmp_path) -> None:
    document = manifest.read(FOLDER)
    places = {(e["file"], e["offset"], e["size"]) for e in document["kernels"]}
    assert all(offset % manifest.ALIGNMENT == 0 for _, offset, _ in places)
    entry = document["kernels"][0]
    data = bytearray((FOLDER / entry["file"]).read_bytes())
    data[entry["offset"] + 100] ^= 1
    (tmp_path / entry["file"]).write_bytes(data)
    with pytest.raises(ValueError, match="is not the one in the manifest"):
        manifest.cubin(tmp_path, entry)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arch", "87"], "needs --out"),
        (["--kernel", KERNEL], "needs --out"),
        (["--arch", "87x", "--out", "x"], "expected some of 80,86"),
        (["--arch", "75", "--out", "x"], "expected some of 80,86"),
    ],
)
def test_bad_arguments(arguments, message, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_unknown_kernel(tmp_path, capsys) -> None:
    assert main(["--kernel", "blur", "--out", str(tmp_path)]) == 1
    assert "there is no kernel blur; there are " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
