"""Words to text rows: from stored vocabularies, the disk cache or the text tower, in this order."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from .cache import TextCache
from .errors import VocabularyError
from .templates import TemplateSet
from .vocabulary import Vocabulary

logger = logging.getLogger(__name__)

_BATCH = 256  # prompts per call: bounds memory, and what an interruption loses


class TextEncoder(Protocol):
    """Prompts to unit rows, float32 [T, D]."""

    def encode(self, prompts: list[str]) -> np.ndarray: ...


class Embedder:
    """Embeds words for one bundle.

    manifest: the bundle's. stored: its stored vocabularies. make_encoder: starts the text tower, called only
    when a word is found nowhere else; None where the bundle has no text tower.
    """

    def __init__(
        self,
        manifest: Mapping[str, Any],
        stored: Iterable[Vocabulary],
        make_encoder: Callable[[], TextEncoder] | None,
    ) -> None:
        self.width = int(manifest["model"]["embed_dim"])
        self.text_encoder_sha256 = text_encoder_sha256(manifest)
        self._stored = list(stored)
        self._make_encoder = make_encoder
        self._encoder: TextEncoder | None = None

    def embed(self, vocabulary: Vocabulary, templates: TemplateSet) -> Vocabulary:
        """The vocabulary with one row per word: the mean over templates of unit rows, made unit again."""
        words = list(dict.fromkeys(vocabulary.queries))
        rows = self._stored_rows(words, templates)
        cache = TextCache(self.text_encoder_sha256, templates.digest) if self.text_encoder_sha256 else None
        if cache is not None:
            cached = ((word, cache.get(word, self.width)) for word in words if word not in rows)
            rows.update((word, row) for word, row in cached if row is not None)
        for word, row in self._encode([word for word in words if word not in rows], templates):
            rows[word] = row
            if cache is not None:
                cache.put(word, row)
        embeddings = np.stack([rows[word] for word in vocabulary.queries])
        return vocabulary.with_embeddings(
            embeddings, templates.name, templates.digest, self.text_encoder_sha256
        )

    def check(self, vocabulary: Vocabulary) -> None:
        """A stored vocabulary fits this bundle. Raises `VocabularyError`."""
        again = "build it for this bundle: vocabseg vocab build WORDS --bundle BUNDLE --out FILE.safetensors"
        if vocabulary.width != self.width:
            raise VocabularyError(
                f"text rows are {vocabulary.width} wide, the bundle's features {self.width}; {again}"
            )
        made_with, here = vocabulary.text_encoder_sha256, self.text_encoder_sha256
        if made_with and here and made_with != here:
            raise VocabularyError(
                f"the vocabulary was made with text tower {made_with[:12]}, this is {here[:12]}; {again}"
            )

    def _stored_rows(self, words: Sequence[str], templates: TemplateSet) -> dict[str, np.ndarray]:
        wanted = set(words)
        rows: dict[str, np.ndarray] = {}
        for vocabulary in self._stored:
            if vocabulary.embeddings is not None and _same_templates(vocabulary, templates):
                pairs = zip(vocabulary.queries, vocabulary.embeddings, strict=True)
                rows.update((word, row) for word, row in pairs if word in wanted)
        return rows

    def _encode(self, words: Sequence[str], templates: TemplateSet) -> Iterable[tuple[str, np.ndarray]]:
        if not words:
            return
        encoder = self._text_encoder(words)
        size = len(templates.templates)
        step = max(1, _BATCH // size)
        logger.info("embedding %d words with %d templates", len(words), size)
        for start in range(0, len(words), step):
            batch = words[start : start + step]
            prompts = [prompt for word in batch for prompt in templates.prompts(word)]
            yield from zip(batch, mean_rows(encoder.encode(prompts), size), strict=True)

    def _text_encoder(self, words: Sequence[str]) -> TextEncoder:
        if self._make_encoder is None:
            known = {word for vocabulary in self._stored for word in vocabulary.queries}
            raise VocabularyError(
                f"the bundle has no text tower, and its {len(known)} stored words lack "
                f"{', '.join(map(repr, words[:5]))}; pass a file made where the text tower is: "
                "vocabseg vocab build WORDS --bundle BUNDLE --out FILE.safetensors"
            )
        if self._encoder is None:
            self._encoder = self._make_encoder()
        return self._encoder


def mean_rows(embeddings: np.ndarray, templates: int) -> np.ndarray:
    """float32 [T, D] from [T·templates, D]: unit rows, their mean per word, unit again (in float64)."""
    rows = _unit(embeddings.astype(np.float64))
    return _unit(rows.reshape(-1, templates, rows.shape[1]).mean(axis=1)).astype(np.float32)


def text_encoder_sha256(manifest: Mapping[str, Any]) -> str | None:
    """sha256 of a bundle's float32 text network, external data included; None where it has none."""
    if not manifest.get("text_encoder"):
        return None
    name = manifest["text_encoder"]["variants"]["float32"]
    files = manifest["files"]
    parts = [files[file]["sha256"] for file in sorted(files) if file == name or file.startswith(name + ".")]
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


def _same_templates(vocabulary: Vocabulary, templates: TemplateSet) -> bool:
    if vocabulary.templates_sha256:
        return vocabulary.templates_sha256 == templates.digest
    return vocabulary.templates == templates.name


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
