"""Text embeddings: computed once, kept on disk, and never trusted when damaged."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

import fake_core
from vocabseg import cache, templates
from vocabseg.cache import TextCache
from vocabseg.embedding import Embedder, mean_rows, text_encoder_sha256
from vocabseg.errors import VocabularyError
from vocabseg.vocabulary import Vocabulary

MANIFEST = {
    "model": {"embed_dim": fake_core.WIDTH},
    "text_encoder": {"variants": {"float32": "text.onnx"}},
    "files": {"text.onnx": {"sha256": "ab" * 32}},
}
ROW = fake_core.unit_row("row")


class CountingEncoder:
    def __init__(self) -> None:
        self.prompts: list[str] = []

    def encode(self, prompts):
        self.prompts += prompts
        return np.stack([fake_core.unit_row(prompt) for prompt in prompts])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def embed(words, template_set="simple7", encoder=None, manifest=MANIFEST, stored=()):
    encoder = encoder or CountingEncoder()
    embedder = Embedder(manifest, stored, lambda: encoder)
    return embedder.embed(Vocabulary.of(words), templates.get(template_set)), encoder.prompts


def entries(home: Path) -> list[Path]:
    return sorted(home.rglob("*.safetensors"))


def test_home(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", "~/mine")
    assert cache.home() == Path.home() / "mine"
    monkeypatch.delenv("VOCABSEG_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.home() == tmp_path / "vocabseg"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.home() == Path.home() / ".cache" / "vocabseg"


def test_rows_are_the_mean_over_templates() -> None:
    vocabulary, prompts = embed("cat; dog, hound", "simple7")
    assert len(prompts) == 3 * 7
    for word, row in zip(vocabulary.queries, vocabulary.embeddings, strict=True):
        mean = np.mean(
            [fake_core.unit_row(prompt) for prompt in templates.get("simple7").prompts(word)], axis=0
        )
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)
    assert vocabulary.embeddings.dtype == np.float32
    assert vocabulary.templates == "simple7"
    assert vocabulary.text_encoder_sha256 == "ab" * 32


def test_mean_rows_makes_rows_unit_first() -> None:
    rows = np.array([[10.0, 0.0], [0.0, 0.1]], np.float32)
    np.testing.assert_allclose(mean_rows(rows, 2), [[0.5**0.5, 0.5**0.5]], atol=1e-7)


def test_words_are_embedded_once() -> None:
    first, prompts = embed("cat; dog")
    assert prompts
    again, prompts = embed("dog; cat; bird, cat")
    assert len(prompts) == 7
    assert all("bird" in prompt for prompt in prompts)
    np.testing.assert_array_equal(again.embeddings[:2], first.embeddings[::-1])
    np.testing.assert_array_equal(again.embeddings[3], first.embeddings[0])


def test_another_tower_or_other_templates_are_other_entries(home) -> None:
    embed("cat")
    other = {**MANIFEST, "files": {"text.onnx": {"sha256": "cd" * 32}}}
    assert embed("cat", manifest=other)[1]
    assert embed("cat", "photo")[1]
    assert embed("cat", ["{} in the rain"])[1]
    assert len(entries(home)) == 4


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "width"])
def test_damaged_entries_are_rebuilt(home, damage, caplog) -> None:
    first, _ = embed("cat")
    (path,) = entries(home)
    good = path.read_bytes()
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    wide = cache.safetensors_io.to_bytes({"embedding": np.zeros(3, np.float32)}, {"sha256": "0"})
    path.write_bytes(
        {"cut": good[:-3], "flip": flipped, "empty": b"", "text": b"hello" * 9, "width": wide}[damage]
    )
    again, prompts = embed("cat")
    assert len(prompts) == 7
    assert "rebuilding" in caplog.text
    np.testing.assert_array_equal(again.embeddings, first.embeddings)
    assert path.read_bytes() == good
    assert not embed("cat")[1]


def test_a_folder_that_cannot_be_written_costs_one_warning(home, caplog) -> None:
    home.write_text("a file, not a folder")
    with caplog.at_level(logging.WARNING):
        vocabulary, _ = embed("cat; dog")
    assert vocabulary.embeddings.shape == (2, fake_core.WIDTH)
    assert caplog.text.count("cannot be written") == 1


def test_no_temporary_files_are_left(home) -> None:
    embed("cat; dog")
    assert sorted(path for path in home.rglob("*") if path.is_file()) == entries(home)


def test_stored_vocabularies_come_before_cache_and_tower() -> None:
    row = np.eye(1, fake_core.WIDTH, dtype=np.float32)
    simple = templates.get("simple7")
    stored = Vocabulary.parse(["cat"]).with_embeddings(row, simple.name, simple.digest, None)
    vocabulary, prompts = embed("cat; dog", stored=[stored])
    assert not any("cat" in prompt for prompt in prompts)
    np.testing.assert_array_equal(vocabulary.embeddings[0], row[0])
    assert any("cat" in prompt for prompt in embed("cat", "photo", stored=[stored])[1])


def test_without_a_text_tower_only_stored_words_work() -> None:
    simple = templates.get("simple7")
    stored = Vocabulary.parse("cat; dog").with_embeddings(
        np.eye(2, fake_core.WIDTH, dtype=np.float32), simple.name, simple.digest, None
    )
    embedder = Embedder({**MANIFEST, "text_encoder": None}, [stored], None)
    assert embedder.embed(Vocabulary.parse("dog, cat"), simple).embeddings.shape == (2, fake_core.WIDTH)
    with pytest.raises(VocabularyError, match="no text tower.*'bird'.*vocabseg vocab build"):
        embedder.embed(Vocabulary.parse("dog; bird"), simple)
    with pytest.raises(VocabularyError, match="no text tower"):
        embedder.embed(Vocabulary.parse("dog"), templates.get("photo"))


def test_the_tower_starts_only_when_needed() -> None:
    embed("cat")

    def fail():
        raise AssertionError("started")

    Embedder(MANIFEST, [], fail).embed(Vocabulary.parse("cat"), templates.get("simple7"))


def test_identity_of_a_text_tower() -> None:
    assert text_encoder_sha256(MANIFEST) == "ab" * 32
    assert text_encoder_sha256({"text_encoder": None}) is None
    files = {"text.onnx": {"sha256": "a"}, "text.onnx.data": {"sha256": "b"}, "image.onnx": {"sha256": "c"}}
    external = text_encoder_sha256({**MANIFEST, "files": files})
    files["text.onnx.data"]["sha256"] = "d"
    assert external != text_encoder_sha256({**MANIFEST, "files": files})


def test_info_and_prune(home) -> None:
    assert cache.info().entries == 0
    assert cache.prune().entries == 0
    store = TextCache("tower", "templates")
    store.put("cat", ROW)
    store.put("dog", ROW)
    old = store._path("cat")
    os.utime(old, (0, 0))
    (old.parent / ".left.0.tmp").write_bytes(b"interrupted")
    assert cache.info().entries == 3
    assert cache.prune(older_than_days=30).entries == 1
    assert store.get("cat", fake_core.WIDTH) is None
    np.testing.assert_array_equal(store.get("dog", fake_core.WIDTH), ROW)
    assert cache.prune().entries == 2
    assert cache.info().size == 0
