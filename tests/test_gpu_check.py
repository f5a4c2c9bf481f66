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
from bench.gpu import commands, environment, kernels
from bench.gpu.commands import OutOfTime
from bench.gpu.parts import Check, Context, Outcome, Part, at_once, run_parts
from bench.gpu.target import Target

from vocabseg.errors import BackendUnavailable
from vocabseg.ops.registry import Implementation

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
    assert row(page, TRITON).endswith(f"| passed 1: pamr/triton: 12 tests; Imagined (sm_90), {date} |")
    assert row(page, CUBINS).endswith(f"| FAILED 1 of 1: x: a / b; Imagined (sm_90), {date} |")
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

    def second(context) -> Outcome:
        return Outcome([Check("fine", True)], ["no toolkit"])

    code, found = check(Part("first", (5, 5), fail), Part("second", (5, 5), second))
    assert code == 1
    assert found["parts"]["first"]["checks"][0]["detail"] == "RuntimeError: device lost"
    assert found["parts"]["second"]["passed"]
    said = capsys.readouterr()
    failure, left_out, counts, written = said.out.splitlines()
    assert failure == "FAILED    first: RuntimeError: device lost"
    assert left_out == "left out  no toolkit"
    assert counts == "Imagined (sm_90): 2 checks, 1 failed, 1 left out"
    assert written.startswith("written: ")
    assert [line.split()[:2] for line in said.err.splitlines()][::2] == [["first", "up"], ["second", "up"]]


def test_all_passed(check) -> None:
    assert check(part("only", Check("fine", True)))[0] == 0


def context(tmp_path: Path, seconds: float, quick: bool = True, target: Target | None = None) -> Context:
    return Context(quick, tmp_path, (), time.monotonic() + seconds, target or Target())


def test_budgets(tmp_path) -> None:
    seen = []

    def spend(given: Context) -> Outcome:
        seen.append(given.left())
        time.sleep(0.2)
        return Outcome()

    parts = [Part(name, (1, 9), spend) for name in ("a", "b", "c")]
    found = run_parts(parts, context(tmp_path, 0.3))
    assert 0.2 < seen[0] <= 0.3 and seen[1] <= 0.11  # the total is shorter than a part's own time
    assert len(seen) == 2
    assert found["c"]["left_out"] == ["c, for lack of time"]
    run_parts(parts[:2], context(tmp_path, 100, quick=False), scale=2)
    assert 17 < seen[-2] <= 18 and 35 < seen[-1] <= 36  # what the first one left is the second one's


def test_the_parts_take_the_time_of_the_whole() -> None:
    for kind in (0, 1):
        assert sum(part.seconds[kind] for part in gpu_check.parts()) == 60 * gpu_check.MINUTES[kind]


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


def test_kernels_from_the_lines_of_a_report(tmp_path) -> None:
    items = [Implementation("pamr/triton", True, ""), Implementation("pamr/cubin", True, "")]
    items.append(Implementation("mask_pooling/cubin", False, "no set"))
    passed = {"test": "one", "implementation": "pamr/triton", "outcome": "passed", "said": ""}
    failed = {**passed, "test": "two", "implementation": "pamr/cubin", "outcome": "failed"}
    report = tmp_path / "report.jsonl"
    lines = [json.dumps(line) + "\n" for line in ({"selected": 5}, passed, failed)]
    report.write_text("".join(lines) + '{"test": "cut')
    found = kernels.outcome(kernels.lines(report), "", items)
    assert found.verdicts() == {"pamr/triton": True, "pamr/cubin": False, "launches": False}
    assert found.left_out == [
        "mask_pooling/cubin: no set",
        "3 of 5 tests of kernels, for lack of time",
    ]


def test_what_nvidia_smi_cannot_read_is_none() -> None:
    read = environment.parse(("name", "power", "clock"), "H100, [N/A], 1980 MHz\n")
    assert read == {"name": "H100", "power": None, "clock": "1980 MHz"}
    assert environment.parse(("name", "power"), "no devices") is None


def test_a_step_ends_in_time() -> None:
    with pytest.raises(OutOfTime):
        commands.python(("-c", "import time; time.sleep(60)"), 0.5)
    with pytest.raises(OutOfTime):
        commands.python(("-c", ""), 0)


def test_a_job_that_fails_or_is_late_leaves_the_others() -> None:
    def fail(name: str, context: Context) -> Outcome:
        raise ValueError("no")

    def late(name: str, context: Context) -> Outcome:
        raise OutOfTime

    jobs = {"a": fail, "b": late, "c": lambda name, context: Outcome([Check(name, True)], [], {name: 1})}
    found = at_once(jobs, Context(True, Path(), (), 0), TRITON)
    assert [check.name for check in found.checks] == ["a", "c"]
    assert found.left_out == ["b, for lack of time"] and found.measured == {"c": 1}
    assert found.checks[0] == Check("a", False, "ValueError: no", TRITON)
