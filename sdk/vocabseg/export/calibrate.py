"""Adds an INT8 variant of the image network to a bundle, calibrated on the user's own pictures. Needs no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import inside, write_manifest
from ..errors import BackendUnavailable, ImageError
from ..images import as_rgb
from ..ops import preprocess, window_plan
from .engines import OpenVinoGraph
from .parity import Parity
from .verification import compare_towers, require

FILE = "image.int8.onnx"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm")
# Enough for ranges to settle; more pictures are taken evenly out of the folder.
_PICTURES, _WINDOWS_EACH = 64, 4
_BASES = ("float16", "float32")


def add_int8(
    bundle: Path,
    manifest: dict[str, Any],
    photos: str | os.PathLike[str],
    allow_degraded: bool = False,
    step: Callable[[str], None] = lambda text: None,
) -> list[Parity]:
    """Quantise a bundle's image network, check it on the CPU, and enter it as the precision ``int8``.

    The float16 graph is quantised where there is one, the float32 graph else. Returns what the gate found.

    Raises:
        ImageError: no pictures in ``photos``. BackendUnavailable: onnx_ir is not installed.
        ParityError: the gate failed and ``allow_degraded`` is false; the bundle is as it was.
    """
    quantizer = load_quantizer()
    files = pictures(Path(photos))
    variants = manifest["image_encoder"]["variants"]
    base = next(precision for precision in _BASES if precision in variants)
    step(f"calibrating the {base} image network on {len(files)} pictures")
    model = quantizer["load"](inside(bundle, variants[base]))
    scales = measure(quantizer, model, windows(files, manifest))
    quantizer["quantize"](model, scales)
    model.metadata_props["precision"] = "int8"
    temporary = bundle / f".{FILE}.tmp"
    try:
        quantizer["save"](model, temporary)
        step("checking it on the CPU")
        towers = OpenVinoGraph(bundle, with_variant(manifest, temporary.name), "int8", 0)
        results = [each for each in compare_towers(bundle, manifest, towers) if each.tower != "text"]
        if not allow_degraded:
            require(results)
        os.replace(temporary, bundle / FILE)
    finally:
        temporary.unlink(missing_ok=True)
    complete = with_variant(manifest, FILE)
    write_manifest(bundle, {key: value for key, value in complete.items() if key != "files"})
    return results


def load_quantizer() -> dict[str, Any]:
    """What needs onnx_ir. Raises `BackendUnavailable` where that is not installed."""
    try:
        import onnx_ir

        from . import quantize
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"INT8 needs {error.name}, which is not installed; run: pip install 'vocabseg[quantize]'"
        ) from error
    serialised = lambda model: onnx_ir.to_proto(model).SerializeToString()  # noqa: E731
    return {"load": onnx_ir.load, "save": onnx_ir.save, "serialise": serialised, **vars(quantize)}


def with_variant(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    encoder = manifest["image_encoder"]
    variants = {**encoder["variants"], "int8": name}
    return {**manifest, "image_encoder": {**encoder, "variants": variants}}


def pictures(folder: Path) -> list[Path]:
    """Up to 64 picture files of a folder, taken evenly. Raises `ImageError` where there are none."""
    found = sorted(path for path in folder.expanduser().rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ImageError(
            f"no pictures in {folder} ({', '.join(SUFFIXES)}); give --calibrate a folder of photos such as "
            "the ones to be segmented"
        )
    chosen = np.linspace(0, len(found) - 1, min(len(found), _PICTURES)).round().astype(int)
    return [found[index] for index in chosen]


def windows(files: list[Path], manifest: dict[str, Any]) -> Iterator[np.ndarray]:
    """Normalised windows float32 [n, 3, H, W] of each picture, as the runtime cuts them, a few evenly chosen."""
    window = manifest["window"]
    crop, normal = (window["height"], window["width"]), manifest["normalization"]
    for file in files:
        image = as_rgb(file)
        plan = window_plan(
            network_size(image.shape[:2], window),
            crop=crop,
            stride=window.get("stride", crop),
            patch=manifest["model"]["patch_size"],
            source=image.shape[:2],
        )
        cut = preprocess(
            image, plan, resize=window["resize"], mean=normal["mean"], std=normal["std"], impl="auto"
        )
        chosen = np.linspace(0, len(cut) - 1, min(len(cut), _WINDOWS_EACH)).round().astype(int)
        yield np.ascontiguousarray(cut[chosen])


def network_size(size: tuple[int, ...], window: dict[str, Any]) -> tuple[int, int]:
    """The size that a picture is resized to: its short side as the window says, and never below the window."""
    height, width = size
    if window["mode"] == "whole":
        scale = max(window["height"] / height, window["width"] / width)
    else:
        scale = min(window["short_side"] / min(size), window["long_side"] / max(size))
    return max(round(height * scale), window["height"]), max(round(width * scale), window["width"])


def measure(quantizer: dict[str, Any], model: Any, batches: Iterator[np.ndarray]) -> dict[str, float]:
    """The step of every activation that enters a linear layer, from what it is on the given windows."""
    import openvino

    names = quantizer["activations"](model.graph)
    probe = quantizer["serialise"](quantizer["with_outputs"](model, names))
    core = openvino.Core()
    run = core.compile_model(core.read_model(probe), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    histograms = {name: quantizer["Histogram"]() for name in names}
    for batch in batches:
        for histogram, values in zip(histograms.values(), run(batch).values(), strict=True):
            histogram.add(values)
    return {name: histogram.scale() for name, histogram in histograms.items()}
