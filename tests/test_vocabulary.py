"""Words, class lists, templates, and stored vocabularies."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vocabseg import safetensors_io, templates, words
from vocabseg.errors import VocabularyError
from vocabseg.vocabulary import Vocabulary

CLASSES = {
    "ade20k": 150,
    "cityscapes": 19,
    "coco_object": 81,
    "coco_stuff": 171,
    "context59": 59,
    "context60": 60,
    "voc20": 20,
    "voc21": 21,
}


def embedded(entries, width: int = 4) -> Vocabulary:
    vocabulary = Vocabulary.parse(entries)
    rows = np.random.default_rng(0).normal(size=(len(vocabulary.queries), width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return vocabulary.with_embeddings(rows.astype(np.float32), "photo", "00", "11")


def test_synonyms_and_background() -> None:
    vocabulary = Vocabulary.parse(["road", " car ,  truck,van", "Background: sky,  tall   building"])
    assert vocabulary.names == ("road", "car", "sky")
    assert vocabulary.queries == ("road", "car", "truck", "van", "sky", "tall building")
    assert vocabulary.query_to_class.tolist() == [0, 1, 1, 1, 2, 2]
    assert vocabulary.query_to_class.dtype == np.int32
    assert vocabulary.background == (2,)
    assert vocabulary.entries() == ["road", "car, truck, van", "background: sky, tall building"]
    assert len(vocabulary) == 3


def test_one_string() -> None:
    assert Vocabulary.parse("road; car, truck; background: sky;").entries() == [
        "road",
        "car, truck",
        "background: sky",
    ]
    assert Vocabulary.parse("strasse; ciel bleu; 道路").names == ("strasse", "ciel bleu", "道路")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "empty"),
        ("", "empty word"),
        ([""], "empty word"),
        (["road", "  "], "empty word"),
        (["car,,van"], "empty word"),
        (["car,"], "empty word"),
        ("a;;b", "empty word"),
        (["background:"], "empty word"),
        (["road", "road"], "same name 'road'"),
        (["Road", "road, street"], "same name"),
        (["a", "background: a"], "same name"),
        (["background: sky"], "every class is background"),
        (["a; b"], "separates classes"),
        (["a", 3], "got int"),
        (["a", None], "NoneType"),
        (["a\x00"], "not valid text"),
        (["a\ud800"], "not valid text"),
        (["a", "unlabeled"], "background:"),
        ([f"c{i}" for i in range(65536)], "65536 classes"),
    ],
)
def test_bad_words_are_refused(entries, message) -> None:
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.parse(entries)


def test_as_many_classes_as_labels() -> None:
    assert len(Vocabulary.parse([f"c{i}" for i in range(65535)])) == 65535


@pytest.mark.parametrize(("name", "count"), CLASSES.items())
def test_class_lists(name, count) -> None:
    vocabulary = Vocabulary.named(name)
    assert len(vocabulary) == count
    assert vocabulary.background == ((0,) if name in ("voc21", "context60", "coco_object") else ())
    assert Vocabulary.of(name).entries() == vocabulary.entries()


def test_every_class_list_is_tested() -> None:
    assert words.list_names() == sorted(CLASSES)
    with pytest.raises(VocabularyError, match="did you mean 'voc21'"):
        Vocabulary.named("voc2")


def test_text_files(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeff# my classes\nroad\n\n  car, truck  \r\nbackground: sky\n", encoding="utf-8")
    for source in (path, str(path)):
        assert Vocabulary.of(source).entries() == ["road", "car, truck", "background: sky"]
    with pytest.raises(VocabularyError, match=r"none\.txt"):
        Vocabulary.of(str(tmp_path / "none.txt"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VocabularyError, match=r"words\.txt"):
        Vocabulary.load(path)


def test_of_takes_every_form(tmp_path) -> None:
    vocabulary = embedded(["a", "b, c"])
    assert Vocabulary.of(vocabulary) is vocabulary
    assert Vocabulary.of(("a", "b, c")).entries() == ["a", "b, c"]
    assert Vocabulary.of(word for word in ["a", "b"]).names == ("a", "b")
    assert Vocabulary.of("a; b, c").entries() == ["a", "b, c"]
    path = vocabulary.save(tmp_path / "v.safetensors")
    assert Vocabulary.of(str(path)).entries() == ["a", "b, c"]


def test_stored_round_trip(tmp_path) -> None:
    vocabulary = embedded(["Straße", "b, c", "background: 雪"])
    loaded = Vocabulary.load(vocabulary.save(tmp_path / "v.safetensors"))
    assert loaded.entries() == vocabulary.entries()
    assert loaded.background == (2,)
    np.testing.assert_array_equal(loaded.embeddings, vocabulary.embeddings)
    assert (loaded.templates, loaded.templates_sha256, loaded.text_encoder_sha256) == ("photo", "00", "11")
    assert loaded.width == 4


def test_stored_layout(tmp_path) -> None:
    """What the C++ core reads: two tensors, and JSON in the metadata."""
    tensors, metadata = safetensors_io.read(
        embedded("a; b, c; background: d").save(tmp_path / "v.safetensors")
    )
    assert tensors["embeddings"].dtype == np.float32
    assert tensors["embeddings"].shape == (4, 4)
    assert tensors["query_to_class"].dtype == np.int64
    assert json.loads(metadata["names"]) == ["a", "b", "d"]
    assert json.loads(metadata["queries"]) == ["a", "b", "c", "d"]
    assert json.loads(metadata["background"]) == [2]
    assert metadata["templates"] == "photo"
    assert metadata["text_encoder_sha256"] == "11"


def test_saving_needs_embeddings_and_the_right_name(tmp_path) -> None:
    with pytest.raises(VocabularyError, match="vocabseg vocab build"):
        Vocabulary.parse("a; b").save(tmp_path / "v.safetensors")
    with pytest.raises(VocabularyError, match=r"ends with \.safetensors"):
        embedded("a; b").save(tmp_path / "v.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": None}, "not a stored vocabulary"),
        ({"names": "["}, "not a stored vocabulary"),
        ({"names": '"a"'}, "not a stored vocabulary"),
        ({"names": "[1, 2]"}, "not a stored vocabulary"),
        ({"names": '["a"]'}, "query_to_class"),
        ({"names": '["a", "a"]'}, "same name"),
        ({"queries": '["a"]'}, "query_to_class"),
        ({"background": "[5]"}, "background"),
        ({"background": "[0, 1]"}, "background"),
        ({"embeddings": None}, "not a stored vocabulary"),
        ({"embeddings": np.zeros((3, 4), np.float32)}, "length 1"),
        ({"embeddings": np.full((3, 4), np.nan, np.float32)}, "length 1"),
        ({"embeddings": np.full((3, 4), 0.5)}, "float32"),
        ({"embeddings": np.full((2, 4), 0.5, np.float32)}, "float32"),
        ({"query_to_class": np.array([0, 1, 2])}, "query_to_class"),
        ({"query_to_class": np.array([0, 0, 0])}, "query_to_class"),
        ({"query_to_class": np.array([0.0, 1.0, 1.0])}, "query_to_class"),
        ({"query_to_class": np.array([0, 1, -1])}, "query_to_class"),
    ],
)
def test_bad_stored_vocabularies_are_refused(tmp_path, change, message) -> None:
    tensors, metadata = safetensors_io.read(embedded(["a", "b, c"]).save(tmp_path / "v.safetensors"))
    content = {**tensors, **metadata, **change}
    safetensors_io.write(
        tmp_path / "bad.safetensors",
        {key: value for key, value in content.items() if isinstance(value, np.ndarray)},
        {key: value for key, value in content.items() if isinstance(value, str)},
    )
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.load(tmp_path / "bad.safetensors")


def test_a_vocabulary_checks_itself() -> None:
    vocabulary = Vocabulary.parse("a; b")
    with pytest.raises(VocabularyError):
        replace(vocabulary, query_to_class=np.array([0, 0], np.int32))


@pytest.mark.parametrize(
    ("name", "count"), [("openai80", 80), ("maskclip85", 85), ("simple7", 7), ("photo", 1)]
)
def test_template_sets(name, count) -> None:
    found = templates.get(name)
    assert len(set(found.templates)) == count
    assert found.prompts("cat {x}")[0].count("cat {x}") == 1


def test_template_sets_agree_with_open_clip() -> None:
    public = pytest.importorskip("open_clip")
    for name, theirs in (
        ("openai80", public.OPENAI_IMAGENET_TEMPLATES),
        ("simple7", public.SIMPLE_IMAGENET_TEMPLATES),
    ):
        assert templates.get(name).prompts("dog") == [template("dog") for template in theirs]


def test_own_templates(tmp_path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# mine\nan aerial view of {}.\n\n{}\n")
    assert templates.get(path).prompts("a field") == ["an aerial view of a field.", "a field"]
    assert templates.get(["{}"]).name == "custom"
    assert templates.get(["{}", "a {}"]).digest != templates.get(["a {}", "{}"]).digest
    assert templates.get(path).digest == templates.get(["an aerial view of {}.", "{}"]).digest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("openai81", "openai80"),
        ("a photo of {}", "pass a list"),
        ([], "empty"),
        (["a photo"], "must hold"),
        (["{} and {}"], "must hold"),
        ([3], "must hold"),
    ],
)
def test_bad_templates_are_refused(given, message) -> None:
    with pytest.raises(VocabularyError, match=message):
        templates.get(given)
