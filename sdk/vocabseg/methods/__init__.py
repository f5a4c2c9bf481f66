"""The systems of the literature, one file each.

>>> from vocabseg import methods
>>> methods.get("naclip", std=5.0)
NACLIP(std=5.0, residual=False)
"""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Method

__all__ = ["Method", "get", "kind", "names"]

# Imported on first use, as they need torch; their names and ``presets`` do not. In the order of their papers.
_METHODS = {
    "vanilla": "Vanilla",
    "maskclip": "MaskCLIP",
    "sclip": "SCLIP",
    "clearclip": "ClearCLIP",
    "naclip": "NACLIP",
    "cliptrase": "CLIPtrase",
    "proxyclip": "ProxyCLIP",
    "resclip": "ResCLIP",
    "scclip": "SCCLIP",
}


def names() -> list[str]:
    """Names of all methods, in the order of their papers."""
    return list(_METHODS)


def kind(name: str) -> type[Method]:
    """The class of a method. Raises ValueError where there is none of this name."""
    if name not in _METHODS:
        raise ValueError(f"no method {name!r}; known: {', '.join(_METHODS)}")
    return getattr(importlib.import_module(f".{name}", __name__), _METHODS[name])


def get(name: str, **parameters: Any) -> Method:
    """A method by name, with parameters of its class.

    Raises:
        ValueError: no such method, no such parameter, or a value that the method does not take.
    """
    method = kind(name)
    known = [field.name for field in fields(method)]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{name} has no parameter {unknown[0]!r}; it has: {', '.join(known) or 'none'}")
    return method(**parameters)


def __getattr__(name: str) -> Any:
    if name == "Method":
        return importlib.import_module(".base", __name__).Method
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
