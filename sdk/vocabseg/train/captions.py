"""Captions for scenes, and the facts that a caption states (read off its own words, nothing else)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .classes import BACKGROUNDS, COLOURS, OBJECTS, plural
from .scenes import Thing
from .textures import Rng

PATTERNS = ("striped", "spotted")
FACTS = {
    fact: i
    for i, fact in enumerate(
        [
            *OBJECTS,
            *BACKGROUNDS,
            *(f"{c} {n}" for n in OBJECTS for c in COLOURS),
            *(f"{p} {n}" for n in OBJECTS for p in PATTERNS),
        ]
    )
}

PLAIN_FRAMES = (
    "{}",
    "{}",
    "{}",
    "a photo of {}",
    "a photo of {}",
    "a picture of {}",
    "an image of {}",
    "there is {}",
    "this is {}",
    "a scene with {}",
    "a picture with {}",
    "{} in the scene",
)
QUALITIES = (
    "bad",
    "good",
    "cropped",
    "bright",
    "clean",
    "dirty",
    "dark",
    "cool",
    "close-up",
    "blurry",
    "pixelated",
    "low resolution",
    "jpeg corrupted",
    "black and white",
    "nice",
    "weird",
    "large",
    "small",
)
MEDIA = (
    "sculpture",
    "rendering",
    "drawing",
    "painting",
    "tattoo",
    "sketch",
    "doodle",
    "cartoon",
    "toy",
    "plushie",
    "origami",
    "embroidered picture",
    "graffiti",
    "art",
)
RARE_FRAMES = (
    tuple(f"a {q} photo of {{}}" for q in QUALITIES)
    + tuple(f"a {m} of {{}}" for m in MEDIA)
    + (
        "itap of {}",
        "a photo of my {}",
        "a photo of many {}",
        "a photo of one {}",
        "{} in a video game",
        "a photo of a hard to see {}",
        "a plastic {}",
        "a rendition of {}",
        "a depiction of {}",
    )
)
WHERE = (
    "{} on {}",
    "{} on {}",
    "{} in front of {}",
    "{} over {}",
    "{} with {} behind",
    "{} and {}",
    "{}, {}",
)
STACKED = ("{} above {}", "{} over {}", "{} and {}", "{} behind {}", "{}, {}")


@dataclass(frozen=True)
class Caption:
    """A sentence, and the indices of the facts (see FACTS) that it states."""

    text: str
    facts: frozenset[int]


def caption(rng: Rng, things: list[Thing], backgrounds: list[str], full: bool) -> Caption:
    """A random true sentence about a scene; `full` names everything in it, otherwise a random part."""
    named = list(things)
    grounds = list(backgrounds)
    if not full:
        named, grounds = _choose_part(rng, named, grounds)
    rng.shuffle(named)
    facts: set[int] = set()
    objects = _join(rng, [_name_thing(rng, thing, facts, full) for thing in named])
    ground = _name_grounds(rng, grounds, facts)
    text = _pick(rng, WHERE).format(objects, ground) if objects and ground else objects or ground
    frames = RARE_FRAMES if rng.random() < 0.15 else PLAIN_FRAMES
    text = _pick(rng, frames).format(text)
    return Caption(text + ("." if rng.random() < 0.3 else ""), frozenset(facts))


def _choose_part(rng: Rng, things: list[Thing], grounds: list[str]) -> tuple[list[Thing], list[str]]:
    """One object alone (half of the time), only the ground, or a mixture."""
    kind = rng.random()
    if not things or kind < 0.2:
        return [], grounds if rng.random() < 0.4 else [_pick(rng, grounds)]
    one = [things[rng.integers(len(things))]]
    if kind < 0.75:
        return one, []
    return one, [_pick(rng, grounds)]


def _name_thing(rng: Rng, thing: Thing, facts: set[int], detailed: bool) -> str:
    noun = thing.noun
    facts.add(FACTS[noun])
    words = []
    if rng.random() < (0.7 if detailed else 0.4):
        words.append(thing.colour)
        facts.add(FACTS[f"{thing.colour} {noun}"])
    if thing.pattern != "plain" and rng.random() < 0.5:
        words.insert(int(rng.integers(len(words) + 1)), thing.pattern)
        facts.add(FACTS[f"{thing.pattern} {noun}"])
    synonyms = OBJECTS[noun]
    word = _pick(rng, synonyms) if synonyms and rng.random() < 0.2 else noun
    article = _pick(rng, ("a", "a", "a", "the", "one", ""))
    if article == "" and rng.random() < 0.3:
        word = plural(word)
    if article == "a" and (words or [word])[0][0] in "aeiou":
        article = "an"
    return " ".join([*([article] if article else []), *words, word])


def _name_grounds(rng: Rng, grounds: list[str], facts: set[int]) -> str:
    if not grounds:
        return ""
    facts.update(FACTS[g] for g in grounds)
    names = [
        _pick(rng, BACKGROUNDS[g]) if rng.random() < 0.25 else _pick(rng, ("", "", "the ", "a ")) + g
        for g in grounds
    ]
    return names[0] if len(names) == 1 else _pick(rng, STACKED).format(*names)


def _join(rng: Rng, names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    last = _pick(rng, (" and ", " and ", " with ", ", "))
    return ", ".join(names[:-1]) + last + names[-1]


def _pick(rng: Rng, choices: tuple[str, ...] | list[str]) -> str:
    return choices[rng.integers(len(choices))]


def fact_matrix(captions: list[Caption]) -> np.ndarray:
    """float32 `[len(captions), len(FACTS)]`, 1 where a caption states a fact."""
    out = np.zeros((len(captions), len(FACTS)), np.float32)
    for row, item in enumerate(captions):
        out[row, list(item.facts)] = 1
    return out
