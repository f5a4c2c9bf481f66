"""The pages of docs/methods say what ``vocabseg methods`` says, and their figures are there and small."""

from __future__ import annotations

from pathlib import Path

import pytest

from vocabseg import literature, methods
from vocabseg.cli.methods import _flops, _number, _value

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "methods"
MAX_BYTES = 60_000


@pytest.mark.parametrize("name", methods.names())
def test_page(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    entry = literature.entries()[name]
    parameters = [f"`{key}={_value(each['default'])}`" for key, each in entry["parameters"].items()]
    numbers = [_number(miou) for each in entry["published"] for miou in each["miou"].values()]
    presets = [f"`{preset}`" for preset in entry["presets"]]
    expected = [entry["title"], entry["venue"], f"{_flops(entry)} flops", *parameters, *presets]
    assert [part for part in (*expected, *(f"| {number} |" for number in numbers)) if part not in text] == []
    assert f"[`{name}`]({name}.md)" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in methods.names() if name != "proxyclip"])
def test_figure(name: str) -> None:
    assert 10_000 < (FOLDER / "images" / f"{name}.png").stat().st_size <= MAX_BYTES
    assert f"(images/{name}.png)" in (FOLDER / f"{name}.md").read_text(encoding="utf-8")
