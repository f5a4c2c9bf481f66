"""``vocabseg build`` with a backend that stands for TensorRT: what is built, kept, refused, and left behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra: test")
pytest.importorskip("torch", reason="needs the extra: test")

import fake_tensorrt
from export_models import MERGES, small_source
from vocabseg import errors, methods
from vocabseg.bundle import check_files, read_manifest, write_manifest
from vocabseg.cli import main
from vocabseg.errors import BackendUnavailable, EngineError, EngineMismatch, ParityError
from vocabseg.export.build import export_bundle
from vocabseg.export.describe import Settings as ExportSettings
from vocabseg.export.window import sliding
from vocabseg.tensorrt import backend, process, worker
from vocabseg.tensorrt.build import Settings, Silent, timing_cache
from vocabseg.tensorrt.key import Machine
from vocabseg.tensorrt.policy import build_engines
from vocabseg.tensorrt.select import open_store, select

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


def test_all_networks_are_built_one_after_the_other(bundle: Path, pretend) -> None:
    result = build_engines(bundle, settings())
    assert pretend.built() == ["image.fp16.onnx", "feedback.fp16.onnx", "text.fp16.onnx"]
    assert [record.tower for record in result.records] == ["image", "feedback", "text"]
    assert all(record.passed and not record.degraded for record in result.records)
    assert result.reason() is None
    image = result.records[0]
    assert image.latency_ms > 0 and image.outputs == ["features", "tokens", "attention"]
    assert image.build["warnings"] == ["a warning"]
    assert image.key["tensorrt"] == "10.3.0" and image.key["options"]["tf32"] is False
    assert len(files(bundle)) == 6
    assert select(bundle, read_manifest(bundle), MACHINE, "feedback") == result.records[1]


def test_engines_are_no_part_of_the_bundle(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    again = write_manifest(bundle, {key: value for key, value in manifest.items() if key != "files"})
    assert again["files"] == manifest["files"]


def test_a_second_build_keeps_everything(bundle: Path, pretend) -> None:
    first = build_engines(bundle, settings())
    pretend()
    assert build_engines(bundle, settings()).records == first.records
    assert pretend.built() == []


@pytest.mark.parametrize(
    "change",
    [{"tensorrt": "10.16.0"}, {"device": "Other"}, {"compute_capability": "8.9"}, {"tegra": True}],
)
def test_another_machine_builds_anew(bundle: Path, inline, pretend, change: dict) -> None:
    build_engines(bundle, settings())
    pretend(machine=change)
    with pytest.raises(EngineMismatch):
        select(bundle, read_manifest(bundle), Machine(**(fake_tensorrt.MACHINE | change)), "image")
    build_engines(bundle, settings())
    assert len(pretend.built()) == 3


def test_another_batch_replaces_the_engine(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    pretend()
    result = build_engines(bundle, settings(batch="2"))
    assert pretend.built() == ["image.fp16.onnx", "feedback.fp16.onnx"]  # text has batches of its own
    assert len(files(bundle)) == 6
    assert result.records[0].key["profile"]["windows"] == [[2, 3, 64, 64]] * 3
    with pytest.raises(EngineMismatch, match="2 at most, expected 3.*--batch 2"):
        select(bundle, read_manifest(bundle), MACHINE, "image", batch=3)


def test_a_fixed_batch_above_the_reference_is_padded(bundle: Path, inline, pretend) -> None:
    assert all(record.passed for record in build_engines(bundle, settings(batch="5")).records)


def test_low_memory(bundle: Path, inline, pretend) -> None:
    build_engines(bundle, settings())
    (usual, *_) = pretend.entries()
    assert usual["workspace"] == 2 << 30
    pretend()
    result = build_engines(bundle, settings(low_memory=True))
    (low, *_) = pretend.entries()
    assert low["workspace"] == 512 << 20 and low["options"]["low_memory"] is True
    assert low["options"]["optimization_level"] < usual["options"]["optimization_level"]
    assert result.records[0].rebuild == ["--precision", "float16", "--low-memory"]
    pretend(machine={"tegra": True})
    build_engines(bundle, settings())
    assert pretend.entries()[0]["workspace"] == 1 << 30


def test_too_little_memory_to_try(bundle: Path, inline, pretend) -> None:
    pretend(machine={"free_bytes": 100 << 20})
    with pytest.raises(EngineError, match="100 MiB of free memory.*--low-memory"):
        build_engines(bundle, settings())
    assert files(bundle) == []


class Interrupts(Silent):
    """Presses Ctrl-C while a network is half built."""

    def __init__(self, label: str) -> None:
        self._wanted, self._label = label, ""

    def begin(self, text: str) -> None:
        self._label = text

    def progress(self, share: float) -> None:
        if self._label == self._wanted:
            raise KeyboardInterrupt


def test_an_interrupted_build_resumes(bundle: Path, pretend) -> None:
    pretend(fail={"feedback.fp16.onnx": "hang"})
    with pytest.raises(KeyboardInterrupt):
        build_engines(bundle, settings(), Interrupts("feedback float16"))
    plan, record = sorted(files(bundle), reverse=True)
    assert plan.startswith("image.float16") and record == plan.replace(".plan", ".json")
    with pytest.raises(ParityError, match="never checked"):
        select(bundle, read_manifest(bundle), MACHINE, "image")
    pretend()
    result = build_engines(bundle, settings())
    assert pretend.built() == ["feedback.fp16.onnx", "text.fp16.onnx"]
    assert all(record.passed for record in result.records)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("memory", "out of memory.*--low-memory"),
        ("kill", "build of text.fp16.onnx was killed.*--low-memory"),
        ("error", "build of text.fp16.onnx ended with code 1: .*a fault in the backend"),
    ],
)
def test_a_build_that_fails_keeps_what_is_done(bundle: Path, pretend, fault: str, message: str) -> None:
    pretend(fail={"text.fp16.onnx": fault})
    with pytest.raises(EngineError, match=message):
        build_engines(bundle, settings())
    assert len(files(bundle)) == 4
    pretend()
    build_engines(bundle, settings())
    assert pretend.built() == ["text.fp16.onnx"]


@pytest.mark.parametrize("content", [b"", b"FAKEPLAN", None])
def test_a_damaged_engine_is_built_anew(bundle: Path, inline, pretend, content: bytes | None) -> None:
    first = build_engines(bundle, settings())
    plan = bundle / "engines" / first.records[0].plan
    if content is None:
        plan.unlink()
    else:
        plan.write_bytes(content)
    pretend()
    again = build_engines(bundle, settings())
    assert pretend.built() == ["image.fp16.onnx"] and again.records[0].passed


def test_the_gate_fails_the_build_unless_it_may_not(bundle: Path, inline, pretend) -> None:
    pretend(noise={"float16": 0.05})
    with pytest.raises(ParityError, match=r"image network in float16: smallest cosine.*--allow-degraded"):
        build_engines(bundle, settings())
    with pytest.raises(ParityError, match="failed its parity gate"):
        select(bundle, read_manifest(bundle), MACHINE, "image")
    pretend(noise={"float16": 0.05})
    result = build_engines(bundle, settings(allow_degraded=True))
    assert pretend.built() == []  # the engines were kept
    assert [record.degraded for record in result.records] == [True, True, True]
    assert select(bundle, read_manifest(bundle), MACHINE, "image").degraded
    with pytest.raises(ParityError):
        build_engines(bundle, settings())


def test_results_that_are_not_finite_fail_the_gate(bundle: Path, inline, pretend) -> None:
    pretend(noise={"float16": float("nan")})
    with pytest.raises(ParityError, match="results are not finite"):
        build_engines(bundle, settings())
    record = build_engines(bundle, settings(allow_degraded=True)).records[0]
    assert record.degraded and record.parity["cosine_min"] is None


def test_auto_takes_the_fastest_that_passes(bundle: Path, inline, pretend) -> None:
    pretend(delay={"float16": 0.02, "bfloat16": 0.01})
    result = build_engines(bundle, settings("auto"))
    assert result.precision == "bfloat16"
    assert result.reason().startswith("auto took bfloat16, the fastest that passes its gate here (float16: ")
    assert pretend.built() == ["image.fp16.onnx", "image.bf16.onnx", "feedback.bf16.onnx", "text.bf16.onnx"]
    assert len(files(bundle)) == 6 and not any("float16." in n and "bfloat16" not in n for n in files(bundle))
    assert result.records[0].rebuild == ["--precision", "bfloat16"]


def test_auto_passes_over_what_fails(bundle: Path, inline, pretend) -> None:
    pretend(delay={"bfloat16": 0.02}, noise={"float16": 0.05})
    result = build_engines(bundle, settings("auto"))
    assert result.precision == "bfloat16" and "float16: " in result.reason() and "failed" in result.reason()
    assert len(files(bundle)) == 6
    shutil.rmtree(bundle / "engines")
    pretend(noise={"float16": 0.05}, fail={"image.bf16.onnx": "memory"})
    result = build_engines(bundle, settings("auto"))
    assert result.precision == "float32" and "bfloat16: TensorRT could not build it" in result.reason()


def test_auto_looks_at_the_other_networks_too(bundle: Path, inline, pretend) -> None:
    pretend(delay={"bfloat16": 0.02}, fail={"text.fp16.onnx": "memory"})
    result = build_engines(bundle, settings("auto"))
    assert result.precision == "bfloat16" and "float16: " in result.reason()
    assert "out of memory" in result.reason()
    assert len(files(bundle)) == 6


def test_auto_leaves_engines_that_were_there(bundle: Path, inline, pretend) -> None:
    pretend(delay={"float16": 0.02})
    build_engines(bundle, settings("float16"))
    assert build_engines(bundle, settings("auto")).precision == "bfloat16"
    assert len(files(bundle)) == 12


def test_a_precision_that_the_bundle_lacks(bundle: Path, inline, pretend) -> None:
    manifest = read_manifest(bundle)
    for tower in ("image", "feedback", "text"):
        del manifest[f"{tower}_encoder"]["variants"]["float16"]
    rewrite(bundle, manifest)
    with pytest.raises(BackendUnavailable, match=r"no float16 graph.*--precision float32 bfloat16 float16"):
        build_engines(bundle, settings())


def test_an_altered_bundle_is_not_built(bundle: Path, inline, pretend) -> None:
    with (bundle / "image.fp16.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(errors.BundleError, match="altered"):
        build_engines(bundle, settings())
    assert pretend.built() == []


def test_the_command(bundle: Path, pretend, capsys) -> None:
    assert main(["build", str(bundle), "--engine", "tensorrt", "--precision", "fp16"]) == 0
    output = capsys.readouterr()
    assert [line.split()[0] for line in output.out.splitlines()] == ["network", "image", "feedback", "text"]
    assert output.err.splitlines()[0].startswith("image float16      built in 0 s")
    assert "parity gate        passed, image network" in output.err
    command = ["build", str(bundle), "--engine", "tensorrt", "--json", "--cache"]
    pretend(delay={"bfloat16": 0.01})
    assert main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["precision"] == "float16" and len(document["trials"]) == 2
    assert [engine["passed"] for engine in document["engines"]] == [True] * 3


def test_the_command_without_tensorrt(bundle: Path, capsys, monkeypatch) -> None:
    monkeypatch.undo()
    assert main(["build", str(bundle), "--engine", "tensorrt"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("BackendUnavailable: ") and "run: " in error
    assert not (bundle / "engines").exists()


def test_engines_in_the_cache(bundle: Path, inline, pretend, tmp_path: Path) -> None:
    result = build_engines(bundle, settings(cache=True))
    assert not (bundle / "engines").exists()
    (folder,) = (tmp_path / "home" / "engines").iterdir()
    assert (folder / result.records[0].plan).is_file()
    assert select(bundle, read_manifest(bundle), MACHINE, "image", cache=True) == result.records[0]


@pytest.mark.parametrize("cache", [[], ["--cache"]])
def test_verify_runs_what_was_built(bundle: Path, inline, pretend, capsys, cache: list[str]) -> None:
    verify = ["verify", str(bundle), "--backend", "tensorrt", *cache]
    assert main(verify) == 1
    assert "BackendUnavailable: " in capsys.readouterr().err
    result = build_engines(bundle, settings(cache=bool(cache)))
    capsys.readouterr()
    assert main([*verify, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["parity"]
    assert [(each["tower"], each["backend"]) for each in found] == [
        ("image", "tensorrt/float16"),
        ("feedback", "tensorrt/float16"),
        ("text", "tensorrt/float16"),
    ]
    store = open_store(bundle, read_manifest(bundle), bool(cache))
    (store.folder / result.records[2].plan).write_bytes(b"FAKEPLAN cut")
    assert main(verify) == 1
    error = capsys.readouterr().err
    assert error.startswith("EngineError: ") and "is damaged" in error
    assert f"run: vocabseg build {bundle} --engine tensorrt --precision float16" in error
    pretend(machine={"tensorrt": "10.4.0"})
    assert main(verify) == 1
    assert capsys.readouterr().err.startswith("EngineMismatch: ")


def test_timing_caches_are_of_a_version_and_a_device(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path))
    machine = Machine("10.3.0", "8.9", "NVIDIA L4/../x", False)
    assert timing_cache(machine) == tmp_path / "timing" / "10.3.0-sm8.9-NVIDIA-L4-..-x.cache"


def test_worker_errors_keep_their_class() -> None:
    with pytest.raises(errors.BundleError):
        process.run("check", {"backend": fake_tensorrt.BACKEND, "bundle": "/nowhere", "folder": "/nowhere"})
    with pytest.raises(EngineError, match="ended with code 1"):
        process.run("machine", {"backend": "no_such_module:X"})


def test_the_parent_imports_no_tensorrt() -> None:
    code = "import sys, vocabseg.tensorrt.policy, vocabseg.tensorrt.device, vocabseg.cli.build;"
    code += "assert not {'tensorrt', 'torch', 'pycuda', 'cuda.bindings'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
