"""What ``segment`` tells about its results, in text of at most 80 columns."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..words import UNLABELED, UNLABELED_TITLE
from . import terminal

if TYPE_CHECKING:
    from ..results import ClassArea, Segmentation
    from ..segmenter import Segmenter

_MAX_ROWS = 24


def full(title: str, result: Segmentation, segmenter: Segmenter, written: Mapping[str, str]) -> str:
    """Classes, stages and backend of one picture."""
    height, width = result.labels.shape
    parts = [
        f"{terminal.fit(os.path.basename(title), 56)}  {width} x {height}",
        _classes(result),
        _stages(result.timing),
        "\n".join([_backend(segmenter), *(f"wrote {path}" for path in written.values())]),
    ]
    return "\n\n".join(parts)


def line(title: str, result: Segmentation) -> str:
    """One picture among several: size, time and its largest classes."""
    height, width = result.labels.shape
    size = f"{width} x {height}"
    title = terminal.pad(terminal.fit(os.path.basename(title), 28), 28)
    start = f"{title}  {size:>11}  {result.timing['total']:7.1f} ms  "
    room = terminal.WIDTH - len(start)
    classes = [f"{_shown(name)} {terminal.percent(area.share, 0)}" for name, area in _by_share(result)]
    fitting = [count for count in (3, 2) if terminal.text_width(", ".join(classes[:count])) <= room]
    return start + terminal.fit(", ".join(classes[: fitting[0] if fitting else 1]), room)


class Summary:
    """Sums over the frames of videos."""

    def __init__(self) -> None:
        self.pictures = 0
        self._shares: Counter[str] = Counter()
        self._timing: Counter[str] = Counter()

    def add(self, result: Segmentation) -> None:
        self.pictures += 1
        self._shares.update({name: area.share for name, area in result.area().items()})
        self._timing.update(result.timing)

    def text(self, segmenter: Segmenter) -> str:
        """Mean share of each class, mean time of each stage."""
        shares = [
            (name, share / self.pictures) for name, share in self._shares.most_common(_MAX_ROWS) if share
        ]
        rows = [(_shown(name), terminal.percent(share)) for name, share in shares]
        timing = {stage: total / self.pictures for stage, total in self._timing.items()}
        heading = f"mean of {self.pictures} pictures"
        return "\n\n".join(
            [heading, terminal.table(rows, ("class", "share")), _stages(timing), _backend(segmenter)]
        )


def _classes(result: Segmentation) -> str:
    areas = _by_share(result)
    rows = [(_shown(name), terminal.percent(area.share), _score(area)) for name, area in areas[:_MAX_ROWS]]
    looked_for = len(result.names) - len(result.background)
    absent = looked_for - sum(name != UNLABELED for name, _ in areas)
    lines = [terminal.table(rows, ("class", "share", "score"))]
    if len(areas) > len(rows):
        lines.append(f"({len(areas) - len(rows)} more classes with fewer pixels)")
    if absent:
        lines.append(f"({absent} of {looked_for} classes not found)")
    return "\n".join(lines)


def _stages(timing: Mapping[str, float]) -> str:
    return terminal.table([(stage, f"{value:.1f}") for stage, value in timing.items()], ("stage", "ms"))


def _backend(segmenter: Segmenter) -> str:
    reason = f" ({segmenter.backend_reason})" if segmenter.backend_reason else ""
    return textwrap.fill(f"backend: {segmenter.backend}{reason}", terminal.WIDTH, subsequent_indent="  ")


def _by_share(result: Segmentation) -> list[tuple[str, ClassArea]]:
    present = [(name, area) for name, area in result.area().items() if area.pixels]
    return sorted(present, key=lambda item: -item[1].pixels)


def _score(area: ClassArea) -> str:
    return "-" if area.score is None else f"{area.score:.3f}"


def _shown(name: str) -> str:
    return UNLABELED_TITLE if name == UNLABELED else name
