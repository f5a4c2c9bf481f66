"""What the scenes contain: objects, backgrounds, colours, and the words that captions use for them."""

from __future__ import annotations

# canonical name -> synonyms; a caption picks the canonical name most of the time
OBJECTS: dict[str, tuple[str, ...]] = {
    "ball": ("beach ball", "sphere"),
    "box": ("crate", "cube"),
    "star": (),
    "heart": (),
    "moon": ("crescent",),
    "ring": ("hoop",),
    "tree": (),
    "house": ("cottage", "home"),
    "fish": (),
    "car": ("automobile",),
    "flower": ("blossom",),
    "mushroom": ("toadstool",),
    "umbrella": ("parasol",),
    "butterfly": (),
}
PLURALS = {
    "box": "boxes",
    "fish": "fish",
    "butterfly": "butterflies",
    "sphere": "spheres",
    "crate": "crates",
}

BACKGROUNDS: dict[str, tuple[str, ...]] = {
    "grass": ("lawn", "a meadow"),
    "sand": ("a beach", "a desert"),
    "water": ("the sea", "a lake"),
    "sky": ("the sky", "clouds"),
    "snow": ("ice",),
    "brick": ("a brick wall", "bricks"),
    "wood": ("wooden planks", "a wooden floor"),
    "gravel": ("stones", "pebbles"),
}

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 38, 36),
    "orange": (240, 132, 28),
    "yellow": (246, 212, 40),
    "green": (48, 158, 62),
    "blue": (36, 88, 208),
    "purple": (132, 54, 172),
    "pink": (244, 128, 176),
    "white": (242, 242, 240),
    "black": (34, 34, 38),
    "brown": (126, 78, 42),
}
# colours that would vanish on a background
CAMOUFLAGE: dict[str, tuple[str, ...]] = {
    "grass": ("green",),
    "sand": ("yellow", "orange", "brown"),
    "water": ("blue", "green"),
    "sky": ("blue", "white"),
    "snow": ("white",),
    "brick": ("red", "brown", "orange"),
    "wood": ("brown", "orange"),
    "gravel": (),
}

OBJECT_NAMES = tuple(OBJECTS)
BACKGROUND_NAMES = tuple(BACKGROUNDS)
CLASS_NAMES = OBJECT_NAMES + BACKGROUND_NAMES  # label id = position


def plural(noun: str) -> str:
    """English plural of an object noun."""
    return PLURALS.get(noun, noun + "s")
