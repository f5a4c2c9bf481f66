"""A label map drawn over its picture, with a legend that can be read at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LINES = (255, 255, 255)
_PAPER = (250, 250, 250)
_INK = (25, 25, 25)
_MIN_FONT, _FONT_SHARE = 15, 1 / 40  # pixels; share of the picture's longer side
_BORDER_EVERY = 700  # pixels of the longer side for each pixel of a border
_MAX_ENTRIES = 30
_MAX_NAME = 28  # characters


@dataclass(frozen=True)
class LegendEntry:
    """One line of the legend."""

    colour: tuple[int, int, int]
    name: str
    value: str

    @property
    def text(self) -> str:
        name = self.name if len(self.name) <= _MAX_NAME else f"{self.name[: _MAX_NAME - 3].rstrip()}..."
        return f"{name}  {self.value}"


def blend(image: np.ndarray, labels: np.ndarray, palette: np.ndarray, opacity: float) -> Image.Image:
    """Class colours over the picture [H, W, 3] in grey, so that they look as in the legend.

    Labels beyond the palette leave it grey; borders between labels are light.
    """
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    known = labels < len(palette)
    alpha = np.where(known, np.float32(opacity), np.float32(0))[..., None]
    colours = palette[np.where(known, labels, 0)]
    drawn = grey[..., None] * (1 - alpha) + colours * alpha
    drawn[_borders(labels, max(1, round(max(labels.shape) / _BORDER_EVERY)))] = _LINES
    return Image.fromarray(np.rint(drawn).astype(np.uint8))


def add_legend(picture: Image.Image, entries: Sequence[LegendEntry]) -> Image.Image:
    """The picture on top, the legend on a light strip below it; a small picture gets a wider sheet."""
    if len(entries) > _MAX_ENTRIES:
        left_out = LegendEntry(_PAPER, f"and {len(entries) - _MAX_ENTRIES} more", "")
        entries = [*entries[:_MAX_ENTRIES], left_out]
    size = max(_MIN_FONT, round(max(picture.size) * _FONT_SHARE))
    font = ImageFont.load_default(size)
    layout = _Layout(picture.width, size, font, entries)
    sheet = Image.new("RGB", (layout.width, picture.height + layout.height), _PAPER)
    sheet.paste(picture, ((layout.width - picture.width) // 2, 0))
    draw = ImageDraw.Draw(sheet)
    for index, entry in enumerate(entries):
        layout.draw(draw, picture.height, index, entry)
    return sheet


class _Layout:
    """Legend entries in as many equal columns as the width holds, read row by row."""

    def __init__(
        self,
        width: int,
        size: int,
        font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
        entries: Sequence[LegendEntry],
    ) -> None:
        self.font, self.margin, self.swatch, self.line = font, size // 2, size, round(size * 1.5)
        widest = max((font.getlength(entry.text) for entry in entries), default=0)
        self.column = round(widest) + self.swatch + 3 * self.margin
        self.columns = max(1, (width - self.margin) // self.column)
        self.width = max(width, self.column + self.margin)
        rows = -(-len(entries) // self.columns)
        self.height = rows * self.line + 2 * self.margin if rows else 0

    def draw(self, draw: ImageDraw.ImageDraw, top: int, index: int, entry: LegendEntry) -> None:
        row, column = divmod(index, self.columns)
        left = self.margin + column * self.column
        middle = top + self.margin + row * self.line + self.line // 2
        half = self.swatch // 2
        outline = _PAPER if entry.colour == _PAPER else _INK
        draw.rectangle((left, middle - half, left + self.swatch, middle + half), entry.colour, outline)
        draw.text((left + self.swatch + self.margin, middle), entry.text, _INK, self.font, anchor="lm")


def _borders(labels: np.ndarray, thickness: int) -> np.ndarray:
    """bool [H, W], true where a pixel up to ``thickness`` to the right or below has another label."""
    borders = np.zeros(labels.shape, bool)
    for step in range(1, thickness + 1):
        borders[:, :-step] |= labels[:, :-step] != labels[:, step:]
        borders[:-step] |= labels[:-step] != labels[step:]
    return borders
