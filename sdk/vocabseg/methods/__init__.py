"""The systems of the literature, one file each.

>>> from vocabseg import methods
>>> methods.get("naclip", std=5.0)
NACLIP(std=5.0, residual=False)
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .base import Method
from .clearclip import ClearCLIP
from .cliptrase import CLIPtrase
from .maskclip import MaskCLIP
from .naclip import NACLIP
from .proxyclip import ProxyCLIP
from .resclip import ResCLIP
from .scclip import SCCLIP
from .sclip import SCLIP
from .vanilla import Vanilla

__all__ = ["Method", "get", "names"]

_METHODS: dict[str, type[Method]] = {
    m.name: m for m in (Vanilla, MaskCLIP, SCLIP, ClearCLIP, NACLIP, CLIPtrase, ProxyCLIP, ResCLIP, SCCLIP)
}


def names() -> list[str]:
    """Names of all methods, in the order of their papers."""
    return list(_METHODS)


def get(name: str, **parameters: Any) -> Method:
    """A method by name, with parameters of its class.

    Raises:
        ValueError: no such method, no such parameter, or a value that the method does not take.
    """
    if name not in _METHODS:
        raise ValueError(f"no method {name!r}; known: {', '.join(_METHODS)}")
    known = [field.name for field in fields(_METHODS[name])]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{name} has no parameter {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    return _METHODS[name](**parameters)
