"""A bundle to build engines of with `fake_tensorrt`: fixtures and helpers of the tests of ``vocabseg build``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

import fake_tensorrt
from export_models import MERGES, small_source
from vocabseg import methods
from vocabseg.bundle import read_manifest, write_manifest
from vocabseg.export.build import export_bundle
from vocabseg.export.describe import Settings as ExportSettings
from vocabseg.export.window import sliding
from vocabseg.tensorrt import backend, process, worker
from vocabseg.tensorrt.build import Settings
from vocabseg.tensorrt.key import Machine

MACHINE = Machine(**fake_tensorrt.MACHINE)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResCLIP, so that there are three networks. The other precisions are the float32 graphs under other names: what
    the backend builds is read from the graph's own words, and types are of no concern here."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in MERGES))
    method = methods.get("resclip", rcs_layers=(0, 1))  # a small model has no blocks 6 to 9
    settings = ExportSettings(merges=folder / "merges.txt")
    export_bundle(small_source(), method, sliding(64, 32, 96), folder / "b", settings)
    manifest = read_manifest(folder / "b")
    for tower in ("image", "feedback", "text"):
        for precision, suffix in (("float16", "fp16"), ("bfloat16", "bf16")):
            add_variant(folder / "b", manifest, tower, precision, f"{tower}.{suffix}.onnx")
    rewrite(folder / "b", manifest)
    return folder / "b"


def add_variant(bundle: Path, manifest: dict, tower: str, precision: str, name: str) -> None:
    graph = onnx.load(bundle / f"{tower}.onnx")
    for entry in graph.metadata_props:
        if entry.key == "precision":
            entry.value = precision
    onnx.save(graph, bundle / name)
    manifest[f"{tower}_encoder"]["variants"][precision] = name


def rewrite(bundle: Path, manifest: dict) -> None:
    write_manifest(bundle, {key: value for key, value in manifest.items() if key != "files"})


@pytest.fixture
def bundle(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(backend, "TENSORRT", fake_tensorrt.BACKEND)
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's steps in this process, which is faster; tests without this fixture start workers."""

    def run(action, job, progress=None):
        job = json.loads(json.dumps(job))
        done = worker.ACTIONS[action](backend.load(job["backend"]), job, progress or (lambda share: None))
        return json.loads(json.dumps(done))

    monkeypatch.setattr(process, "run", run)


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Tells the backend what to pretend; ``built()`` are the graphs that it was asked to build since."""
    log = tmp_path / "log"

    def set_up(**settings) -> None:
        log.write_text("")
        monkeypatch.setenv("FAKE_TENSORRT", json.dumps({"log": str(log), **settings}))

    set_up.entries = lambda: [json.loads(line) for line in log.read_text().splitlines()]
    set_up.built = lambda: [entry["graph"] for entry in set_up.entries()]
    set_up()
    return set_up


def settings(precision: str = "float16", **changes) -> Settings:
    return Settings(precision, backend=fake_tensorrt.BACKEND, **changes)


def files(bundle: Path) -> list[str]:
    return sorted(path.name for path in (bundle / "engines").iterdir() if path.name != ".lock")
