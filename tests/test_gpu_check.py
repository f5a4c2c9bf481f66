"""``bench.gpu_check`` without a GPU: its one error, and its report from parts that stand for the real ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import gpu_check
from bench.gpu.parts import Check, Outcome, Part, run_parts

from vocabseg.errors import BackendUnavailable

TRITON, CUBINS = "Triton kernels equal", "cubins for sm_80"


@pytest.fixture
def page(tmp_path) -> Path:
    return Path(shutil.copy(ROOT / "docs" / "gpu-status.md", tmp_path / "page.md"))


@pytest.fixture
def check(page, tmp_path, monkeypatch):
    """The command on an imagined GPU with the given parts: exit code and JSON."""

    def call(*parts: Part, gpu: str = "Imagined (sm_90)") -> tuple[int, dict]:
        monkeypatch.setattr(gpu_check, "find_gpu", lambda: gpu)
        monkeypatch.setattr(gpu_check, "parts", lambda: list(parts))
        out = tmp_path / "out.json"
        code = gpu_check.main(["--quick", "--out", str(out), "--page", str(page)])
        return code, json.loads(out.read_text())

    return call


def part(name: str, *checks: Check) -> Part:
    return Part(name, (5, 5), lambda context: Outcome(list(checks)))


def row(page: Path, claim: str) -> str:
    return next(line for line in page.read_text().splitlines() if line.startswith(f"| {claim}"))


def test_without_a_gpu(page, tmp_path, monkeypatch, capsys) -> None:
    def none() -> str:
        raise BackendUnavailable("libcuda.so.1 is not installed")

    monkeypatch.setattr(gpu_check, "find_gpu", none)
    before = page.read_bytes()
    assert gpu_check.main(["--out", str(tmp_path / "out.json"), "--page", str(page)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "libcuda.so.1 is not installed" in line and line.endswith("run: vocabseg doctor")
    assert page.read_bytes() == before
    assert list(tmp_path.iterdir()) == [page]


def test_rows_that_were_covered_change_and_the_others_stay(check, page) -> None:
    before = page.read_text().splitlines()
    code, found = check(
        part("kernels", Check("pamr/triton", True, "12 tests", TRITON), Check("x", False, "a | b", CUBINS))
    )
    assert code == 1 and found["device"] == "Imagined (sm_90)"
    date = found["date"]
    assert row(page, TRITON).endswith(f"| passed 1: pamr/triton 12 tests; Imagined (sm_90), {date} |")
    assert row(page, CUBINS).endswith(f"| FAILED 1 of 1: x a / b; Imagined (sm_90), {date} |")
    after = page.read_text().splitlines()
    changed = [line for line, old in zip(after, before, strict=True) if line != old]
    assert len(changed) == 2


def test_a_second_run_replaces_what_the_first_one_wrote(check, page) -> None:
    check(part("kernels", Check("a", True, "first", TRITON)))
    code, _ = check(part("kernels", Check("a", True, "second", TRITON)), gpu="Another")
    assert code == 0
    assert "second; Another" in row(page, TRITON) and "first" not in page.read_text()


def test_a_part_that_fails_does_not_stop_the_others(check, capsys) -> None:
    def fail(context) -> Outcome:
        raise RuntimeError("device lost")

    code, found = check(Part("first", (5, 5), fail), part("second", Check("fine", True)))
    assert code == 1
    assert found["parts"]["first"]["checks"][0]["detail"] == "RuntimeError: device lost"
    assert found["parts"]["second"]["passed"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0] == "Imagined (sm_90): 2 checks, 1 failed (first), 0 left out"


def test_all_passed(check) -> None:
    assert check(part("only", Check("fine", True)))[0] == 0


def test_budgets(tmp_path) -> None:
    seen = []

    def spend(context) -> Outcome:
        seen.append(context.left())
        time.sleep(0.2)
        return Outcome()

    parts = [Part(name, (1, 9), spend) for name in ("a", "b", "c")]
    found = run_parts(parts, True, tmp_path, [], 0.3)
    assert 0.2 < seen[0] <= 0.3 and seen[1] <= 0.11  # the total is shorter than a part's own time
    assert len(seen) == 2
    assert found["c"]["left_out"] == ["no time was left"]
    run_parts(parts[:1], False, tmp_path, [], 100)
    assert 8 < seen[-1] <= 9


def test_files_appear_whole(check, page, monkeypatch) -> None:
    """The page gets its name last, and a failure leaves the old one."""
    before = page.read_bytes()
    written = []
    replace = os.replace

    def refuse(source, target) -> None:
        written.append(Path(source).name)
        if Path(target).name == page.name:
            raise OSError("disk full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        check(part("kernels", Check("a", True, "", TRITON)))
    assert all(name.endswith(".tmp") for name in written)
    assert page.read_bytes() == before
    assert sorted(path.name for path in page.parent.iterdir()) == ["out.json", page.name]


def test_every_claim_that_the_parts_speak_for_has_a_row() -> None:
    from bench.gpu import claims

    text = (ROOT / "docs" / "gpu-status.md").read_text().splitlines()
    for claim in claims.ALL:
        assert sum(line.startswith(f"| {claim}") for line in text) == 1, claim
