"""The Python face over a core without engines: what is passed down, and what comes back."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fake_core
import vocabseg
from vocabseg import segmenter as segmenter_module
from vocabseg.errors import BackendUnavailable, BundleError, ImageError, MaskError, VocabularyError
from vocabseg.palette import make_palette

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def fake(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(segmenter_module, "load_core", fake_core.module)
    fake_core.TextEncoder.prompts = []


@pytest.fixture
def bundle(tmp_path) -> Path:
    return fake_core.make_bundle(tmp_path / "bundle")


@pytest.fixture
def seg(bundle) -> vocabseg.Segmenter:
    return vocabseg.Segmenter.load(bundle)


def add_default_vocabulary(bundle: Path, words: str = "cat; dog") -> None:
    segmenter = vocabseg.Segmenter.load(bundle)
    segmenter.embed(words).save(bundle / "default.safetensors")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["vocabularies"] = {"default": "default.safetensors"}
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def test_a_picture_and_words_in_labels_out(seg) -> None:
    seg.set_vocabulary(["road", "car, truck, van", "background: sky, building"])
    result = seg(IMAGE)
    assert result.labels.shape == (20, 40)
    assert result.labels.dtype == np.uint8
    assert result.scores.dtype == np.float32
    assert result.names == ("road", "car", "sky")
    np.testing.assert_array_equal(result.palette, make_palette(3))
    assert result.backend == "fake-cpu float32"
    assert list(result.timing) == ["read", "preprocess", "encode", "similarity", "decode", "total"]
    assert result.timing["total"] == pytest.approx(23.1 + result.timing["read"])


def test_engines_of_tensorrt(bundle, tmp_path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["image_encoder"] = {"variants": {"float32": "text.onnx"}}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    cache = str(tmp_path / "home" / "engines" / f"fake-{'ab' * 6}")
    for given, folder in ((None, ""), ("cache", cache), (Path("cache"), "cache"), ("/mine", "/mine")):
        segmenter = vocabseg.Segmenter.load(bundle, engines=given, allow_smaller_batch=given is not None)
        assert (segmenter._core.engines, segmenter._core.allow_smaller_batch) == (folder, given is not None)
        segmenter.set_vocabulary([f"word {folder}"])
        assert fake_core.TextEncoder.engines[-1] == folder, "words too"


def test_templates_are_the_bundles_unless_given(seg) -> None:
    seg.set_vocabulary("road; car")
    assert seg.vocabulary.templates == "simple7"
    assert len(fake_core.TextEncoder.prompts) == 2 * 7
    seg.set_vocabulary("road; car", templates=["{} from above"])
    assert seg.vocabulary.templates == "custom"
    assert fake_core.TextEncoder.prompts[-1] == "car from above"


def test_without_words_nothing_is_segmented(seg) -> None:
    for call in (lambda: seg(IMAGE), lambda: seg.classify_masks(IMAGE, IMAGE[..., 0] > 3)):
        with pytest.raises(VocabularyError, match="set_vocabulary"):
            call()
    assert seg.features(IMAGE).shape == (2, 3, fake_core.WIDTH)


def test_a_default_vocabulary_is_set(bundle) -> None:
    add_default_vocabulary(bundle)
    fake_core.TextEncoder.prompts = []
    seg = vocabseg.Segmenter.load(bundle)
    assert seg.vocabulary.names == ("cat", "dog")
    assert seg(IMAGE).names == ("cat", "dog")
    assert not fake_core.TextEncoder.prompts


def test_a_bundle_without_text_tower_takes_stored_words(bundle) -> None:
    add_default_vocabulary(bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "text_encoder": None}))
    seg = vocabseg.Segmenter.load(bundle)
    seg.set_vocabulary("dog, cat")
    assert seg.vocabulary.names == ("dog",)
    with pytest.raises(VocabularyError, match="no text tower"):
        seg.set_vocabulary("bird")
    assert seg.vocabulary.names == ("dog",)


def test_a_failed_change_keeps_the_former_words(seg) -> None:
    seg.set_vocabulary("road; car")
    with pytest.raises(VocabularyError):
        seg.set_vocabulary("road; road")
    assert seg(IMAGE).names == ("road", "car")


def test_stored_vocabularies_must_fit(seg, tmp_path) -> None:
    seg.set_vocabulary("road; car")
    path = seg.vocabulary.save(tmp_path / "v.safetensors")
    seg.set_vocabulary(path)
    assert seg.vocabulary.queries == ("road", "car")
    wide = seg.vocabulary.with_embeddings(np.eye(2, 9, dtype=np.float32), "photo", "", None)
    with pytest.raises(VocabularyError, match="9 wide.*features 8"):
        seg.set_vocabulary(wide)
    foreign = seg.vocabulary.with_embeddings(seg.vocabulary.embeddings, "photo", "", "ff" * 32)
    with pytest.raises(VocabularyError, match="made with text tower ffff"):
        seg.set_vocabulary(foreign)


def test_options_reach_the_core(seg, bundle) -> None:
    seg.set_vocabulary("road; car")
    seg(IMAGE, scores=False, threshold=0.3, logit_scale=50.0)
    assert seg._core.arguments == (False, 0.3, 50.0)
    assert seg(IMAGE, scores=False).scores is None
    seg.cancel()
    assert seg._core.arguments == ("cancelled",)
    assert vocabseg.Segmenter.load(bundle, threads=3)._core.threads == 3
    with pytest.raises(ValueError, match="threads"):
        vocabseg.Segmenter.load(bundle, threads=0)


def test_many_classes_have_wide_labels(seg) -> None:
    seg.set_vocabulary([f"c{index}" for index in range(300)], templates="photo")
    result = seg(IMAGE)
    assert result.labels.dtype == np.uint16
    assert result.unlabeled == 65535


def test_every_form_of_a_picture(seg, tmp_path) -> None:
    seg.set_vocabulary("road; car")
    Image.fromarray(IMAGE).save(tmp_path / "x.png")
    for image in (tmp_path / "x.png", Image.fromarray(IMAGE), IMAGE[::-1, ::2], IMAGE[..., 0]):
        assert (
            seg(image).labels.shape
            == np.asarray(Image.open(image) if isinstance(image, Path) else image).shape[:2]
        )
    with pytest.raises(ImageError):
        seg(IMAGE.astype(float))


def test_classify_masks(seg) -> None:
    seg.set_vocabulary("road; car")
    masks = np.zeros((2, 20, 40), bool)
    regions = seg.classify_masks(IMAGE, masks)
    assert regions.names == [None, "car"]
    assert regions.timing["total"] >= 20
    label_map = np.tile(np.array([0, 1], np.uint8), (20, 20))
    assert len(seg.classify_masks(IMAGE, label_map)) == 2
    codes = [{"size": [20, 40], "counts": [0, 800]}]
    assert len(seg.classify_masks(IMAGE, codes)) == 1
    assert seg._core.arguments[0][0][:2] == (20, 40)
    with pytest.raises(MaskError, match="20×40"):
        seg.classify_masks(IMAGE, masks[:, :10])


def test_the_core_speaks_through_logging(bundle, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="vocabseg"):
        vocabseg.Segmenter.load(bundle)
    assert "fake engine started" in caplog.text


def test_bundles_that_are_not_there(monkeypatch, tmp_path) -> None:
    with pytest.raises(BundleError, match="vocabseg export"):
        vocabseg.Segmenter.load(tmp_path / "none")
    monkeypatch.setattr("vocabseg.core.DEMO", tmp_path / "none")
    with pytest.raises(BundleError, match="demo"):
        vocabseg.Segmenter.load()


def test_a_missing_core_says_how_to_get_one(monkeypatch) -> None:
    from vocabseg import core

    def fail(_: str) -> None:
        raise ImportError("libopenvino.so.2641: cannot open shared object file")

    monkeypatch.setattr(core.importlib, "import_module", fail)
    with pytest.raises(BackendUnavailable, match="libopenvino.*vocabseg doctor"):
        core.load_core()


def test_repr(seg) -> None:
    seg.set_vocabulary("road; car, van")
    assert repr(seg) == "Segmenter('fake', fake-cpu float32, Vocabulary(2 classes, 3 words, 8 wide))"
    assert repr(seg(IMAGE)) == "Segmentation(20×40 pixels, 2 classes, fake-cpu float32)"
