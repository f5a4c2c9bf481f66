"""The small byte-pair vocabulary: CLIP's layout, and the same ids as open_clip's tokenizer."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from vocabseg.train.bpe import (
    END,
    START,
    Tokenizer,
    load_merges,
    save_merges,
    split_words,
    train_merges,
)
from vocabseg.train.corpus import caption_corpus, demo_merges


def test_every_caption_word_becomes_one_token() -> None:
    tokenizer = Tokenizer(demo_merges(), 32)
    words = {word for line in caption_corpus() for word in split_words(line)}
    assert all(len(tokenizer.encode(word)) == 1 for word in words)


def test_merges_are_deterministic_and_survive_a_file() -> None:
    merges = demo_merges()
    assert merges == demo_merges()
    assert load_merges(save_merges(merges)) == merges


def test_layout_of_ids() -> None:
    merges = train_merges(["low lower lowest low"], limit=10)
    tokenizer = Tokenizer(merges, 8)
    assert tokenizer.vocab_size == 512 + len(merges) + 2
    assert tokenizer.ids["!"] == 0 and tokenizer.ids["!</w>"] == 256
    assert tokenizer.ids[START] == tokenizer.vocab_size - 2 and tokenizer.ids[END] == tokenizer.vocab_size - 1


def test_too_long_text_is_cut_and_still_ends() -> None:
    tokenizer = Tokenizer(demo_merges(), 8)
    row = tokenizer(["a star " * 20])[0]
    assert row[0] == tokenizer.ids[START] and row[-1] == tokenizer.ids[END] and len(row) == 8


@pytest.mark.parametrize("context_length", [16, 32])
def test_equal_to_open_clip(tmp_path: Path, context_length: int) -> None:
    open_clip = pytest.importorskip("open_clip")
    merges = demo_merges()
    # open_clip reads merges 1 .. 48894 of a gzipped file with a header line
    path = tmp_path / "merges.txt.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + save_merges(merges).rstrip("\n"))
    theirs = open_clip.tokenizer.SimpleTokenizer(bpe_path=str(path), context_length=context_length)
    ours = Tokenizer(merges, context_length)
    texts = [
        *caption_corpus(seed=9, count=300),
        "It's 2 o'clock -- we'll (really) see!?",
        "xylophone QUARTZ 1234",
        "",
    ]
    assert np.array_equal(theirs(texts).numpy(), ours(texts))
