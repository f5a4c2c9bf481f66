"""The C++ tokenizer gives the ids that open_clip's gives."""

from __future__ import annotations

import gzip
import random
from html.entities import html5
from pathlib import Path

import pytest

from vocabseg import _core
from vocabseg.errors import BundleError

open_clip_tokenizer = pytest.importorskip("open_clip.tokenizer", reason="needs the extra: export")

STRINGS = 10_000
TEXT = (
    "a photo of the dog's can't we're I'll you've I'd I'm street-light, naïve café Ünïcödé STRASSE ß ẞ ﬁsh ﬂow "
    "Σίσυφος ΟΔΟΣ İstanbul I ı ＬＯＵＤ ﾀｰﾝ “quoted” ‘single’ … — – © ® ™ ½ ² Ⅷ 日本語 中文 한국어 العربية हिन्दी 🦊 "
    "👩‍👩‍👧 🇩🇪 &amp; &lt; &#39; &eacute; &EACUTE; &notit; &amp;amp; &#x1F600; &#128; <b> <start_of_text> "
    "<end_of_text> <START_OF_TEXT> 'ſ 'S ſ K Å é \x00 \x07 \x1b[31mred\x1b[0m \u200b \u00a0 \u2028 \r\n \t \ufffd"
)
WORDS = TEXT.split(" ")
ENCODINGS = (
    "latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac_roman", "cp437",
)  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    return open_clip_tokenizer.SimpleTokenizer()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    with gzip.open(open_clip_tokenizer.default_bpe(), "rt", encoding="utf-8") as file:
        merges = file.read().split("\n")[1 : 49152 - 256 - 2 + 1]
    path = tmp_path_factory.mktemp("tokenizer") / "merges.txt"
    path.write_text("\n".join(merges) + "\n", encoding="utf-8")
    return _core.Tokenizer(str(path), 77)


def mojibake(rng: random.Random, text: str) -> str:
    """UTF-8 read as one of the single-byte encodings."""
    encoding = rng.choice(ENCODINGS)
    return text.encode("utf-8", "replace").decode(encoding, "ignore")


def random_character(rng: random.Random) -> str:
    limit = rng.choice([0x7F, 0x250, 0x3000, 0xFFFF, 0x10FFFF])
    return chr(rng.randrange(limit))


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


def test_equal_on_many_strings(tokenizer, reference):
    rng = random.Random(20261121)
    for index in range(STRINGS):
        text = KINDS[index % len(KINDS)](rng)
        assert tokenizer.encode(text) == reference.encode(text), ascii(text)


def test_rows_equal(tokenizer, reference):
    rng = random.Random(7)
    texts = [KINDS[index % len(KINDS)](rng) for index in range(500)] + ["", " ", "word " * 200]
    rows = tokenizer.encode_batch(texts)
    assert rows.dtype == "int64"
    assert rows.tolist() == reference(texts).tolist()


def test_vocabulary_size(tokenizer, reference):
    assert tokenizer.vocab_size == reference.vocab_size == 49408


def test_no_texts(tokenizer):
    assert tokenizer.encode_batch([]).shape == (0, 77)


@pytest.mark.parametrize("text", [None, b"bytes", 3])
def test_only_str(tokenizer, text):
    with pytest.raises(TypeError):
        tokenizer.encode(text)


def test_bad_merges(tmp_path: Path):
    (tmp_path / "merges.txt").write_text("a b c\n")
    with pytest.raises(BundleError, match="line 1"):
        _core.Tokenizer(str(tmp_path / "merges.txt"), 77)
