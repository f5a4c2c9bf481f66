"""The networks of a bundle as TensorRT sees them: a graph, its precision, and the batches that it is built for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundle import inside
from ..errors import BackendUnavailable, ShapeError
from ..export.command import how_to_add
from ..export.engines import stored
from .key import Profile

TOWERS = ("image", "feedback", "text")
PRECISIONS = ("float32", "float16", "bfloat16", "int8")
_SHORT = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "half": "float16"}
TEXT_BATCH = (1, 16, 64)
_WHOLE_BATCH = (1, 1, 4)
_SLIDE_BATCH = (1, 6, 12)


@dataclass(frozen=True)
class Network:
    """One graph of a bundle. outputs: tensor names in the bundle's order."""

    tower: str
    graph: Path
    precision: str
    onnx_sha256: str
    profile: Profile
    outputs: tuple[str, ...]


def precision_name(name: str) -> str:
    """``fp16`` and the like to the name that bundles use. Raises `BackendUnavailable`."""
    full = _SHORT.get(name, name)
    if full not in PRECISIONS:
        raise BackendUnavailable(f"no precision {name!r}; one of auto, {', '.join((*_SHORT, *PRECISIONS))}")
    return full


def parse_batch(text: str | None, manifest: Mapping[str, Any]) -> tuple[int, int, int]:
    """``6`` is a fixed batch, ``1,12`` least and greatest, ``1,6,12`` least, best and greatest.

    None: 1 to 12 sliding windows, best at 6; or 1 to 4 whole frames, best at 1. Raises `ShapeError`.
    """
    if text is None:
        return _WHOLE_BATCH if manifest["window"]["mode"] == "whole" else _SLIDE_BATCH
    try:
        numbers = [int(part) for part in text.split(",")]
        least, best, greatest = {1: numbers * 3, 2: [*numbers, numbers[-1]], 3: numbers}[len(numbers)]
    except (ValueError, KeyError) as error:
        raise ShapeError(f"--batch {text!r} is not a number or a list such as 1,6,12") from error
    if not 1 <= least <= best <= greatest:
        raise ShapeError(f"--batch {text} does not ascend from 1 or more; give least, best, greatest")
    return least, best, greatest


def networks(
    bundle: Path, manifest: Mapping[str, Any], precision: str, batch: Sequence[int]
) -> list[Network]:
    """What a bundle needs built in a precision, the image network first."""
    return [
        network(bundle, manifest, tower, tower_precision(bundle, manifest, tower, precision), batch)
        for tower in TOWERS
        if manifest.get(f"{tower}_encoder")
    ]


def network(
    bundle: Path, manifest: Mapping[str, Any], tower: str, precision: str, batch: Sequence[int]
) -> Network:
    name = manifest[f"{tower}_encoder"]["variants"][precision]
    sizes = TEXT_BATCH if tower == "text" else tuple(batch)
    profile = {
        each: tuple((count, *shape) for count in sizes)
        for each, shape in input_shapes(manifest, tower).items()
    }
    extra = manifest["image_encoder"].get("extra_outputs") or {} if tower == "image" else {}
    outputs = (manifest[f"{tower}_encoder"]["output"], *extra)
    return Network(tower, inside(bundle, name), precision, graph_sha256(manifest, name), profile, outputs)  # type: ignore[arg-type]


def input_shapes(manifest: Mapping[str, Any], tower: str) -> dict[str, tuple[int, ...]]:
    """Shape of each input for a batch of one, without the batch."""
    name = manifest[f"{tower}_encoder"]["input"]
    if tower == "text":
        return {name: (int(manifest["tokenizer"]["context_length"]),)}
    if tower == "image":
        return {name: (3, manifest["window"]["height"], manifest["window"]["width"])}
    patches = math.prod(manifest["grid"])
    extra = manifest["image_encoder"].get("extra_outputs") or {}
    return {name: (patches, patches), **{each: tuple(shape) for each, shape in extra.items()}}


def graph_sha256(manifest: Mapping[str, Any], name: str) -> str:
    """Of a graph file, and of the weights beside it where there are any, as the manifest has them."""
    files = manifest["files"]
    return "+".join(files[each]["sha256"] for each in (name, f"{name}.data") if each in files)


def tower_precision(bundle: Path, manifest: Mapping[str, Any], tower: str, precision: str) -> str:
    """The precision that a tower is built in where ``precision`` was asked for. Raises `BackendUnavailable`."""
    variants = manifest[f"{tower}_encoder"]["variants"]
    found = stored(manifest, f"{tower}_encoder", precision)
    if found in variants:
        return found
    raise BackendUnavailable(
        f"bundle {bundle} has no {precision} graph of its {tower} network ({', '.join(variants)}); "
        f"{how_to_add(manifest, bundle, variants, precision)}"
    )


def available(manifest: Mapping[str, Any]) -> list[str]:
    """The precisions that a bundle's image network has graphs in."""
    return [each for each in PRECISIONS if each in manifest["image_encoder"]["variants"]]
