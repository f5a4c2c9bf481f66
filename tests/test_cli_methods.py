"""``vocabseg methods``: what it prints fits the methods themselves, and needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields

import pytest

from vocabseg import literature, methods
from vocabseg.cli import main, terminal


def printed(capsys, *arguments: str) -> str:
    assert main(["methods", *arguments]) == 0
    return capsys.readouterr().out


def test_overview_names_every_method_and_its_costs(capsys) -> None:
    text = printed(capsys)
    rows = {line.split()[0]: line for line in text.split("\n\n")[0].splitlines()}
    assert list(rows) == ["method", *methods.names()]
    assert "ICML 2021" in rows["vanilla"] and "+0.0 %" in rows["vanilla"] and "41.8 [1]" in rows["vanilla"]
    assert "80.9 [1]" in rows["clearclip"] and "84.3 [8]" in rows["scclip"]
    assert "[1] plain class names" in text
    assert all(terminal.text_width(line) <= terminal.WIDTH for line in text.splitlines())


@pytest.mark.parametrize("name", methods.names())
def test_one_in_full(name, capsys) -> None:
    text = printed(capsys, name)
    entry = literature.entries()[name]
    assert text.startswith(f"{name}: {entry['authors']}")
    for part in (*entry["parameters"], *entry["presets"], "published mIoU", "GFLOP"):
        assert part in text
    assert all(terminal.text_width(line) <= terminal.WIDTH for line in text.splitlines())


def test_json(capsys) -> None:
    document = json.loads(printed(capsys, "scclip", "--json"))
    assert list(document) == ["scclip"]
    assert document["scclip"]["presets"]["context60"]["threshold"] == 0.15
    assert list(json.loads(printed(capsys, "--json"))) == methods.names()


def test_unknown_method(capsys) -> None:
    assert main(["methods", "maskclap"]) == 1
    assert "known: vanilla, maskclip" in capsys.readouterr().err


def test_loads_no_torch() -> None:
    code = (
        "import sys; from vocabseg.cli import main; main(['methods']); main(['methods', 'resclip'])\n"
        "assert not {'torch', 'numpy', 'vocabseg._core'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_parameters_are_those_of_the_classes() -> None:
    pytest.importorskip("torch")
    for name, entry in literature.entries().items():
        method = type(methods.get(name))
        defaults = {field.name: field.default for field in fields(method)}
        listed = {key: each["default"] for key, each in entry["parameters"].items()}
        assert json.loads(json.dumps(defaults)) == listed, name


def test_times_of_a_run_of_the_benchmark(tmp_path, monkeypatch, capsys) -> None:
    case = {"model": "ViT-B-16", "window": "336x336", "size": [480, 640], "threads": 2}
    rows = [{"method": "sclip", "times": {"warm": {"vanilla": 1.04}, "cpu": {"vanilla": 1.1}}}]
    for name in ("literature.json", "demo.json"):
        (tmp_path / name).write_bytes((literature.ASSETS / name).read_bytes())
    monkeypatch.setattr(literature, "ASSETS", tmp_path)
    assert "not measured" in printed(capsys, "sclip")
    document = {"machine": {"cpu": "some CPU"}, "case": case, "rows": rows}
    (tmp_path / "time.json").write_text(json.dumps(document))
    assert "1.04x" in printed(capsys, "sclip")
    assert "not measured" in printed(capsys, "naclip")
    assert "ViT-B-16, window 336x336, frames 480x640, 2 threads, some CPU" in " ".join(
        printed(capsys).split()
    )
