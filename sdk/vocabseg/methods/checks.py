"""Parameters of methods: one out of range is refused by name, and whole numbers become int, pairs tuples."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from .base import Method


def flag(method: Method, name: str) -> None:
    if not isinstance(getattr(method, name), bool):
        refuse(method, name, "True or False")


def choice(method: Method, name: str, options: Collection[str]) -> None:
    if getattr(method, name) not in options:
        refuse(method, name, f"one of {', '.join(options)}")


def number(method: Method, name: str, expected: str, fits: Callable[[float], bool]) -> None:
    """``expected`` says in words what ``fits`` tests, of a finite number."""
    value = getattr(method, name)
    if not finite(value) or not fits(value):
        refuse(method, name, expected)


def positive(method: Method, name: str) -> None:
    number(method, name, "a positive number", lambda x: x > 0)


def share(method: Method, name: str) -> None:
    number(method, name, "0 to 1", lambda x: 0 <= x <= 1)


def whole(method: Method, name: str, least: int) -> None:
    value = getattr(method, name)
    if not finite(value) or value != int(value) or value < least:
        refuse(method, name, f"a whole number of at least {least}")
    object.__setattr__(method, name, int(value))


def pair(
    method: Method,
    name: str,
    expected: str,
    fits: Callable[[float, float], bool],
    kind: Callable[[float], float] = float,
) -> None:
    """As ``number``, of two."""
    values = getattr(method, name)
    if not isinstance(values, (tuple, list)) or len(values) != 2 or not all(map(finite, values)):
        refuse(method, name, expected)
    if not fits(*values):
        refuse(method, name, expected)
    object.__setattr__(method, name, (kind(values[0]), kind(values[1])))


def finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def refuse(method: Method, name: str, expected: str) -> NoReturn:
    raise ValueError(f"{method.name}: {name} is {getattr(method, name)!r}, expected {expected}")
