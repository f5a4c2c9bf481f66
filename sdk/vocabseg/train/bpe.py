"""A small byte-pair vocabulary in CLIP's layout: merges learned from a text, and the tokenizer for plain ASCII."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

import numpy as np

START, END = "<|startoftext|>", "<|endoftext|>"
# CLIP's pattern (Radford et al. 2021, simple_tokenizer.py), with letters and digits restricted to ASCII
WORD = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
Pair = tuple[str, str]


def byte_symbols() -> list[str]:
    """CLIP's 256 printable stand-ins for bytes, in the order of its vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def split_words(text: str) -> list[str]:
    """Lower-case words of an ASCII text as CLIP's pattern finds them."""
    return WORD.findall(re.sub(r"\s+", " ", text).strip().lower())


def train_merges(text: Iterable[str], limit: int, minimum: int = 2) -> list[Pair]:
    """Most frequent pairs first (ties in alphabetical order), until every word is one token or `limit` is reached."""
    counts = Counter(word for line in text for word in split_words(line))
    words = {(*word[:-1], word[-1] + "</w>"): n for word, n in counts.items()}
    merges: list[Pair] = []
    while len(merges) < limit:
        pairs: Counter[Pair] = Counter()
        for symbols, n in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < minimum:
            break
        merges.append(best)
        words = {merge_pair(symbols, best): n for symbols, n in words.items()}
    return merges


def merge_pair(symbols: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    """Join every occurrence of a pair, from left to right."""
    out: list[str] = []
    i = 0
    while i < len(symbols):
        if symbols[i : i + 2] == pair:
            out.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            out.append(symbols[i])
            i += 1
    return tuple(out)


class Tokenizer:
    """CLIP's byte-pair tokenizer for ASCII text; ids: bytes, bytes + `</w>`, merges, start, end; padding 0."""

    def __init__(self, merges: list[Pair], context_length: int) -> None:
        symbols = byte_symbols()
        names = [*symbols, *(s + "</w>" for s in symbols), *("".join(m) for m in merges), START, END]
        self.ids = {name: i for i, name in enumerate(names)}
        self.vocab_size = len(names)
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.context_length = context_length
        self.word_ids = lru_cache(maxsize=4096)(self._word_ids)

    def _word_ids(self, word: str) -> tuple[int, ...]:
        symbols: tuple[str, ...] = (*word[:-1], word[-1] + "</w>")
        while len(symbols) > 1:
            pair = min(pairwise(symbols), key=lambda p: self.rank.get(p, len(self.rank)))
            if pair not in self.rank:
                break
            symbols = merge_pair(symbols, pair)
        return tuple(self.ids[s] for s in symbols)

    def encode(self, text: str) -> list[int]:
        """Token ids without start, end or padding."""
        return [i for word in split_words(text) for i in self.word_ids(word)]

    def __call__(self, texts: list[str]) -> np.ndarray:
        """int64 `[len(texts), context_length]`: start, tokens, end, zeros; too long: cut, the last token is the end."""
        out = np.zeros((len(texts), self.context_length), np.int64)
        for row, text in enumerate(texts):
            ids = [self.ids[START], *self.encode(text), self.ids[END]][: self.context_length]
            ids[-1] = self.ids[END]
            out[row, : len(ids)] = ids
        return out


def save_merges(merges: list[Pair]) -> str:
    """The text of merges.txt: one merge a line."""
    return "".join(f"{a} {b}\n" for a, b in merges)


def load_merges(text: str) -> list[Pair]:
    """Merges of a merges.txt."""
    return [(a, b) for a, b in (line.split(" ") for line in text.splitlines() if line)]
