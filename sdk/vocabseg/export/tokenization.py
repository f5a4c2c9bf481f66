"""The byte-pair merges that go into a bundle, and the tokenizer of the training code, for the reference."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import WeightsError

Merge = tuple[str, str]
Tokenize = Callable[[Sequence[str]], np.ndarray]

# Byte symbols with and without the end-of-word mark, and the two special tokens.
_BASE_VOCABULARY = 2 * 256 + 2
_OPENAI_MERGES = 49152 - 256 - 2


def openai_merges() -> list[Merge]:
    """The 48,894 merges of OpenAI's CLIP, from the installed open_clip."""
    from open_clip.tokenizer import default_bpe

    with gzip.open(default_bpe(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    return parse_merges(lines[1 : _OPENAI_MERGES + 1], "open_clip's merges")


def read_merges(path: Path) -> list[Merge]:
    """Merges from a text file, one ``a b`` a line; a first line ``#version: ...`` is skipped."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read merges from {path}: {error}") from error
    start = 1 if lines[0].startswith("#version") else 0
    return parse_merges([line for line in lines[start:] if line.strip()], str(path))


def parse_merges(lines: Sequence[str], where: str) -> list[Merge]:
    merges = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if len(parts) != 2:
            raise WeightsError(
                f"merge {number} of {where} is {line!r}, expected two symbols with a space between"
            )
        merges.append((parts[0], parts[1]))
    return merges


def check_vocabulary(merges: Sequence[Merge], vocab_size: int) -> None:
    """The merges make as many tokens as the text tower has. Raises `WeightsError`."""
    tokens = _BASE_VOCABULARY + len(merges)
    if tokens != vocab_size:
        raise WeightsError(
            f"{len(merges)} merges make {tokens} tokens, the text tower has {vocab_size}; "
            "give the merges that the model was trained with: --merges FILE"
        )


def merges_text(merges: Sequence[Merge]) -> str:
    """The content of a bundle's ``merges.txt``."""
    return "".join(f"{a} {b}\n" for a, b in merges)


def make_tokenizer(merges: Sequence[Merge], context_length: int) -> Tokenize:
    """open_clip's tokenizer over the given merges: texts to ids, int64 [T, context_length]."""
    from open_clip.tokenizer import SimpleTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "merges.txt.gz"
        with gzip.open(path, "wt", encoding="utf-8") as file:
            # A line break at the end would count as one more merge.
            file.write("#version: 0.2\n" + merges_text(merges).rstrip("\n"))
        tokenizer = SimpleTokenizer(str(path), context_length=context_length)
    return lambda texts: tokenizer(list(texts)).numpy().astype(np.int64)
