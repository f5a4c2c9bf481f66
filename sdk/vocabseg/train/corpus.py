"""The text from which the byte-pair vocabulary is learned: captions of the generator and every word it may use."""

from __future__ import annotations

import numpy as np

from ..templates import get as template_set
from .bpe import Pair, train_merges
from .captions import MEDIA, PATTERNS, PLAIN_FRAMES, RARE_FRAMES, caption
from .classes import (
    BACKGROUND_NAMES,
    BACKGROUNDS,
    COLOURS,
    OBJECT_NAMES,
    OBJECTS,
    plural,
)
from .scenes import Thing
from .textures import Rng

MERGE_LIMIT = 640


def caption_corpus(seed: int = 0, count: int = 4000) -> list[str]:
    """Captions of made-up scenes, with every word of the generator present at least twice."""
    rng = np.random.default_rng(seed)
    words = [
        *template_set("openai80").templates,
        *PLAIN_FRAMES,
        *RARE_FRAMES,
        *MEDIA,
        *PATTERNS,
        *COLOURS,
        *OBJECTS,
        *BACKGROUNDS,
    ]
    words += [s for group in (OBJECTS, BACKGROUNDS) for synonyms in group.values() for s in synonyms]
    words += [plural(w) for noun, synonyms in OBJECTS.items() for w in (noun, *synonyms)]
    sentences = [
        caption(rng, _things(rng), [str(rng.choice(BACKGROUND_NAMES))], full=i % 2 == 0).text
        for i in range(count)
    ]
    return sentences + [w.replace("{}", "") for w in words] * 2


def _things(rng: Rng) -> list[Thing]:
    return [
        Thing(
            str(rng.choice(OBJECT_NAMES)),
            str(rng.choice(list(COLOURS))),
            str(rng.choice(("plain", *PATTERNS))),
        )
        for _ in range(rng.integers(4))
    ]


def demo_merges() -> list[Pair]:
    """The demo model's merges; always the same."""
    return train_merges(caption_corpus(), MERGE_LIMIT)
