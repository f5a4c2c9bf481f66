"""The SDK on the real core, with a bundle whose features are mean colours."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vocabseg
from vocabseg import rle, words
from vocabseg.cli import main
from vocabseg.core import load_core
from vocabseg.errors import BackendUnavailable, BundleError, MaskError, VocabularyError

tiny_bundle = pytest.importorskip("tiny_bundle", reason="needs onnx")

COLOURS = np.stack([tiny_bundle.RED, tiny_bundle.GREEN, tiny_bundle.BLUE])
HEIGHT, WIDTH = 64, 96


def stripes() -> np.ndarray:
    """Red, green and blue columns of 32 pixels."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for channel in range(3):
        image[:, 32 * channel : 32 * (channel + 1), channel] = 255
    return image


def colour_words(entries: str = "red; green; blue") -> vocabseg.Vocabulary:
    return vocabseg.Vocabulary.parse(entries).with_embeddings(COLOURS, "photo", "", None)


EXPECTED = np.repeat(np.arange(3), 32)[None].repeat(HEIGHT, 0)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bundle(tmp_path) -> Path:
    return tiny_bundle.write_tiny_bundle(tmp_path / "tiny", short_side=HEIGHT)


@pytest.fixture
def seg(bundle) -> vocabseg.Segmenter:
    segmenter = vocabseg.Segmenter.load(bundle, threads=1)
    segmenter.set_vocabulary(colour_words())
    return segmenter


def agreement(labels: np.ndarray, expected: np.ndarray = EXPECTED) -> float:
    return float((labels == expected).mean())


def test_colours_are_found(seg) -> None:
    result = seg(stripes())
    assert result.labels.dtype == np.uint8
    assert result.labels.flags.writeable
    assert agreement(result.labels) > 0.98
    assert result.scores.dtype == np.float32
    assert 1 / 3 <= result.scores.min() <= result.scores.max() <= 1 + 1e-6
    assert result.names == ("red", "green", "blue")
    assert set(result.timing) == {"read", "preprocess", "encode", "similarity", "decode", "total"}
    assert "openvino" in result.backend
    assert seg.backend_reason


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[::-1, ::-1][::-1, ::-1],
        lambda image: image[..., ::-1].copy()[..., ::-1],
        lambda image: np.dstack([image, image[..., :1]])[..., :3],
        lambda image: np.asfortranarray(image),
        lambda image: image.repeat(2, 0).repeat(3, 1)[::2, ::3],
        lambda image: np.pad(image, ((3, 5), (7, 1), (0, 0)))[3:-5, 7:-1],
        Image.fromarray,
    ],
)
def test_strides_change_nothing(seg, view) -> None:
    plain = seg(stripes())
    other = seg(view(stripes()))
    np.testing.assert_array_equal(other.labels, plain.labels)
    np.testing.assert_array_equal(other.scores, plain.scores)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 13), (31, 33), (480, 640)])
def test_any_size(seg, size) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[..., 1] = 200
    result = seg(image)
    assert result.labels.shape == size
    assert (result.labels == 1).all()
    assert seg.features(image).shape[2] == tiny_bundle.DIM


def test_grey_scores_are_shared_and_threshold_leaves_them_unlabelled(seg) -> None:
    grey = np.full((HEIGHT, WIDTH), 128, np.uint8)
    np.testing.assert_allclose(seg(grey).scores, 1 / 3, atol=1e-3)
    assert (seg(grey, threshold=0.5).labels == 255).all()
    assert agreement(seg(stripes(), threshold=0.5).labels) > 0.9


def test_logit_scale_changes_scores_only(seg) -> None:
    soft, hard = seg(stripes(), logit_scale=1.0), seg(stripes(), logit_scale=100.0)
    np.testing.assert_array_equal(soft.labels, hard.labels)
    assert soft.scores.mean() < hard.scores.mean()
    assert seg(stripes(), scores=False).scores is None


def test_background_and_synonyms(seg) -> None:
    rows = {"red": COLOURS[0], "green": COLOURS[1], "blue": COLOURS[2]}
    vocabulary = vocabseg.Vocabulary.parse(["red, blue", "background: green"])
    embeddings = np.stack([rows[query] for query in vocabulary.queries])
    seg.set_vocabulary(vocabulary.with_embeddings(embeddings, "photo", "", None))
    result = seg(stripes())
    assert agreement(result.labels, np.array([0, 255, 0])[EXPECTED]) > 0.98
    assert result.area()["unlabeled"].share == pytest.approx(1 / 3, abs=0.02)
    masks = np.stack([EXPECTED == 0, EXPECTED == 1])
    assert seg.classify_masks(stripes(), masks).names == ["red", None]


def test_more_classes_than_a_byte_holds(seg) -> None:
    vocabulary = vocabseg.Vocabulary.parse([f"c{index}" for index in range(297)] + ["red", "green", "blue"])
    rows = np.tile(-COLOURS.mean(0) / np.linalg.norm(COLOURS.mean(0)), (300, 1)).astype(np.float32)
    rows[297:] = COLOURS
    seg.set_vocabulary(vocabulary.with_embeddings(rows, "photo", "", None))
    result = seg(stripes())
    assert result.labels.dtype == np.uint16
    assert agreement(result.labels, EXPECTED + 297) > 0.98


def test_masks_of_every_form_agree(seg) -> None:
    image = stripes()
    masks = np.stack([EXPECTED == 2, np.zeros_like(EXPECTED, bool), EXPECTED == 1])
    codes = [{"size": [HEIGHT, WIDTH], "counts": rle.compress(rle.encode(mask))} for mask in masks]
    label_map = np.full(EXPECTED.shape, -1)
    label_map[masks[0]], label_map[masks[2]] = 0, 2
    results = [seg.classify_masks(image, form) for form in (masks, codes, label_map, list(masks))]
    for regions in results:
        assert regions.names == ["blue", None, "green"]
        assert regions.area.tolist() == [HEIGHT * 32, 0, HEIGHT * 32]
        np.testing.assert_allclose(regions.features, results[0].features, atol=1e-5)
        np.testing.assert_allclose(regions.scores, results[0].scores, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(results[0].features, axis=1), [1, 0, 1], atol=1e-5)
    assert len(seg.classify_masks(image, [])) == 0
    with pytest.raises(MaskError):
        seg.classify_masks(image, masks[:, :-1])


def test_words_through_the_text_tower(bundle, home, tmp_path) -> None:
    seg = vocabseg.Segmenter.load(bundle)
    seg.set_vocabulary(["road", "car", "background: sky"])
    assert seg.vocabulary.embeddings.shape == (3, tiny_bundle.DIM)
    assert len(list(home.rglob("*.safetensors"))) == 3
    stored = seg.vocabulary.save(tmp_path / "words.safetensors")
    device = tiny_bundle.write_tiny_bundle(tmp_path / "device", short_side=HEIGHT, text=False)
    on_device = vocabseg.Segmenter.load(device)
    with pytest.raises(VocabularyError, match="no text tower"):
        on_device.set_vocabulary(["road"])
    on_device.set_vocabulary(stored)
    np.testing.assert_array_equal(on_device(stripes()).labels, seg(stripes()).labels)


def test_rows_equal_the_formula(bundle) -> None:
    core = load_core()
    manifest = json.loads((bundle / "manifest.json").read_text())["tokenizer"]
    tokenizer = core.Tokenizer(str(bundle / "merges.txt"), manifest["context_length"])
    prompts = [f"{start} road" for start in ("the", "a", "my")]
    rows = np.stack([tiny_bundle.text_rows()[row].sum(0) for row in tokenizer.encode_batch(prompts)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = rows.mean(0) / np.linalg.norm(rows.mean(0))
    seg = vocabseg.Segmenter.load(bundle)
    found = seg.embed(["road"], templates=["the {}", "a {}", "my {}"]).embeddings[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_changing_words_from_another_thread(seg) -> None:
    first, second = colour_words(), colour_words("crimson; lime; navy")
    failures = []

    def segment() -> None:
        for _ in range(20):
            result = seg(stripes())
            if agreement(result.labels) < 0.98 or result.names[0] not in ("red", "crimson"):
                failures.append(result)

    threads = [threading.Thread(target=segment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        seg.set_vocabulary(second)
        seg.set_vocabulary(first)
    for thread in threads:
        thread.join()
    assert not failures


def test_a_named_backend_runs_or_raises(bundle) -> None:
    with pytest.raises(BackendUnavailable, match="abacus"):
        vocabseg.Segmenter.load(bundle, backend="abacus")


def test_an_altered_bundle_is_refused(bundle) -> None:
    (bundle / "image.onnx").write_bytes((bundle / "image.onnx").read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"image\.onnx"):
        vocabseg.Segmenter.load(bundle)


@pytest.mark.parametrize(
    "entries",
    [
        ["road"],
        [" tall   building ,tower", "Background:  Sky,sea", "background : x"],
        ["Straße", "STRASSE", "道路, 路", "ÉTÉ"],
        ["a\tb\u00a0c\u3000d"],
        [],
        [""],
        ["a,"],
        ["background:"],
        ["background: a"],
        ["a;b"],
        ["A", "a, b"],
        ["É", "é"],
    ],
)
def test_words_are_read_as_in_the_core(entries) -> None:
    core = load_core()
    try:
        parsed = words.parse(entries)
    except VocabularyError:
        with pytest.raises(VocabularyError):
            core.parse_vocabulary(entries)
        return
    theirs = core.parse_vocabulary(entries)
    for field in ("names", "queries", "query_to_class", "background"):
        assert list(getattr(parsed, field)) == list(theirs[field])


def test_command_line(bundle, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(stripes()).save("stripes.png")
    colour_words().save("colours.safetensors")
    command = [
        "segment",
        "stripes.png",
        "colours.safetensors",
        "--bundle",
        str(bundle),
        "--out",
        "labels.png",
    ]
    assert main([*command, "--overlay", "overlay.png", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["images"][0]["areas"]["green"]["share"] == pytest.approx(1 / 3, abs=0.02)
    assert agreement(np.asarray(Image.open("labels.png"))) > 0.98
    assert Image.open("overlay.png").height > HEIGHT
    assert main([*command, "--backend", "abacus"]) == 1
    assert capsys.readouterr().err.startswith("BackendUnavailable")
