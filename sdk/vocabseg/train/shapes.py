"""Objects as painted polygons in the unit square [-1, 1]^2, y down; part = (paint, points [n, 2]).

Paints: `main` (the object's colour, carries the pattern), `light` and `dark` (shades of it), `none` (a hole),
or a fixed RGB colour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
Paint = str | tuple[int, int, int]
Part = tuple[Paint, np.ndarray]

WHITE, BLACK, GREY = (244, 244, 244), (26, 26, 30), (150, 152, 156)
BARK, CREAM, GLASS, LEAF = (104, 70, 42), (238, 224, 196), (176, 214, 236), (58, 132, 54)


def poly(*points: tuple[float, float]) -> np.ndarray:
    return np.asarray(points, np.float32)


def rect(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return poly((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def ellipse(
    cx: float,
    cy: float,
    rx: float,
    ry: float | None = None,
    start: float = 0,
    stop: float = 360,
    tilt: float = 0,
) -> np.ndarray:
    """Polygon of an ellipse or of a slice of one (degrees, clockwise from +x as y points down)."""
    a = np.radians(np.linspace(start, stop, 28))
    xy = np.stack([np.cos(a) * rx, np.sin(a) * (rx if ry is None else ry)], 1)
    t = np.radians(tilt)
    turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    return (xy @ turn + (cx, cy)).astype(np.float32)


def ball(rng: Rng) -> list[Part]:
    return [
        ("main", ellipse(0, 0, 1)),
        ("light", ellipse(0, 0, 0.62, 1)),
        ("main", ellipse(0, 0, 0.2, 1)),
        (WHITE, ellipse(-0.4, -0.5, 0.16, 0.12)),
    ]


def box(rng: Rng) -> list[Part]:
    d = rng.uniform(0.35, 0.5)
    return [
        ("main", poly((-0.9, -1 + d), (0, -1 + 2 * d), (0, 1), (-0.9, 1 - d))),
        ("dark", poly((0.9, -1 + d), (0, -1 + 2 * d), (0, 1), (0.9, 1 - d))),
        ("light", poly((-0.9, -1 + d), (0, -1), (0.9, -1 + d), (0, -1 + 2 * d))),
    ]


def star(rng: Rng) -> list[Part]:
    inner = rng.uniform(0.36, 0.46)
    a = np.radians(np.arange(10) * 36 - 90)
    r = np.where(np.arange(10) % 2, inner, 1.0)
    points = np.stack([np.cos(a) * r, np.sin(a) * r], 1).astype(np.float32)
    facets: list[Part] = [
        ("dark", np.stack([points[i], points[i - 1], np.zeros(2, np.float32)])) for i in range(0, 10, 2)
    ]
    return [("main", points), *facets]


def heart(rng: Rng) -> list[Part]:
    t = np.linspace(0, 2 * np.pi, 40)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [
        ("main", np.stack([x / 16, (y - 2) / 15], 1).astype(np.float32)),
        ("light", ellipse(-0.45, -0.48, 0.2, 0.12, tilt=40)),
    ]


def moon(rng: Rng) -> list[Part]:
    bite = rng.uniform(0.25, 0.45)
    outer = ellipse(0, 0, 1, start=60, stop=300)
    inner = ellipse(0.5 + bite * 0.3, 0, bite + 0.55, 0.866, start=270, stop=90)
    return [
        ("main", np.concatenate([outer, inner])),
        ("dark", ellipse(-0.72, -0.15, 0.12)),
        ("dark", ellipse(-0.62, 0.35, 0.09)),
        ("dark", ellipse(-0.4, -0.66, 0.08)),
    ]


def ring(rng: Rng) -> list[Part]:
    hole = rng.uniform(0.5, 0.62)
    return [
        ("main", ellipse(0, 0, 1)),
        ("light", ellipse(0, 0, (1 + hole) / 2 + 0.05)),
        ("main", ellipse(0, 0, (1 + hole) / 2 - 0.07)),
        ("none", ellipse(0, 0, hole)),
    ]


def tree(rng: Rng) -> list[Part]:
    trunk: Part = (BARK, rect(-0.14, 0.2, 0.14, 1))
    if rng.random() < 0.5:  # conifer
        tiers = [
            (
                "dark" if i % 2 else "main",
                poly(
                    (0, -1 + 0.42 * i),
                    (0.45 + 0.14 * i, -0.2 + 0.42 * i),
                    (-0.45 - 0.14 * i, -0.2 + 0.42 * i),
                ),
            )
            for i in (2, 1, 0)
        ]
        return [trunk, *tiers]
    blobs = [("main", ellipse(x, y, 0.5)) for x, y in ((-0.42, -0.1), (0.42, -0.12), (0, -0.5), (0, 0))]
    centres = rng.uniform((-0.6, -0.75), (0.6, 0.2), (5, 2))
    spots = [("dark", ellipse(x, y, 0.13)) for x, y in centres]
    return [trunk, *blobs, *spots]


def house(rng: Rng) -> list[Part]:
    wall = WHITE if rng.random() < 0.5 else CREAM
    return [
        (wall, rect(-0.8, -0.15, 0.8, 1)),
        ("main", poly((0, -1), (1, -0.1), (-1, -0.1))),
        ("dark", rect(-0.2, 0.35, 0.2, 1)),
        (GLASS, rect(-0.65, 0.15, -0.32, 0.5)),
        (GLASS, rect(0.32, 0.15, 0.65, 0.5)),
        ("dark", rect(0.45, -0.95, 0.65, -0.4)),
    ]


def fish(rng: Rng) -> list[Part]:
    return [
        ("dark", poly((0.45, 0), (1, -0.5), (0.85, 0), (1, 0.5))),
        ("dark", poly((-0.3, -0.3), (0.3, -0.75), (0.3, -0.2))),
        ("main", ellipse(-0.2, 0, 0.8, 0.48)),
        ("light", ellipse(0.02, 0.02, 0.09, 0.4)),
        ("light", ellipse(0.3, 0.02, 0.07, 0.28)),
        (WHITE, ellipse(-0.62, -0.1, 0.13)),
        (BLACK, ellipse(-0.64, -0.1, 0.06)),
    ]


def car(rng: Rng) -> list[Part]:
    wheels: list[Part] = []
    for x in (-0.52, 0.52):
        wheels += [(BLACK, ellipse(x, 0.36, 0.25)), (GREY, ellipse(x, 0.36, 0.12))]
    return [
        ("main", poly((-0.6, -0.1), (-0.38, -0.56), (0.34, -0.56), (0.62, -0.1))),
        (GLASS, poly((-0.46, -0.1), (-0.31, -0.46), (-0.05, -0.46), (-0.05, -0.1))),
        (GLASS, poly((0.05, -0.1), (0.05, -0.46), (0.29, -0.46), (0.47, -0.1))),
        ("main", poly((-1, -0.02), (-0.9, -0.12), (0.9, -0.12), (1, 0.02), (1, 0.36), (-1, 0.36))),
        ("dark", rect(-1, 0.24, 1, 0.36)),
        ((250, 226, 130), rect(-1, 0.0, -0.86, 0.13)),
        *wheels,
    ]


def flower(rng: Rng) -> list[Part]:
    petals = int(rng.integers(5, 8))
    middle = (250, 200, 40) if rng.random() < 0.7 else (110, 66, 30)
    parts: list[Part] = [(LEAF, rect(-0.06, 0.1, 0.06, 1)), (LEAF, ellipse(0.28, 0.72, 0.28, 0.11, tilt=25))]
    for i in range(petals):
        a = 2 * np.pi * i / petals
        parts.append(
            (
                "dark" if i % 2 else "main",
                ellipse(0.4 * np.cos(a), -0.32 + 0.4 * np.sin(a), 0.3, 0.22, tilt=-np.degrees(a)),
            )
        )
    return [*parts, (middle, ellipse(0, -0.32, 0.22))]


def mushroom(rng: Rng) -> list[Part]:
    dots: list[Part] = [
        (WHITE, ellipse(x, y, 0.13, 0.11))
        for x, y in ((-0.55, -0.2), (0, -0.58), (0.5, -0.28), (-0.05, -0.15))
    ]
    return [
        (CREAM, poly((-0.24, 0), (0.24, 0), (0.34, 1), (-0.34, 1))),
        ("main", ellipse(0, 0.1, 1, 1, 180, 360)),
        ("dark", ellipse(0, 0.1, 1, 0.12)),
        *dots,
    ]


def umbrella(rng: Rng) -> list[Part]:
    hook = np.concatenate([ellipse(0.19, 0.78, 0.22, 0.22, 180, 0), ellipse(0.19, 0.78, 0.1, 0.1, 0, 180)])
    panels: list[Part] = [
        ("light" if i % 2 else "main", np.concatenate([ellipse(0, 0, 1 - 0.4 * i, 1, 180, 360)]))
        for i in range(3)
    ]
    scallops: list[Part] = [("none", ellipse(x, 0.04, 0.2, 0.12)) for x in (-0.8, -0.4, 0, 0.4, 0.8)]
    shaft: list[Part] = [(BLACK, rect(-0.04, -0.15, 0.04, 0.8)), (BLACK, hook)]
    return [*panels, *scallops, *shaft]


def butterfly(rng: Rng) -> list[Part]:
    parts: list[Part] = []
    for side in (-1, 1):
        parts += [
            ("main", ellipse(0.5 * side, -0.35, 0.5, 0.42, tilt=35 * side)),
            ("dark", ellipse(0.4 * side, 0.42, 0.36, 0.34)),
            ("light", ellipse(0.58 * side, -0.4, 0.17)),
            ("light", ellipse(0.4 * side, 0.45, 0.13)),
            (BLACK, poly((0, -0.55), (0.28 * side, -0.95), (0.34 * side, -0.92), (0.05 * side, -0.5))),
        ]
    return [*parts, (BLACK, ellipse(0, 0, 0.1, 0.7))]


SHAPES: dict[str, Callable[[Rng], list[Part]]] = {
    "ball": ball,
    "box": box,
    "star": star,
    "heart": heart,
    "moon": moon,
    "ring": ring,
    "tree": tree,
    "house": house,
    "fish": fish,
    "car": car,
    "flower": flower,
    "mushroom": mushroom,
    "umbrella": umbrella,
    "butterfly": butterfly,
}
TURN_FREELY = frozenset(
    {"ball", "ring", "star", "moon", "butterfly"}
)  # the others stand upright, give or take
