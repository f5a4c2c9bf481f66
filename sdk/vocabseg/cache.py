"""Text embeddings on disk: one small file per text tower, template set and word.

The folder is ``$VOCABSEG_HOME/text``, else ``$XDG_CACHE_HOME/vocabseg/text``, else
``~/.cache/vocabseg/text``. It is a cache: an entry that is missing, corrupt or cannot be written only costs
time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import safetensors_io
from .errors import CacheError
from .files import write_atomic

logger = logging.getLogger(__name__)

_DAY = 86400.0


def home() -> Path:
    """The folder that holds everything vocabseg keeps between runs (it need not exist)."""
    if own := os.environ.get("VOCABSEG_HOME"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache")).expanduser() / "vocabseg"


@dataclass(frozen=True)
class CacheInfo:
    """Where the cache is, how many entries it has, and their size in bytes."""

    path: Path
    entries: int
    size: int


class TextCache:
    """Embeddings of one text tower under one template set.

    ``text_encoder``: sha256 of the text tower; ``templates``: sha256 of the template set's content.
    """

    def __init__(self, text_encoder: str, templates: str, root: Path | None = None) -> None:
        self._scope = f"{text_encoder}\n{templates}\n"
        self._root = (root or home()) / "text"
        self._writable = True

    def get(self, word: str, width: int) -> np.ndarray | None:
        """The stored row, float32 [width], or None when there is none that can be trusted."""
        path = self._path(word)
        if not path.is_file():
            return None
        try:
            tensors, metadata = safetensors_io.read(path, CacheError)
            row = tensors["embedding"]
            if metadata.get("sha256") != _digest(row) or row.dtype != np.float32 or row.shape != (width,):
                raise CacheError("content does not match its checksum or its width")
        except (CacheError, KeyError) as error:
            logger.warning("rebuilding the cached embedding of %r (%s): %s", word, path, error)
            return None
        return row

    def put(self, word: str, row: np.ndarray) -> None:
        """Store one row, atomically. A folder that cannot be written is reported once, as a warning."""
        if not self._writable:
            return
        path = self._path(word)
        content = safetensors_io.to_bytes({"embedding": row}, {"word": word, "sha256": _digest(row)})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        except OSError as error:
            self._writable = False
            logger.warning("text embeddings are not cached: %s cannot be written (%s)", self._root, error)

    def _path(self, word: str) -> Path:
        key = hashlib.sha256((self._scope + word).encode()).hexdigest()
        return self._root / key[:2] / f"{key}.safetensors"


def info(root: Path | None = None) -> CacheInfo:
    """Count the entries of the text cache."""
    folder = (root or home()) / "text"
    sizes = [size for size in map(_size, _files(folder)) if size is not None]
    return CacheInfo(folder, len(sizes), sum(sizes))


def prune(older_than_days: float = 0.0, root: Path | None = None) -> CacheInfo:
    """Delete entries that were written at least ``older_than_days`` ago; return what was deleted."""
    folder = (root or home()) / "text"
    limit = time.time() - older_than_days * _DAY
    entries = size = 0
    for path in _files(folder):
        try:
            status = path.stat()
            if status.st_mtime > limit:
                continue
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CacheError(f"cannot delete {path}: {error.strerror}; check who owns {folder}") from error
        entries, size = entries + 1, size + status.st_size
    return CacheInfo(folder, entries, size)


def _files(folder: Path) -> list[Path]:
    """Entries, and temporary files that an interrupted write left behind."""
    return [path for pattern in ("??/*.safetensors", "??/.*.tmp") for path in sorted(folder.glob(pattern))]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _digest(row: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()
