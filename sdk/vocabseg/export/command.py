"""The command that made a bundle: kept in its manifest, so that an error can say how to make it anew."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LEFT_OUT = ("precision",)  # a command names its own
_FILES = ("pretrained", "merges", "vocabulary")


def recorded(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The ``export`` entry of a manifest: the options of ``vocabseg export`` that are not at their defaults, as they were
    given. Of files only the name: where they lie on one machine is no other's business."""
    return {
        name: os.path.basename(value) if name in _FILES and os.path.isfile(value) else value
        for name, value in given.items()
        if name in defaults and name not in _LEFT_OUT and value is not None and value != defaults[name]
    }


def how_to_add(
    manifest: Mapping[str, Any], bundle: str | os.PathLike[str], variants: Iterable[str], precision: str
) -> str:
    """What gives a bundle a graph in a precision that it lacks; ``variants`` are those that it has."""
    if precision == "int8":
        build = f"vocabseg build {shlex.quote(os.fspath(bundle))} --engine tensorrt --precision int8"
        return f"add one with: {build} --calibrate PHOTOS"
    precisions = list(dict.fromkeys([*(each for each in variants if each != "int8"), precision]))
    command = export_command(manifest, bundle, precisions)
    if command is not None:
        return f"export it again: {command}"
    return (
        "export it again with the same options and: vocabseg export … --precision "
        f"{' '.join(precisions)} --force --out {bundle}"
    )


def export_command(
    manifest: Mapping[str, Any], bundle: str | os.PathLike[str], precisions: Sequence[str]
) -> str | None:
    """The command that makes a bundle again, with these precisions. None where its manifest has no options."""
    options = dict(manifest.get("export") or {})
    model = options.pop("model", None)
    if model is None:
        return None
    words = ["vocabseg", "export", str(model)]
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join([*words, "--precision", *precisions, "--force", "--out", os.fspath(bundle)])
