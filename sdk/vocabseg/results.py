"""What a segmenter returns: arrays, and the names to read them by."""

from __future__ import annotations

import difflib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from . import rle
from .errors import BackendUnavailable, ImageError, VocabularyError
from .files import write_atomic
from .images import as_rgb
from .overlay import LegendEntry, add_legend, blend
from .palette import UNLABELED_COLOUR
from .words import UNLABELED, UNLABELED_TITLE

if TYPE_CHECKING:
    import supervision


class ClassArea(NamedTuple):
    """Pixels of a class, their share of the picture (0 … 1), their mean score (None without any)."""

    pixels: int
    share: float
    score: float | None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A label per pixel.

    labels: [H, W] class index, uint8 up to 255 classes, else uint16. scores: float32 [H, W], probability of
    the pixel's class, or None. names: the C classes. background: classes whose pixels are unlabelled.
    palette: uint8 [C, 3] RGB. backend: the engine that ran. timing: milliseconds of each stage, and
    ``total``.
    """

    labels: np.ndarray
    scores: np.ndarray | None
    names: tuple[str, ...]
    background: tuple[int, ...]
    palette: np.ndarray
    backend: str
    timing: dict[str, float]

    @property
    def unlabeled(self) -> int:
        """The label of pixels without a class: 255 in uint8, 65535 in uint16."""
        return int(np.iinfo(self.labels.dtype).max)

    def area(self) -> dict[str, ClassArea]:
        """Name → area of every class that is not background; ``unlabeled``: pixels without a class."""
        bins = self.unlabeled + 1
        flat = self.labels.ravel()
        pixels = np.bincount(flat, minlength=bins)
        sums = None if self.scores is None else np.bincount(flat, self.scores.ravel(), minlength=bins)

        def area_of(label: int) -> ClassArea:
            count = int(pixels[label])
            score = None if sums is None or count == 0 else float(sums[label] / count)
            return ClassArea(count, count / flat.size, score)

        areas = {
            name: area_of(index) for index, name in enumerate(self.names) if index not in self.background
        }
        return {**areas, UNLABELED: area_of(self.unlabeled)}

    def mask(self, name: str | int) -> np.ndarray:
        """bool [H, W] of a class by name or index, or of ``"unlabeled"``. Else raises `VocabularyError`."""
        return self.labels == self._label_of(name)

    def overlay(self, image: Any, opacity: float = 0.6, legend: bool = True) -> Image.Image:
        """The labels drawn over ``image``, the picture that was segmented; unlabelled pixels turn grey.

        With a legend the result is higher than the picture, and wider where a small picture could not hold a
        line.
        """
        rgb = as_rgb(image)
        if rgb.shape[:2] != self.labels.shape:
            raise ImageError(
                f"labels are for {_size(self.labels)} pixels, the image has {_size(rgb)} (rows×columns)"
            )
        picture = blend(rgb, self.labels, self.palette, opacity)
        return add_legend(picture, self._legend()) if legend else picture

    def to_image(self) -> Image.Image:
        """The labels as an indexed picture with the palette; uint16 labels as 16-bit grey."""
        if self.labels.dtype != np.uint8:
            return Image.fromarray(self.labels)
        image = Image.fromarray(self.labels, "L")
        colours = np.full((256, 3), UNLABELED_COLOUR, np.uint8)
        colours[: len(self.palette)] = self.palette
        image.putpalette(colours.tobytes())
        return image

    def save(self, path: str | os.PathLike[str], sidecar: bool = False) -> Path:
        """Write the labels as PNG, atomically; with ``sidecar`` names, colours and areas as .json."""
        if Path(path).suffix.lower() != ".png":
            raise ImageError(f"labels are saved as .png, which keeps every value; got {os.fspath(path)!r}")
        written = write_atomic(path, self.png())
        if sidecar:
            text = json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"
            write_atomic(Path(path).with_suffix(".json"), text.encode())
        return written

    def png(self) -> bytes:
        """The bytes that `save` writes."""
        buffer = io.BytesIO()
        self.to_image().save(buffer, "PNG")
        return buffer.getvalue()

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays, as plain values."""
        return {
            "height": self.labels.shape[0],
            "width": self.labels.shape[1],
            "names": list(self.names),
            "background": list(self.background),
            "unlabeled": self.unlabeled,
            "palette": self.palette.tolist(),
            "areas": {name: area._asdict() for name, area in self.area().items()},
            "backend": self.backend,
            "timing_ms": self.timing,
        }

    def to_coco_rle(self, compressed: bool = True) -> list[dict[str, Any]]:
        """``class_id``, ``name``, ``area`` and ``segmentation`` (COCO RLE) of every class that has pixels."""
        size = [int(side) for side in self.labels.shape]
        present = np.unique(self.labels)
        entries = []
        for label in present[present < len(self.names)].tolist():
            mask = self.labels == label
            counts = rle.encode(mask)
            code = {"size": size, "counts": rle.compress(counts) if compressed else counts.tolist()}
            area = int(np.count_nonzero(mask))
            entries.append({"class_id": label, "name": self.names[label], "area": area, "segmentation": code})
        return entries

    def to_supervision(self) -> supervision.Detections:
        """One mask per class that has pixels (needs the package ``supervision``)."""
        try:
            import supervision
        except ImportError as error:
            raise BackendUnavailable("supervision is not installed; run: pip install supervision") from error
        present = np.unique(self.labels)
        class_id = present[present < len(self.names)].astype(int)
        masks = self.labels[None] == class_id[:, None, None]
        boxes = supervision.mask_to_xyxy(masks) if len(masks) else np.zeros((0, 4))
        names = np.array([self.names[index] for index in class_id], dtype=str)
        return supervision.Detections(xyxy=boxes, mask=masks, class_id=class_id, data={"class_name": names})

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.labels, dtype=dtype, copy=copy) if copy else np.asarray(self.labels, dtype)

    def __repr__(self) -> str:
        return f"Segmentation({_size(self.labels)} pixels, {len(self.names)} classes, {self.backend})"

    def _label_of(self, name: str | int) -> int:
        if isinstance(name, (int, np.integer)) and 0 <= name < len(self.names):
            return int(name)
        if name == UNLABELED:
            return self.unlabeled
        if name in self.names:
            return self.names.index(str(name))
        close = difflib.get_close_matches(str(name), self.names, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"classes are {', '.join(self.names[:20])}"
        raise VocabularyError(f"no class {name!r}; {hint}")

    def _legend(self) -> list[LegendEntry]:
        areas = self.area()
        colours = {
            name: tuple(colour) for name, colour in zip(self.names, self.palette.tolist(), strict=True)
        }
        colours[UNLABELED] = UNLABELED_COLOUR
        shown = sorted((name for name in areas if areas[name].pixels), key=lambda name: -areas[name].pixels)
        titles = {UNLABELED: UNLABELED_TITLE}
        return [
            LegendEntry(colours[name], titles.get(name, name), f"{100 * areas[name].share:.1f} %")
            for name in shown
        ]


@dataclass(frozen=True, eq=False)
class RegionLabels:
    """A class per mask.

    Row m is mask m, of a label map the pixels with label m. class_ids: int32 [M], -1 where a mask is empty or
    background. scores: float32 [M], probability of its best class. names: the class name of each mask, None
    where it has none. area: int64 [M] pixels. features: float32 [M, D], unit mean of patch features over the
    mask, zeros for an empty one. classes: the C classes.
    """

    class_ids: np.ndarray
    scores: np.ndarray
    area: np.ndarray
    features: np.ndarray
    classes: tuple[str, ...]
    backend: str
    timing: dict[str, float]

    @property
    def names(self) -> list[str | None]:
        return [self.classes[index] if index >= 0 else None for index in self.class_ids.tolist()]

    def to_json(self) -> list[dict[str, Any]]:
        """One plain entry per mask."""
        rows = zip(self.names, self.class_ids.tolist(), self.scores.tolist(), self.area.tolist(), strict=True)
        return [dict(zip(("name", "class_id", "score", "area"), row, strict=True)) for row in rows]

    def __len__(self) -> int:
        return len(self.class_ids)

    def __iter__(self) -> Iterator[tuple[str | None, float]]:
        return iter(zip(self.names, self.scores.tolist(), strict=True))

    def __repr__(self) -> str:
        return f"RegionLabels({len(self)} masks, {len(self.classes)} classes, {self.backend})"


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]}×{array.shape[1]}"
