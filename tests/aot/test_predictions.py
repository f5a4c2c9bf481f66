"""The page of predictions: what the set and the chips' figures give, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from vocabseg.kernels.aot.chips import CHIPS
from vocabseg.kernels.aot.predict import document
from vocabseg.kernels.aot.workloads import WORKLOADS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels" / "predictions.md"


@pytest.fixture(scope="module")
def page(entries) -> str:
    return document(entries)


def row(page: str, title: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    return line.strip("| ").split(" | ")


def test_every_op_has_a_row(page) -> None:
    assert "No GPU has confirmed" in page
    for title in WORKLOADS:
        assert all(float(cell.rstrip(" mc*")) > 0 for cell in row(page, title)[1:])


def test_roofline_by_hand(page) -> None:
    """Features [588, 512] and text [171, 512] of float16, scores [171, 588] of float32, at Orin Nano's 68 GB/s."""
    flops = 2 * 588 * 512 * 171
    moved = 2 * (588 + 171) * 512 + 4 * 171 * 588
    microseconds = max(moved / 68e9, flops / 10e12) * 1e6
    expected = [f"{flops / 1e6:.1f}", f"{moved / 1e6:.2f}", f"{microseconds:.1f} m"]
    found = row(page, "patch_text_similarity, N 588, D 512, Q 171")[1:4]
    assert [cell.rstrip("*") for cell in found] == expected


def test_committed_page_is_of_the_committed_set(page) -> None:
    command = "python -m vocabseg.kernels.aot.predict > docs/kernels/predictions.md"
    assert PAGE.read_text() == page, f"run: {command}"


def test_figures_name_their_source() -> None:
    assert len(CHIPS) == 8
    assert all(chip.source and chip.bandwidth > 60e9 and chip.tensor > chip.float32 for chip in CHIPS)
