"""Which built engine runs, and what is said where none can: one rule in Python (``select``) and in the core.

The same records go through both. The core runs on a CUDA driver and a TensorRT that are none (cpp/tests).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="needs the extra: test")

import fake_driver
from tiny_bundle import write_tiny_bundle
from vocabseg import _core
from vocabseg.bundle import read_manifest
from vocabseg.errors import VocabsegError
from vocabseg.tensorrt import key, record, store
from vocabseg.tensorrt.device import is_tegra
from vocabseg.tensorrt.select import select

HERE = key.Machine("10.3.0", "8.9", "Fake GPU", is_tegra())
PROFILE = {"windows": [[1, 3, 32, 32], [2, 3, 32, 32], [4, 3, 32, 32]]}
PASSED: dict[str, Any] = {"passed": True, "failures": []}
FAILED: dict[str, Any] = {"passed": False, "failures": ["smallest cosine 0.1 is below 0.99", "another"]}
PLAN = b"plan 4"

Documents = list[dict[str, Any]]
Change = Callable[[dict[str, Any]], None]


def document(
    manifest: dict[str, Any], name: str = "image", precision: str = "float32", **fields: Any
) -> dict:
    """A record as ``vocabseg build`` writes it; ``fields`` replace or, for those of the key, change it."""
    graph = manifest["files"]["image.onnx"]["sha256"]
    built = {
        "schema": key.KEY_SCHEMA,
        "onnx_sha256": graph,
        "precision": precision,
        "profile": PROFILE,
        **HERE.fields(),
        "tensorrt": "10.3.0.26",
        "options": {},
    }
    built |= {field: value for field, value in fields.items() if field in built}
    whole = {
        "schema_version": record.RECORD_SCHEMA,
        "tower": "image",
        "key": built,
        "digest": "0123456789abcdef",
        "plan": f"{name}.plan",
        "plan_sha256": hashlib.sha256(PLAN).hexdigest(),
        "plan_bytes": len(PLAN),
        "inputs": ["windows"],
        "outputs": ["features"],
        "rebuild": ["--precision", precision, "--batch", "1,6,12"],
        "build": {},
        "parity": PASSED,
        "degraded": False,
        "latency_ms": 2.0,
    }
    return whole | {field: value for field, value in fields.items() if field not in built}


def without(whole: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name not in names}


# Name -> what makes the records of a manifest.
CASES: dict[str, Callable[[dict[str, Any]], Documents]] = {
    "none": lambda m: [],
    "of another network": lambda m: [document(m, tower="text")],
    "fits": lambda m: [document(m)],
    "the same version without its build": lambda m: [document(m, tensorrt="10.3.0")],
    "another TensorRT": lambda m: [document(m, tensorrt="10.4.0.26")],
    "a longer patch number": lambda m: [document(m, tensorrt="10.3.01")],
    "another architecture": lambda m: [document(m, compute_capability="8.7")],
    "another device": lambda m: [document(m, device="Orin's")],
    "a Jetson, or none": lambda m: [document(m, tegra=not HERE.tegra)],
    "another graph": lambda m: [document(m, onnx_sha256="0" * 64)],
    "a graph with weights beside it": lambda m: [document(m, onnx_sha256="0" * 64 + "+" + "1" * 64)],
    "a graph that the bundle lacks": lambda m: [document(m, precision="int8")],
    "empty and absent fields": lambda m: [
        document(m, device="") | {"key": without(document(m, device="")["key"], "compute_capability")}
    ],
    "everything differs": lambda m: [
        document(m, onnx_sha256="x", tensorrt="9", compute_capability="7.5", device="y", tegra=not HERE.tegra)
    ],
    "the one that differs least is named": lambda m: [
        document(m, "a", device="y", tensorrt="9"),
        document(m, "b", device="z"),
        document(m, "c", device="w"),
    ],
    "never checked": lambda m: [document(m, parity=None)],
    "failed its gate": lambda m: [document(m, parity=FAILED)],
    "failed its gate, reasons unknown": lambda m: [document(m, parity={"passed": False})],
    "failed its gate, and accepted": lambda m: [document(m, parity=FAILED, degraded=True)],
    "one does not fit, one failed": lambda m: [document(m, "a", device="y"), document(m, "b", parity=FAILED)],
    "one does not fit, one does": lambda m: [document(m, "a", device="y"), document(m, "b", "float16")],
    "the fastest": lambda m: [document(m, "a"), document(m, "b", "float16", latency_ms=1.0)],
    "a measured one before others": lambda m: [
        document(m, "a", latency_ms=None),
        document(m, "b", "float16"),
    ],
    "one that passed before a faster one": lambda m: [
        document(m, "a", "float16", parity=FAILED, degraded=True, latency_ms=0.5),
        document(m, "b"),
    ],
    "another schema": lambda m: [document(m, schema_version=2)],
    "no schema": lambda m: [without(document(m), "schema_version")],
    "fields are missing": lambda m: [without(document(m), "key", "parity", "latency_ms")],
    "another schema of keys": lambda m: [document(m, schema=9)],
    "a plan elsewhere": lambda m: [document(m) | {"plan": "../other.plan"}],
    "no plan": lambda m: [document(m) | {"plan": ""}],
    "no result": lambda m: [document(m, parity={"passed": "yes"})],
    "unreadable ones are passed over": lambda m: [document(m, "a", schema_version=2), document(m, "b")],
}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory) -> Path:
    """The folder of both."""
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    if (Path(_core.__file__).parent / "libvocabseg_tensorrt.so").exists():
        pytest.skip("this installation has a TensorRT of its own")
    folder: Path = tmp_path_factory.mktemp("fakes")
    fake_driver.build_tensorrt(folder, fake_driver.build(folder))
    return folder


def written(bundle: Path, make: Callable[[dict[str, Any]], Documents]) -> dict[str, Any]:
    """A bundle with two precisions of one graph, and engines in its own folder; its manifest."""
    encoder = {
        "input": "windows",
        "output": "features",
        "variants": {"float32": "image.onnx", "float16": "image.onnx"},
    }
    write_tiny_bundle(bundle, image_encoder=encoder)
    manifest: dict[str, Any] = read_manifest(bundle)
    write_engines(bundle / "engines", make(manifest))
    return manifest


def write_engines(folder: Path, documents: Documents) -> None:
    folder.mkdir(parents=True, mode=0o700)
    for index, each in enumerate(documents):
        (folder / f"{index}.json").write_text(json.dumps(each))
        if Path(each["plan"]).name == each["plan"] != "":
            (folder / each["plan"]).write_bytes(PLAN)


def by_select(
    bundle: Path, manifest: dict[str, Any], precision: str = "auto", cache: bool = False
) -> list[str]:
    try:
        found = select(bundle, manifest, HERE, "image", precision, cache)
    except VocabsegError as error:
        return [type(error).__name__, str(error)]
    return ["opened", f"tensorrt/{found.key['precision']}"]


def by_core(libraries: Path, cases: list[dict[str, str]]) -> list[list[str]]:
    command = [sys.executable, str(Path(__file__).parent / "core_on_fakes.py")]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    done = subprocess.run(
        command, input=json.dumps(cases), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[list[str]] = json.loads(done.stdout)
    return answers


def case(bundle: Path, precision: str = "auto", engines: str = "") -> dict[str, str]:
    return {"bundle": str(bundle), "precision": precision, "engines": engines}


def test_the_core_selects_as_python_does(libraries, tmp_path) -> None:
    bundles = {name: tmp_path / f"{index} it's" for index, name in enumerate(CASES)}
    expected = {name: by_select(bundles[name], written(bundles[name], make)) for name, make in CASES.items()}
    answers = by_core(libraries, [case(bundle) for bundle in bundles.values()])
    assert dict(zip(CASES, answers, strict=True)) == expected
    assert {kind for kind, _ in answers} == {"opened", "BackendUnavailable", "EngineMismatch", "ParityError"}


def test_precisions(libraries, tmp_path) -> None:
    manifest = written(tmp_path / "b", lambda m: [document(m, "a"), document(m, "b", "float16")])
    named = ("float32", "float16", "int8")
    expected = [by_select(tmp_path / "b", manifest, precision) for precision in named]
    assert by_core(libraries, [case(tmp_path / "b", precision) for precision in named]) == expected


def test_a_record_that_is_no_json(libraries, tmp_path) -> None:
    manifest = written(tmp_path / "b", lambda m: [])
    (tmp_path / "b" / "engines" / "x.json").write_text("{")
    (kind, text), (found,) = by_select(tmp_path / "b", manifest), by_core(libraries, [case(tmp_path / "b")])
    start = text[: text.index("x.json: ")]
    assert (kind, found[0]) == ("BackendUnavailable",) * 2
    assert found[1].startswith(start) and found[1].endswith(text[text.index("; run: ") :])


def test_engines_outside_the_bundle(libraries, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    manifest = written(tmp_path / "b", lambda m: [document(m)])
    folder = store.cache_folder(manifest)

    def compare() -> str:
        expected = by_select(tmp_path / "b", manifest, cache=True)
        assert by_core(libraries, [case(tmp_path / "b", engines=str(folder))]) == [expected]
        return expected[0]

    assert compare() == "BackendUnavailable"  # the bundle's own are not looked at
    write_engines(folder, [document(manifest, device="other")])
    assert compare() == "EngineMismatch"
    shutil.rmtree(folder)
    write_engines(folder, [document(manifest, precision="float16")])
    assert compare() == "opened"
    folder.chmod(0o702)
    assert compare() == "CacheError"
