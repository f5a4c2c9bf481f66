"""CLIP's tokenizer in plain Python, after Radford et al. 2021 and open_clip, for any list of merges."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable

import ftfy
import regex

START, END = "<start_of_text>", "<end_of_text>"
PIECES = regex.compile(
    START + "|" + END + r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
)


def byte_symbols() -> dict[int, str]:
    """The printable character for each byte, in the order in which symbols are numbered."""
    printable = [b for b in range(256) if 0x21 <= b <= 0x7E or (b >= 0xA1 and b != 0xAD)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


SYMBOLS = byte_symbols()


def clean(text: str) -> str:
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()


def symbols(piece: str) -> list[str]:
    word = [SYMBOLS[byte] for byte in piece.encode()]
    word[-1] += "</w>"
    return word


def join_pair(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(word):
        joins = tuple(word[i : i + 2]) == pair
        out.append("".join(pair) if joins else word[i])
        i += 2 if joins else 1
    return out


def learn_merges(texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Byte-pair merges of the most frequent neighbours."""
    words = [symbols(piece) for text in texts for piece in PIECES.findall(clean(text))]
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs = Counter(pair for word in words for pair in zip(word, word[1:], strict=False))
        if not pairs:
            break
        merges.append(max(pairs, key=lambda pair: (pairs[pair], pair)))
        words = [join_pair(word, merges[-1]) for word in words]
    return merges


class ReferenceTokenizer:
    """``encode`` as open_clip's SimpleTokenizer."""

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        names = list(SYMBOLS.values())
        names += [name + "</w>" for name in names] + ["".join(pair) for pair in merges] + [START, END]
        self.ids = {name: index for index, name in enumerate(names)}

    def encode(self, text: str) -> list[int]:
        return [self.ids[token] for piece in PIECES.findall(clean(text)) for token in self.split(piece)]

    def split(self, piece: str) -> list[str]:
        if piece in (START, END):
            return [piece]
        word = symbols(piece)
        while True:
            known = [pair for pair in zip(word, word[1:], strict=False) if pair in self.ranks]
            if not known:
                return word
            word = join_pair(word, min(known, key=self.ranks.__getitem__))
