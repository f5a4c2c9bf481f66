"""Scenes and captions: deterministic, labelled exactly, and captions say only what is there."""

from __future__ import annotations

import numpy as np
import pytest

from vocabseg.train.captions import FACTS, caption, fact_matrix
from vocabseg.train.classes import (
    BACKGROUND_NAMES,
    BACKGROUNDS,
    CLASS_NAMES,
    COLOURS,
    OBJECT_NAMES,
    OBJECTS,
    plural,
)
from vocabseg.train.scenes import SceneGenerator, SceneStyle
from vocabseg.train.shapes import SHAPES
from vocabseg.train.sprites import PATTERNS, draw
from vocabseg.train.textures import PAINTERS, TextureBank


@pytest.fixture(scope="module")
def bank() -> TextureBank:
    return TextureBank(seed=5, variants=1, size=192)


def test_every_class_can_be_drawn() -> None:
    assert tuple(SHAPES) == OBJECT_NAMES
    assert tuple(PAINTERS) == BACKGROUND_NAMES


def test_a_scene_depends_on_seed_and_index_alone(bank: TextureBank) -> None:
    first, again = SceneGenerator(96, 128, 7, bank=bank), SceneGenerator(96, 128, 7, bank=bank)
    a, b, other = first(3), again(3), first(4)
    assert np.array_equal(a.image, b.image) and np.array_equal(a.labels, b.labels) and a.things == b.things
    assert not np.array_equal(a.image, other.image)


def test_labels_match_what_the_scene_lists(bank: TextureBank) -> None:
    generate = SceneGenerator(96, 128, 11, SceneStyle(count_odds=(0.1, 0.3, 0.3, 0.3)), bank)
    for index in range(40):
        scene = generate(index)
        assert scene.image.shape == (96, 128, 3) and scene.image.dtype == np.uint8
        assert scene.labels.shape == (96, 128) and scene.labels.dtype == np.uint8
        present = {CLASS_NAMES[i] for i in np.unique(scene.labels)}
        named = {thing.noun for thing in scene.things} | set(scene.backgrounds)
        assert present <= named
        assert {thing.noun for thing in scene.things} <= present


@pytest.mark.parametrize("noun", OBJECT_NAMES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_sprites_have_the_asked_size_and_colour(bank: TextureBank, noun: str, pattern: str) -> None:
    sprite = draw(np.random.default_rng(1), noun, "blue", pattern, 80, bank.grain[0])
    assert sprite.shape[2] == 4 and 78 <= max(sprite.shape[:2]) <= 80
    inside = sprite[sprite[..., 3] == 255][:, :3].astype(int)
    assert len(inside) > 400
    blue = (inside[:, 2] > inside[:, 0] + 30) & (inside[:, 2] > inside[:, 1] + 10)
    assert blue.mean() > 0.1


def test_captions_state_only_facts_of_the_scene(bank: TextureBank) -> None:
    generate = SceneGenerator(64, 64, 3, bank=bank)
    rng = np.random.default_rng(0)
    for index in range(200):
        scene = generate(index)
        true = set(scene.backgrounds)
        for thing in scene.things:
            true |= {thing.noun, f"{thing.colour} {thing.noun}", f"{thing.pattern} {thing.noun}"}
        for full in (True, False):
            said = caption(rng, scene.things, scene.backgrounds, full)
            facts = {name for name, i in FACTS.items() if i in said.facts}
            assert facts and facts <= true
            if full:
                assert {thing.noun for thing in scene.things} | set(scene.backgrounds) <= facts


def test_captions_use_the_words_of_their_facts(bank: TextureBank) -> None:
    generate = SceneGenerator(64, 64, 4, bank=bank)
    rng = np.random.default_rng(1)
    for index in range(100):
        scene = generate(index)
        said = caption(rng, scene.things, scene.backgrounds, False)
        for name, i in FACTS.items():
            if i not in said.facts:
                continue
            *adjective, noun = name.split(" ")
            words = {noun, *OBJECTS.get(noun, BACKGROUNDS.get(noun, ()))}
            words |= {plural(w) for w in words} if noun in OBJECTS else set()
            assert any(w in said.text for w in words), (said.text, name)
            assert all(a in said.text for a in adjective)


def test_fact_matrix_marks_each_caption() -> None:
    rng = np.random.default_rng(0)
    captions = [caption(rng, [], [name], True) for name in BACKGROUND_NAMES]
    matrix = fact_matrix(captions)
    assert matrix.shape == (len(BACKGROUND_NAMES), len(FACTS))
    assert (matrix.sum(1) == 1).all()
    assert [int(i) for i in matrix.argmax(1)] == [FACTS[name] for name in BACKGROUND_NAMES]


def test_colours_are_far_apart() -> None:
    values = np.array(list(COLOURS.values()), float)
    distance = np.linalg.norm(values[:, None] - values[None], axis=-1)
    assert distance[~np.eye(len(values), dtype=bool)].min() > 60
