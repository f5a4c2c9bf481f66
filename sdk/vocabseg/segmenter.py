"""The Python face of the C++ core: pictures and words in, labels out."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import masks as mask_forms
from . import templates as template_sets
from .core import bundle_path, engine_folder, load_core
from .embedding import Embedder
from .errors import VocabularyError
from .frames import as_pixels, size_of
from .images import as_rgb
from .kernels.aot import FOLDER
from .palette import make_palette
from .results import RegionLabels, Segmentation
from .vocabulary import Vocabulary

logger = logging.getLogger(__name__)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Segmenter:
    """Segments pictures with a vocabulary that can change at any time. Make one with `Segmenter.load`.

    Calls from several threads are answered one after another. Words that a bundle's default vocabulary holds
    are set at the start, where it has one.
    """

    def __init__(
        self,
        core: Any,
        bundle: Any,
        backend: str,
        threads: int | None,
        precision: str,
        engines: str | os.PathLike[str] | None = None,
        allow_smaller_batch: bool = False,
    ) -> None:
        self._lock = threading.Lock()
        self.manifest: dict[str, Any] = json.loads(bundle.manifest_json())
        cubins = str(FOLDER) if FOLDER.is_dir() else ""  # for the backend tensorrt
        folder = engine_folder(self.manifest, engines)
        self._core = core.Segmenter(
            bundle, backend, threads or 0, precision, _log, cubins, folder, allow_smaller_batch
        )
        stored = {
            name: Vocabulary.load(bundle.file(file))
            for name, file in (self.manifest.get("vocabularies") or {}).items()
        }
        has_text = bool(self.manifest.get("text_encoder"))

        def make_encoder() -> Any:
            return core.TextEncoder.for_words(
                bundle, backend, threads or 0, folder, allow_smaller_batch, _log
            )

        self._embedder = Embedder(self.manifest, stored.values(), make_encoder if has_text else None)
        self._vocabulary: Vocabulary | None = None
        self._palette = make_palette(0)
        if "default" in stored:
            self.set_vocabulary(stored["default"])

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] = "demo",
        backend: str = "auto",
        threads: int | None = None,
        precision: str = "auto",
        engines: str | os.PathLike[str] | None = None,
        allow_smaller_batch: bool = False,
    ) -> Segmenter:
        """Open a bundle folder, or ``"demo"``, and start its image engine.

        backend: ``"auto"`` picks one and logs why; a named one runs or raises `BackendUnavailable`. threads:
        None for all cores. precision: ``"auto"``, or one that the bundle has, such as ``"float32"``. engines:
        where TensorRT's are, None for the bundle's own, ``"cache"`` for those of ``vocabseg build --cache``, or
        a folder, which must belong to this user and be writable by nobody else: an engine is executable
        content. allow_smaller_batch: where the GPU has too little memory for a run, take half as many windows
        at a time from then on and log a warning, instead of raising `OutOfMemory`. Raises `BundleError`,
        `BackendUnavailable`, `EngineError` (`EngineMismatch`, `OutOfMemory`), `ParityError`, `CacheError`.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, or None for all cores; got {threads}")
        core = load_core()
        opened = core.Bundle.open(str(bundle_path(bundle)))
        return cls(core, opened, backend, threads, precision, engines, allow_smaller_batch)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The current vocabulary, embedded; ``.save(path)`` stores it for a device without a text tower."""
        return self._vocabulary

    @property
    def backend(self) -> str:
        """The engine that runs, with its precision."""
        return str(self._core.backend)

    @property
    def backend_reason(self) -> str:
        """Why this engine was chosen."""
        return str(self._core.backend_reason)

    def set_vocabulary(
        self,
        vocabulary: str | os.PathLike[str] | Iterable[str] | Vocabulary,
        templates: str | os.PathLike[str] | Sequence[str] | None = None,
    ) -> None:
        """Change the words; the engine stays as it is.

        vocabulary: a list such as ``["road", "car, truck, van", "background: sky"]``, one string with ``;``
        between classes, a `Vocabulary`, the path of a text file or a stored vocabulary, or the name of a
        class list. templates: a set by name, a file, or a list of sentences with ``{}``; None for the
        bundle's own set, or for the rows of a stored vocabulary as they are. Raises `VocabularyError`; the
        former vocabulary stays then.
        """
        embedded = self.embed(vocabulary, templates)
        with self._lock:
            self._core.set_vocabulary(
                embedded.query_to_class, len(embedded.names), list(embedded.background), embedded.embeddings
            )
            self._vocabulary, self._palette = embedded, make_palette(len(embedded))

    def embed(
        self,
        vocabulary: str | os.PathLike[str] | Iterable[str] | Vocabulary,
        templates: str | os.PathLike[str] | Sequence[str] | None = None,
    ) -> Vocabulary:
        """The vocabulary with its text rows, without setting it. Arguments as in `set_vocabulary`."""
        parsed = Vocabulary.of(vocabulary)
        if parsed.embeddings is not None and templates is None:
            self._embedder.check(parsed)
            return parsed
        chosen = template_sets.get(templates or self.manifest.get("templates") or "openai80")
        return self._embedder.embed(parsed, chosen)

    def __call__(
        self,
        image: Any,
        scores: bool = True,
        threshold: float | None = None,
        logit_scale: float | None = None,
    ) -> Segmentation:
        """Label every pixel of a picture: a path, a PIL image, or a uint8 array of H×W×3 RGB, H×W×4 or H×W.

        Where whole frames run on the GPU (backend tensorrt), also a uint8 array of H×W×3 or H×W×4 in its memory, by
        DLPack or the CUDA array interface, or `NV12` planes in either memory; they are read where they are.

        scores: also return the probability of each pixel's class. threshold: pixels whose best class is less
        probable are unlabelled. logit_scale: factor of the cosines before the softmax. None takes the
        bundle's values. Raises `ImageError`, `VocabularyError` (no words set), `EngineError`, `Cancelled`;
        `BackendUnavailable` for frames that this segmenter's backend does not take.
        """
        started = time.perf_counter()
        pixels = as_pixels(image)
        read_ms = 1000 * (time.perf_counter() - started)
        with self._lock:
            vocabulary = self._require_vocabulary()
            output = self._core.segment(pixels, scores, threshold, logit_scale)
            palette = self._palette.copy()
        return Segmentation(
            labels=output["labels"],
            scores=output["scores"],
            names=vocabulary.names,
            background=vocabulary.background,
            palette=palette,
            backend=output["backend"],
            timing=_with_read(output["timing"], read_ms),
        )

    def classify_masks(self, image: Any, masks: Any) -> RegionLabels:
        """One class per mask, from the mean of the patch features over it. Pictures as for a call.

        masks: bool [M, H, W], a list of COCO run-length codes, or an integer label map [H, W], whose pixels
        with label m are mask m (negative: none). Raises `ImageError`, `MaskError`, `VocabularyError`,
        `EngineError`, `Cancelled`; `BackendUnavailable` as a call does.
        """
        started = time.perf_counter()
        pixels = as_pixels(image)
        prepared = mask_forms.prepare(masks, *size_of(pixels))
        read_ms = 1000 * (time.perf_counter() - started)
        with self._lock:
            vocabulary = self._require_vocabulary()
            output = self._core.classify_masks(pixels, prepared)
        return RegionLabels(
            class_ids=output["class_ids"],
            scores=output["scores"],
            area=output["area"],
            features=output["features"],
            classes=vocabulary.names,
            backend=output["backend"],
            timing=_with_read(output["timing"], read_ms),
        )

    def features(self, image: Any) -> np.ndarray:
        """Unit patch features on the picture's patch grid, float32 [h, w, D].

        No words are needed, unless the bundle's method looks at them (``resclip`` with ``sfr``). Raises
        `ImageError`, `VocabularyError`, `EngineError`, `Cancelled`.
        """
        rgb = as_rgb(image)
        with self._lock:
            return self._core.features(rgb)

    def segments(self, image: Any) -> np.ndarray:
        """Segments without classes, int32 [H, W]: 0, 1, ... without gaps; -1 where there is none.

        They come from bundles whose method clusters patches (``cliptrase``) and need no words;
        ``classify_masks(image, segments)`` names them. Raises `BundleError` for other bundles, `ImageError`,
        `EngineError`, `Cancelled`.
        """
        rgb = as_rgb(image)
        with self._lock:
            return self._core.segments(rgb)

    def cancel(self) -> None:
        """Make the call that runs now, in another thread, raise `Cancelled`."""
        self._core.cancel()

    def __repr__(self) -> str:
        return f"Segmenter({self.manifest.get('name')!r}, {self.backend}, {self._vocabulary!r})"

    def _require_vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            raise VocabularyError("no words are set; call set_vocabulary(['road', 'car, truck, van']) first")
        return self._vocabulary


def _log(level: str, message: str) -> None:
    logger.log(_LEVELS.get(level, logging.INFO), "%s", message)


def _with_read(timing: dict[str, float], read_ms: float) -> dict[str, float]:
    """Stages in order with ``read`` (decoding the file, expanding grey) in front; ``total`` includes it."""
    stages = {name: value for name, value in timing.items() if name != "total"}
    return {"read": read_ms, **stages, "total": read_ms + timing["total"]}
