"""Every command and Python block of the README and of docs/ is run, in order, in a folder with a picture in it.

A block that is not run says why in a comment in front of it. What a test elsewhere runs is listed here with its name.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vocabseg.cli import main
from vocabseg.core import DEMO

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL
)
# Command prefix -> where it is run instead.
ELSEWHERE = {
    "sh scripts/": ".ci/run",
    "cmake ": "tests/test_cmake_package.py",
    "ctest ": "tests/test_cmake_package.py",
    ".venv/bin/": "scripts/test.sh",
    "pip install": "scripts/test.sh",
    "python -m vocabseg.train.demo": "tests/test_train_loop.py, at a small size",
}
NEEDS_TORCH = ("vocabseg export", "from vocabseg import clip")


def blocks(page: Path, language: str) -> list[str]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [match["text"] for match in found if match["language"] == language and not match["reason"]]


def commands(page: Path) -> list[str]:
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    return [line for line in lines if not line.startswith(tuple(ELSEWHERE))]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with ``photo.jpg``, and a cache of its own."""
    if not DEMO.is_dir():
        pytest.fail("the demo bundle is missing; make it with: python -m vocabseg.train.demo")
    picture = (
        np.random.default_rng(0).integers(0, 256, (15, 20, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    )
    Image.fromarray(picture).save(tmp_path / "photo.jpg")
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> None:
    words = shlex.split(command.partition("  #")[0])
    if words[0] == "vocabseg":
        assert main(words[1:]) == 0, command
    elif words[:3] in (["python", "-m", "bench.latency"], ["python", "-m", "bench.kernels"]):
        subprocess.run([sys.executable, *words[1:]], check=True, env=environment(), capture_output=True)
    elif words[:2] == ["python", "-m"]:
        subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True)
    else:
        pytest.fail(f"the documentation shows a command that no test runs: {command}")


def environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands(page, folder) -> None:
    for command in commands(page):
        if command.startswith(NEEDS_TORCH):
            pytest.importorskip("torch")
        run(command)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_blocks(page, folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    masks = np.zeros((2, 240, 320), bool)
    masks[0, :100], masks[1, 100:] = True, True
    names: dict = {"masks": masks}
    for block in blocks(page, "python"):
        if any(need in block for need in NEEDS_TORCH):
            torch = pytest.importorskip("torch")
            names["images"] = torch.zeros(1, 3, 112, 112)
            monkeypatch.chdir(ROOT)
        exec(compile(block, str(page), "exec"), names)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_error_has_a_row() -> None:
    from vocabseg import errors

    table = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    classes = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert [name for name in classes if f"`{name}`" not in table and name != "VocabsegError"] == []
