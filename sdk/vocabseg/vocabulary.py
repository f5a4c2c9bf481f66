"""A vocabulary: classes, their query words and, once embedded, one text row per word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import safetensors_io, words
from .errors import VocabularyError

SUFFIX = ".safetensors"
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """C classes and Q query words; a class scores as its best word.

    names: C class names. queries: Q words. query_to_class: int32 [Q]. background: classes that mean
    unlabelled. embeddings: float32 [Q, D], unit rows, or None until a bundle's text tower has seen the words.
    templates, templates_sha256, text_encoder_sha256: what the embeddings were made with (None until then).
    """

    names: tuple[str, ...]
    queries: tuple[str, ...]
    query_to_class: np.ndarray
    background: tuple[int, ...] = ()
    embeddings: np.ndarray | None = None
    templates: str | None = None
    templates_sha256: str | None = None
    text_encoder_sha256: str | None = None

    def __post_init__(self) -> None:
        words.check_names(list(self.names))
        _check_classes(self)
        if self.embeddings is not None:
            _check_embeddings(self.embeddings, len(self.queries))

    @classmethod
    def parse(cls, entries: str | Iterable[str]) -> Vocabulary:
        """From entries such as ``["road", "car, truck", "background: sky"]``, or one string with ``;``."""
        parsed = words.parse(entries)
        return cls(parsed.names, parsed.queries, np.array(parsed.query_to_class, np.int32), parsed.background)

    @classmethod
    def named(cls, name: str) -> Vocabulary:
        """One of the class lists that come with vocabseg (`vocabseg vocab lists`)."""
        return cls.parse(words.read_list(name))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """From a file: stored embeddings (``.safetensors``), or text with one class a line."""
        if Path(path).suffix == SUFFIX:
            return _from_stored(*safetensors_io.read(path, VocabularyError), where=os.fspath(path))
        return cls.parse(words.read_file(Path(path)))

    @classmethod
    def of(cls, source: str | os.PathLike[str] | Iterable[str] | Vocabulary) -> Vocabulary:
        """From a vocabulary, a list of entries, a file, a class list's name, or ``"road; car, truck"``."""
        if isinstance(source, Vocabulary):
            return source
        if isinstance(source, os.PathLike):
            return cls.load(source)
        if not isinstance(source, str):
            return cls.parse(source)
        if source in words.list_names():
            return cls.named(source)
        if Path(source).suffix in (SUFFIX, ".txt") and ";" not in source:
            return cls.load(source)
        return cls.parse(source)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write words and embeddings as ``.safetensors``, for use without a text tower."""
        if self.embeddings is None:
            raise VocabularyError(
                "the vocabulary has no embeddings yet; save Segmenter.vocabulary after set_vocabulary(), "
                "or run: vocabseg vocab build WORDS --bundle BUNDLE --out FILE.safetensors"
            )
        self.check_stored_path(path)
        metadata = {
            "names": json.dumps(self.names, ensure_ascii=False),
            "queries": json.dumps(self.queries, ensure_ascii=False),
            "background": json.dumps(self.background),
            "templates": self.templates or "",
            "templates_sha256": self.templates_sha256 or "",
            "text_encoder_sha256": self.text_encoder_sha256 or "",
        }
        tensors = {"embeddings": self.embeddings, "query_to_class": self.query_to_class.astype(np.int64)}
        return safetensors_io.write(path, tensors, metadata)

    @staticmethod
    def check_stored_path(path: str | os.PathLike[str]) -> None:
        """Raises `VocabularyError` unless the name is that of a stored vocabulary."""
        if Path(path).suffix != SUFFIX:
            raise VocabularyError(f"a stored vocabulary ends with {SUFFIX}, got {os.fspath(path)!r}")

    def with_embeddings(
        self, embeddings: np.ndarray, templates: str, templates_sha256: str, text_encoder_sha256: str | None
    ) -> Vocabulary:
        """The same words with text rows, float32 [Q, D]."""
        return replace(
            self,
            embeddings=embeddings,
            templates=templates,
            templates_sha256=templates_sha256,
            text_encoder_sha256=text_encoder_sha256,
        )

    @property
    def width(self) -> int | None:
        """D, the width of the embeddings; None before they are made."""
        return None if self.embeddings is None else int(self.embeddings.shape[1])

    def entries(self) -> list[str]:
        """One string per class, as `parse` reads them."""
        grouped: list[list[str]] = [[] for _ in self.names]
        for query, index in zip(self.queries, self.query_to_class, strict=True):
            grouped[index].append(query)
        prefix = ["background: " if index in self.background else "" for index in range(len(self.names))]
        return [start + ", ".join(group) for start, group in zip(prefix, grouped, strict=True)]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        embedded = f"{self.width} wide" if self.embeddings is not None else "no embeddings"
        return f"Vocabulary({len(self.names)} classes, {len(self.queries)} words, {embedded})"


def _check_classes(vocabulary: Vocabulary) -> None:
    classes, queries = len(vocabulary.names), len(vocabulary.queries)
    indices = vocabulary.query_to_class
    if indices.shape != (queries,) or set(indices.tolist()) != set(range(classes)):
        raise VocabularyError(
            f"query_to_class must map {queries} words onto {classes} classes, each used at least once"
        )
    if not set(vocabulary.background) < set(range(classes)):
        raise VocabularyError(
            f"background {vocabulary.background} must be some, not all, of {classes} classes"
        )


def _check_embeddings(embeddings: np.ndarray, queries: int) -> None:
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != queries:
        raise VocabularyError(
            f"embeddings must be float32 [{queries}, D], got {embeddings.dtype} {list(embeddings.shape)}"
        )
    norms = np.linalg.norm(embeddings, axis=1)
    if not np.all(np.abs(norms - 1) < _UNIT_TOLERANCE):  # also false for NaN
        raise VocabularyError("embeddings must be finite rows of length 1; build the vocabulary again")


def _from_stored(tensors: dict[str, np.ndarray], metadata: dict[str, str], where: str) -> Vocabulary:
    try:
        names, queries = _strings(metadata["names"]), _strings(metadata["queries"])
        background = tuple(_json_list(metadata.get("background") or "[]", int))
        embeddings, query_to_class = tensors["embeddings"], tensors["query_to_class"]
        if query_to_class.dtype.kind not in "iu":
            raise ValueError(f"query_to_class is {query_to_class.dtype}, expected int64")
    except (KeyError, ValueError) as error:
        raise VocabularyError(
            f"{where} is not a stored vocabulary ({error}); make one: vocabseg vocab build WORDS --out FILE"
        ) from error
    return Vocabulary(
        names,
        queries,
        query_to_class.astype(np.int32),
        background,
        embeddings,
        metadata.get("templates") or None,
        metadata.get("templates_sha256") or None,
        metadata.get("text_encoder_sha256") or None,
    )


def _strings(text: str) -> tuple[str, ...]:
    return tuple(_json_list(text, str))


def _json_list(text: str, kind: type) -> list[Any]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        raise ValueError(f"expected a list of {kind.__name__}, got {text[:60]!r}")
    return value
