"""Where ``segment`` writes: one file each for a single picture, a folder each for several."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    from ..results import Segmentation
    from .sources import Picture

STDOUT = "-"


@dataclass(frozen=True)
class Outputs:
    """Targets as given, None where nothing is to be written. ``several``: each is a folder.

    inputs: resolved paths of the pictures, which are never written over.
    """

    labels: str | None
    overlay: str | None
    scores: str | None
    several: bool
    sidecar: bool = False
    legend: bool = True
    inputs: frozenset[Path] = frozenset()

    def write(self, picture: Picture, result: Segmentation) -> dict[str, str]:
        """Write what was asked for; returns kind → path."""
        written: dict[str, str] = {}
        if self.labels == STDOUT:
            sys.stdout.buffer.write(result.png())
        elif self.labels:
            path = self._path(self.labels, f"{picture.stem}.png")
            written["labels"] = str(path)
            result.save(path, self.sidecar)
        if self.overlay:
            path = self._path(self.overlay, f"{picture.stem}_overlay.png")
            written["overlay"] = str(path)
            _write_overlay(path, picture, result, self.legend)
        if self.scores:
            path = self._path(self.scores, f"{picture.stem}_scores.npy")
            written["scores"] = str(path)
            _write_scores(path, result)
        return written

    def _path(self, target: str, name: str) -> Path:
        path = Path(target)
        if self.several:
            path.mkdir(parents=True, exist_ok=True)
        path = path / name if path.is_dir() else path
        if path.resolve() in self.inputs:
            raise ImageError(
                f"{path} is a picture to segment and would be overwritten; choose another target"
            )
        return path


def _write_overlay(path: Path, picture: Picture, result: Segmentation, legend: bool) -> None:
    from PIL import Image

    from ..files import write_atomic

    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"cannot tell the format of {path}; end it with .png or .jpg")
    buffer = io.BytesIO()
    result.overlay(picture.image, legend=legend).save(buffer, kind)
    write_atomic(path, buffer.getvalue())


def _write_scores(path: Path, result: Segmentation) -> None:
    import numpy as np

    from ..files import write_atomic

    assert result.scores is not None  # this command always asks for them
    buffer = io.BytesIO()
    np.save(buffer, result.scores)
    write_atomic(path, buffer.getvalue())
