"""docs/gpu-status.md: a run fills the last column of the rows that it covers and keeps the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vocabseg.files import write_atomic

_NAMED = 3


def update(page: Path, parts: Mapping[str, Any], device: str, date: str) -> None:
    """Rewrite the page. Raises ValueError where a claim has no row."""
    checks = [check for part in parts.values() for check in part["checks"] if check["claim"]]
    claims = list(dict.fromkeys(check["claim"] for check in checks))
    lines = page.read_text(encoding="utf-8").splitlines()
    for claim in claims:
        found = verdict([check for check in checks if check["claim"] == claim])
        fill(lines, claim, f"{found}; {device}, {date}")
    write_atomic(page, ("\n".join(lines) + "\n").encode())


def fill(lines: list[str], claim: str, text: str) -> None:
    """Put ``text`` into the last cell of the row that begins with ``claim``."""
    rows = [index for index, line in enumerate(lines) if line.startswith(f"| {claim}")]
    if len(rows) != 1:
        raise ValueError(f"{len(rows)} rows of the page begin with {claim!r}, expected 1")
    cells = lines[rows[0]].split(" | ")
    lines[rows[0]] = " | ".join([*cells[:-1], f"{cell(text)} |"])


def verdict(checks: Iterable[Mapping[str, Any]]) -> str:
    """``passed: ...`` or ``FAILED: ...`` with the first details."""
    checks = list(checks)
    failed = [check for check in checks if not check["passed"]]
    shown = failed or checks
    named = "; ".join(said(check) for check in shown[:_NAMED])
    more = f"; and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    word = f"FAILED {len(failed)} of {len(checks)}" if failed else f"passed {len(checks)}"
    return f"{word}: {named}{more}"


def said(check: Mapping[str, Any]) -> str:
    """A check on one line."""
    detail = " ".join(check["detail"].split())
    return f"{check['name']}: {detail}" if detail else str(check["name"])


def cell(text: str) -> str:
    """Text on one line, without what would end a cell."""
    return " ".join(text.split()).replace("|", "/")[:400]
