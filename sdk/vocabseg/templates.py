"""Prompt templates: sentences in which ``{}`` stands for a word. A word's text row is the mean over a set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import VocabularyError

FOLDER = Path(__file__).parent / "assets" / "templates"
_SLOT = "{}"


@dataclass(frozen=True)
class TemplateSet:
    """A named set of templates. ``digest`` identifies the content, whatever the name."""

    name: str
    templates: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.templates:
            raise VocabularyError(
                f"template set {self.name!r} is empty; give at least one sentence with {_SLOT!r} in it"
            )
        for template in self.templates:
            if not isinstance(template, str) or template.count(_SLOT) != 1:
                raise VocabularyError(
                    f"template {template!r} must hold {_SLOT!r} once, for example 'a photo of a {_SLOT}.'"
                )

    @property
    def digest(self) -> str:
        """sha256 of the sentences, in order."""
        return hashlib.sha256("\n".join(self.templates).encode()).hexdigest()

    def prompts(self, word: str) -> list[str]:
        """Every template with ``word`` in it."""
        return [template.replace(_SLOT, word) for template in self.templates]


def names() -> list[str]:
    """Names of the sets that come with vocabseg."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def get(templates: str | os.PathLike[str] | Sequence[str] | TemplateSet) -> TemplateSet:
    """A set by name (`names()`), by file (one sentence a line), or from a list of sentences."""
    if isinstance(templates, TemplateSet):
        return templates
    if isinstance(templates, (str, os.PathLike)):
        return _by_name_or_file(os.fspath(templates))
    return TemplateSet("custom", tuple(templates))


def _by_name_or_file(name: str) -> TemplateSet:
    if name in names():
        return TemplateSet(name, _lines(FOLDER / f"{name}.txt"))
    if Path(name).is_file():
        return TemplateSet(Path(name).stem, _lines(Path(name)))
    hint = f"; for one sentence pass a list: [{name!r}]" if _SLOT in name else ""
    raise VocabularyError(
        f"unknown template set {name!r}: not one of {', '.join(names())}, "
        f"and not a file with one sentence a line{hint}"
    )


def _lines(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise VocabularyError(f"cannot read templates from {path}: {error}") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
