"""What the commands print: aligned tables within 80 columns, and progress on a terminal."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

WIDTH = 80
_ELLIPSIS = "..."
_REDRAW_SECONDS = 0.1


def print_json(document: Any) -> None:
    """The one document of ``--json``."""
    print(json.dumps(document, indent=1, ensure_ascii=False))


def text_width(text: str) -> int:
    """Columns that a terminal gives to ``text``: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def fit(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, cut with dots, without control characters."""
    text = "".join(character if character.isprintable() else "?" for character in text)
    if text_width(text) <= width:
        return text
    while text and text_width(text) + len(_ELLIPSIS) > width:
        text = text[:-1]
    return text + _ELLIPSIS


def table(rows: Iterable[Sequence[str]], header: Sequence[str], widest: int = 40) -> str:
    """The first column to the left, the others to the right."""
    cells = [[fit(row[0], widest), *row[1:]] for row in (header, *rows)]
    widths = [max(text_width(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for first, *others in cells:
        padded = [pad(first, widths[0])]
        padded += [pad(cell, width, right=True) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def percent(share: float, decimals: int = 1) -> str:
    """A share from 0 to 1 as a percentage; what would round to 0 shows as less than the least."""
    least = 10.0**-decimals
    if 0 < 100 * share < least / 2:
        return f"<{least:.{decimals}f} %"
    return f"{100 * share:.{decimals}f} %"


def pad(text: str, width: int, right: bool = False) -> str:
    """``text`` filled with spaces to ``width`` columns."""
    space = " " * (width - text_width(text))
    return space + text if right else text + space


class Progress:
    """A line on standard error that shows how far a loop is; silent where that is no terminal."""

    def __init__(
        self, total: int | None, unit: str, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stderr
        self._total, self._unit = total, unit
        self._done, self._started, self._drawn = 0, time.monotonic(), 0.0
        self._visible = self._stream.isatty() and not quiet

    def advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if self._visible and (now - self._drawn > _REDRAW_SECONDS or self._done == self._total):
            self._drawn = now
            self._stream.write("\r" + self._line(now).ljust(WIDTH - 1))
            self._stream.flush()

    def clear(self) -> None:
        """Remove the line; the next step draws it again."""
        if self._visible:
            self._stream.write("\r" + " " * (WIDTH - 1) + "\r")
            self._stream.flush()

    def _line(self, now: float) -> str:
        rate = self._done / max(now - self._started, 1e-6)
        speed = f"{rate:.1f} {self._unit}/s"
        if not self._total:
            return f"{self._done} {self._unit}  {speed}"
        share = min(self._done / self._total, 1.0)
        bar = ("#" * round(28 * share)).ljust(28)
        left = max(self._total - self._done, 0) / max(rate, 1e-6)
        return f"[{bar}] {self._done}/{self._total} {self._unit}  {speed}  {left:.0f} s left"
