"""The C++ tokenizer gives the ids that open_clip's gives, and a plain Python one for any merges."""

from __future__ import annotations

import gzip
import random
import unicodedata
from collections.abc import Callable
from html.entities import html5
from pathlib import Path

import pytest

pytest.importorskip("ftfy", reason="needs the extra: test")

from reference_tokenizer import ReferenceTokenizer, learn_merges
from vocabseg import _core
from vocabseg.errors import BundleError

STRINGS = 10_000
TEXT = (
    "a photo of the dog's can't we're I'll you've I'd I'm street-light, naïve café Ünïcödé STRASSE ß ẞ ﬁsh ﬂow "
    "Σίσυφος ΟΔΟΣ İstanbul I ı ＬＯＵＤ ﾀｰﾝ “quoted” ‘single’ … — – © ® ™ ½ ² Ⅷ 日本語 中文 한국어 العربية हिन्दी 🦊 "
    "👩‍👩‍👧 🇩🇪 &amp; &lt; &#39; &eacute; &EACUTE; &notit; &amp;amp; &#x1F600; &#128; <b> <start_of_text> "
    "<end_of_text> <START_OF_TEXT> 'ſ 'S ſ K Å é \x00 \x07 \x1b[31mred\x1b[0m \u200b \u00a0 \u2028 \r\n \t \ufffd"
)
WORDS = TEXT.split(" ")
ENCODINGS = (
    "latin-1",
    "cp1252",
    "cp1251",
    "cp1250",
    "cp1253",
    "cp1254",
    "cp1257",
    "iso-8859-2",
    "mac_roman",
    "cp437",
)


CONTEXT = 77


def open_tokenizer(folder: Path, merges: list[str]) -> _core.Tokenizer:
    (folder / "merges.txt").write_text("".join(f"{merge}\n" for merge in merges), encoding="utf-8")
    return _core.Tokenizer(str(folder / "merges.txt"), CONTEXT)


def mojibake(rng: random.Random, text: str) -> str:
    """UTF-8 read as one of the single-byte encodings."""
    encoding = rng.choice(ENCODINGS)
    return text.encode("utf-8", "replace").decode(encoding, "ignore")


def random_character(rng: random.Random) -> str:
    """Any character that this Python's Unicode has, surrogates included."""
    limit = rng.choice([0x7F, 0x250, 0x3000, 0xFFFF, 0x10FFFF])
    while unicodedata.category(character := chr(rng.randrange(limit))) == "Cn":
        pass
    return character


def phrase(rng: random.Random, length: int, gaps: tuple[str, ...] = (" ",)) -> str:
    return "".join(rng.choice(WORDS) + rng.choice(gaps) for _ in range(rng.randrange(length)))


def entities(rng: random.Random) -> str:
    change = rng.choice([str, str.upper, str.lower])
    return "".join(f"&{change(rng.choice(ENTITIES))}{rng.choice(['', ';', 'x', ' '])}" for _ in range(4))


def references(rng: random.Random) -> str:
    digits = "".join(rng.choice("0123456789abcdefG") for _ in range(rng.randrange(7)))
    return f"&#{rng.choice(['', 'x', 'X'])}{digits}{rng.choice(['', ';', ' '])}"


ENTITIES = sorted(html5)
KINDS = (
    lambda rng: phrase(rng, 12),
    lambda rng: phrase(rng, 150, ("", " ", "  ", "\n")),
    lambda rng: "".join(random_character(rng) for _ in range(rng.randrange(30))),
    lambda rng: "".join(chr(rng.randrange(0x80, 0x180)) for _ in range(rng.randrange(12))),
    lambda rng: rng.choice(WORDS) * rng.randrange(60),
    lambda rng: mojibake(rng, phrase(rng, 8)) + rng.choice(["", " ok ", " é"]),
    lambda rng: mojibake(rng, mojibake(rng, phrase(rng, 4))),
    entities,
    references,
)


def check_equal(encode: Callable[[str], list[int]], expected: Callable[[str], list[int]]) -> None:
    rng = random.Random(20261121)
    for index in range(STRINGS):
        text = KINDS[index % len(KINDS)](rng)
        assert encode(text) == expected(text), ascii(text)


def test_equal_to_open_clip(tmp_path):
    module = pytest.importorskip("open_clip.tokenizer", reason="needs the extra: export")
    reference = module.SimpleTokenizer()
    with gzip.open(module.default_bpe(), "rt", encoding="utf-8") as file:
        tokenizer = open_tokenizer(tmp_path, file.read().split("\n")[1 : 49152 - 256 - 2 + 1])
    assert tokenizer.vocab_size == reference.vocab_size == 49408
    check_equal(tokenizer.encode, reference.encode)
    rng = random.Random(7)
    texts = [KINDS[index % len(KINDS)](rng) for index in range(500)] + ["", " ", "word " * 200]
    rows = tokenizer.encode_batch(texts)
    assert rows.dtype == "int64"
    assert rows.tolist() == reference(texts).tolist()


def test_equal_to_the_reference(tmp_path):
    merges = learn_merges(WORDS, 150)
    tokenizer = open_tokenizer(tmp_path, [" ".join(pair) for pair in merges])
    assert tokenizer.vocab_size == 512 + len(merges) + 2
    check_equal(tokenizer.encode, ReferenceTokenizer(merges).encode)


@pytest.fixture
def tokenizer(tmp_path):
    return open_tokenizer(tmp_path, ["r o", "ro a", "roa d</w>"])


def test_rows(tokenizer):
    rows = tokenizer.encode_batch(["road", "", "road " * 100])
    start, end = tokenizer.vocab_size - 2, tokenizer.vocab_size - 1
    assert rows.shape == (3, CONTEXT) and rows.dtype == "int64"
    assert rows[0].tolist() == [start, 514, end] + [0] * (CONTEXT - 3)
    assert rows[1].tolist() == [start, end] + [0] * (CONTEXT - 2)
    assert rows[2].tolist() == [start] + [514] * (CONTEXT - 2) + [end]
    assert tokenizer.encode_batch([]).shape == (0, CONTEXT)


@pytest.mark.parametrize("text", [None, b"bytes", 3])
def test_only_str(tokenizer, text):
    with pytest.raises(TypeError):
        tokenizer.encode(text)


def test_bad_merges(tmp_path: Path):
    (tmp_path / "merges.txt").write_text("a b c\n")
    with pytest.raises(BundleError, match="line 1"):
        _core.Tokenizer(str(tmp_path / "merges.txt"), 77)
