"""Which engines ``vocabseg build`` keeps: the parity gate, ``--precision auto``, and what is verified afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tensorrt_builds
from tensorrt_builds import MACHINE, files, rewrite, settings
from vocabseg import errors
from vocabseg.bundle import read_manifest
from vocabseg.cli import main
from vocabseg.errors import BackendUnavailable, ParityError
from vocabseg.tensorrt.policy import build_engines
from vocabseg.tensorrt.select import open_store, select

exported, bundle = tensorrt_builds.exported, tensorrt_builds.bundle
inline, pretend = tensorrt_builds.inline, tensorrt_builds.pretend


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
    rewrite(bundle, manifest | {"export": {"model": "small", "set": ["std=5"]}})
    command = f"again: vocabseg export small --set std=5 --precision float32 bfloat16 float16 --force --out {bundle}"
    with pytest.raises(BackendUnavailable, match=command):
        build_engines(bundle, settings())


def test_an_altered_bundle_is_not_built(bundle: Path, inline, pretend) -> None:
    with (bundle / "image.fp16.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(errors.BundleError, match="altered"):
        build_engines(bundle, settings())
    assert pretend.built() == []


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
