"""Parameters of a method from ``--set KEY=VALUE``, read by the types that the method gives them."""

from __future__ import annotations

import math
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..errors import VocabsegError

_BOOLS = {"true": True, "false": False}


def parse(method: str, pairs: list[str]) -> dict[str, Any]:
    """``["std=5", "multi=3,10", "sfr=none"]`` to values; a name that the method does not have keeps its text.

    Raises:
        VocabsegError: not of the form key=value, or a value of the wrong type.
        ValueError: no such method.
    """
    from .. import methods

    kind = methods.kind(method)
    hints = get_type_hints(kind)
    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise VocabsegError(f"--set {pair!r} is not of the form key=value")
        try:
            values[key] = _value(text, hints[key]) if key in kind.__dataclass_fields__ else text
        except ValueError:
            raise VocabsegError(
                f"--set {pair!r}: {method} takes {_named(hints[key])} for {key}; see: vocabseg methods {method}"
            ) from None
    return values


def _value(text: str, hint: Any) -> Any:
    """Raises ValueError where ``text`` is no value of this type."""
    options = get_args(hint) if NoneType in get_args(hint) else (hint,)
    if NoneType in options and text.lower() == "none":
        return None
    kind = next(option for option in options if option is not NoneType)
    if get_origin(kind) is tuple:
        parts = zip(text.split(","), get_args(kind), strict=True)
        return tuple(_value(part, each) for part, each in parts)
    if get_origin(kind) is Literal and text in get_args(kind):
        return text
    if kind is bool and text.lower() in _BOOLS:
        return _BOOLS[text.lower()]
    if kind is float and not math.isfinite(float(text)):
        raise ValueError(text)
    if kind in (int, float, str):
        return kind(text)
    raise ValueError(text)


def _named(hint: Any) -> str:
    """A type as a user would say it."""
    if NoneType in get_args(hint):
        return " or ".join(_named(option) for option in get_args(hint))
    if get_origin(hint) is tuple:
        return ",".join(_named(each) for each in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(get_args(hint))
    names = {bool: "true or false", int: "an integer", float: "a number", str: "text", NoneType: "none"}
    return names.get(hint, "nothing on the command line")
