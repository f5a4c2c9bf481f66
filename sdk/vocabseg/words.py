"""From what people write to classes and query words.

An entry is one class; commas separate its synonyms (``"car, truck, van"``). An entry that starts with
``background:`` holds words whose pixels count as unlabelled.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import VocabularyError

FOLDER = Path(__file__).parent / "assets" / "classes"
MAX_CLASSES = 65535  # labels are at most uint16, and 65535 means unlabelled
UNLABELED = "unlabeled"  # in names and JSON
UNLABELED_TITLE = "unlabelled"  # in what people read
_BACKGROUND = "background:"


@dataclass(frozen=True)
class Words:
    """``names[c]``: a class by its first word. ``queries[q]``: a word of class ``query_to_class[q]``."""

    names: tuple[str, ...]
    queries: tuple[str, ...]
    query_to_class: tuple[int, ...]
    background: tuple[int, ...]


def parse(entries: str | Iterable[str]) -> Words:
    """Parse a list of entries, or one string with ``;`` between them. Raises `VocabularyError`."""
    if isinstance(entries, str):
        entries = entries.strip().removesuffix(";").split(";")
    names: list[str] = []
    queries: list[str] = []
    query_to_class: list[int] = []
    background: list[int] = []
    for index, entry in enumerate(entries):
        is_background, words = _split(entry)
        if is_background:
            background.append(index)
        names.append(words[0])
        queries.extend(words)
        query_to_class.extend([index] * len(words))
    check_names(names)
    if len(background) == len(names):
        raise VocabularyError("every class is background; give at least one class to look for")
    return Words(tuple(names), tuple(queries), tuple(query_to_class), tuple(background))


def check_names(names: list[str]) -> None:
    """Class names are there, differ from each other, and fit into a label map."""
    if not names:
        raise VocabularyError(
            "the vocabulary is empty; give at least one class, for example ['road', 'car, truck']"
        )
    if len(names) > MAX_CLASSES:
        raise VocabularyError(f"{len(names)} classes; a label map holds at most {MAX_CLASSES}")
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        first = seen.setdefault(name.lower(), index)
        if first != index:
            raise VocabularyError(
                f"class {index} and class {first} have the same name {name!r}; "
                "remove one, or join them as synonyms of one class with commas"
            )
    if UNLABELED in seen:
        raise VocabularyError(
            f"{UNLABELED!r} is the name of pixels without a class; use a 'background:' entry for them"
        )


def list_names() -> list[str]:
    """Names of the class lists that come with vocabseg."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read_list(name: str) -> list[str]:
    """The entries of a class list that comes with vocabseg."""
    if name not in list_names():
        close = difflib.get_close_matches(name, list_names(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise VocabularyError(f"unknown class list {name!r}; known are {', '.join(list_names())}{hint}")
    return read_file(FOLDER / f"{name}.txt")


def read_file(path: Path) -> list[str]:
    """The entries of a text file: one class a line, blank lines and lines that start with # left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"cannot read words from {path}: {error}") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _split(entry: str) -> tuple[bool, list[str]]:
    """``(is background, words)`` of one entry."""
    if not isinstance(entry, str):
        raise VocabularyError(f"a class must be a string, got {type(entry).__name__}: {entry!r}")
    if ";" in entry:
        raise VocabularyError(
            f"class {entry!r} holds ';', which separates classes; give them as separate entries"
        )
    if "\x00" in entry or any("\ud800" <= character <= "\udfff" for character in entry):
        raise VocabularyError(f"class {entry!r} is not valid text")
    text = entry.strip()
    is_background = text.lower().startswith(_BACKGROUND)
    if is_background:
        text = text[len(_BACKGROUND) :]
    words = [" ".join(word.split()) for word in text.split(",")]
    if not all(words):
        raise VocabularyError(f"empty word in class {entry!r}; write each class as 'word' or 'word, synonym'")
    return is_background, words
