"""Shows results of ``segment`` as they come."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import report, terminal
from .outputs import STDOUT

if TYPE_CHECKING:
    from ..results import Segmentation
    from ..segmenter import Segmenter
    from .sources import Picture, Source


class Display:
    """A report for one picture, a line each for several, a summary for a video; nothing with ``--json``."""

    def __init__(self, args: argparse.Namespace, segmenter: Segmenter, sources: list[Source]) -> None:
        counts = [source.frames for source in sources]
        total = None if None in counts else sum(count or 0 for count in counts)
        self._segmenter = segmenter
        self._single = total == 1
        self._silent = args.json or args.quiet > 0
        self._stream = sys.stderr if args.out == STDOUT else sys.stdout
        self._progress = terminal.Progress(total, "pictures", quiet=args.quiet > 0 or self._single)
        self._video = report.Summary() if any(source.is_video for source in sources) else None

    def result(self, picture: Picture, result: Segmentation, written: dict[str, str]) -> None:
        if self._video is not None:
            self._video.add(result)
        elif self._single:
            self._print(report.full(picture.title, result, self._segmenter, written))
        else:
            self._print(report.line(picture.title, result))
        self._progress.advance()

    def error(self, error: Exception) -> None:
        self._progress.clear()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        self._progress.advance()

    def close(self) -> None:
        self._progress.clear()
        if self._video is not None and self._video.pictures:
            self._print(self._video.text(self._segmenter))

    def _print(self, text: str) -> None:
        if not self._silent:
            self._progress.clear()
            print(text, file=self._stream, flush=True)
