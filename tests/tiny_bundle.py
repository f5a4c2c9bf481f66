"""A bundle small enough to check by hand: the feature of a patch is its mean colour, made a unit vector.

Image network: windows [B, 3, h, w] (pixels / 255) -> per patch the means (r, g, b), a constant 0.1 appended,
L2-normalised: D = 4. Text network: the sum of one fixed row per token id, L2-normalised.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DIM = 4
BIAS = 0.1
CONTEXT = 16
MERGES = ("r o", "ro a", "roa d</w>", "c a", "ca r</w>", "s k", "sk y</w>")
VOCAB_SIZE = 512 + len(MERGES) + 2

RED, GREEN, BLUE = (np.eye(3, DIM, dtype=np.float32)[i] for i in range(3))


def image_network(patch: int, height: int, width: int) -> onnx.ModelProto:
    patches = (height // patch) * (width // patch)
    weights = np.eye(3, DIM, dtype=np.float32)
    bias = np.array([0, 0, 0, BIAS], np.float32)
    nodes = [
        helper.make_node(
            "AveragePool", ["windows"], ["means"], kernel_shape=[patch] * 2, strides=[patch] * 2
        ),
        helper.make_node("Reshape", ["means", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["colours"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["colours", "weights"], ["projected"]),
        helper.make_node("Add", ["projected", "bias"], ["raw"]),
        helper.make_node("LpNormalization", ["raw"], ["features"], axis=-1, p=2),
    ]
    return _model(
        nodes,
        ("windows", TensorProto.FLOAT, ["B", 3, height, width]),
        ("features", TensorProto.FLOAT, ["B", patches, DIM]),
        {"shape": np.array([0, 3, patches], np.int64), "weights": weights, "bias": bias},
    )


def text_rows() -> np.ndarray:
    """The row of each token id; padding counts nothing."""
    rows = np.random.default_rng(0).standard_normal((VOCAB_SIZE, DIM)).astype(np.float32)
    rows[0] = 0
    return rows


def text_network() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["rows", "tokens"], ["gathered"]),
        helper.make_node("ReduceSum", ["gathered", "axis"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=-1, p=2),
    ]
    return _model(
        nodes,
        ("tokens", TensorProto.INT64, ["T", CONTEXT]),
        ("embedding", TensorProto.FLOAT, ["T", DIM]),
        {"rows": text_rows(), "axis": np.array([1], np.int64)},
    )


def write_tiny_bundle(
    folder: Path,
    patch: int = 8,
    window: tuple[int, int] = (32, 32),
    stride: int = 16,
    short_side: int = 32,
    mode: str = "slide",
    text: bool = True,
    **overrides: Any,
) -> Path:
    """Write the bundle and return its folder; `overrides` replace keys of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = window
    (folder / "image.onnx").write_bytes(image_network(patch, height, width).SerializeToString())
    if text:
        (folder / "text.onnx").write_bytes(text_network().SerializeToString())
    (folder / "merges.txt").write_text("".join(f"{merge}\n" for merge in MERGES), encoding="utf-8")
    text_encoder = {"input": "tokens", "output": "embedding", "variants": {"float32": "text.onnx"}}
    manifest = {
        "schema_version": 1,
        "name": "tiny",
        "created_by": "tests",
        "created": "2026-01-01T00:00:00Z",
        "model": {
            "architecture": "mean-colour",
            "patch_size": patch,
            "embed_dim": DIM,
            "licence": "Apache-2.0",
        },
        "method": {"name": "vanilla", "parameters": {}},
        "window": {
            "mode": mode,
            "height": height,
            "width": width,
            "stride": [stride, stride],
            "short_side": short_side,
            "long_side": 2048,
            "resize": "bilinear",
        },
        "grid": [height // patch, width // patch],
        "normalization": {"mean": [0.0, 0.0, 0.0], "std": [255.0, 255.0, 255.0]},
        "logit_scale": 40.0,
        "threshold": 0.0,
        "post_steps": [],
        "tokenizer": {
            "kind": "clip_bpe",
            "merges": "merges.txt",
            "vocab_size": VOCAB_SIZE,
            "context_length": CONTEXT,
        },
        "image_encoder": {"input": "windows", "output": "features", "variants": {"float32": "image.onnx"}},
        "text_encoder": text_encoder if text else None,
        "templates": "photo",
        "vocabularies": {},
    }
    manifest.update(overrides)
    write_manifest(folder, manifest)
    return folder


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write manifest.json with the hashes of the folder's present files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    manifest["files"] = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in files
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def patch_features(image: np.ndarray, patch: int) -> np.ndarray:
    """What the image network gives for uint8 [h, w, 3] whose sides are multiples of the patch: [gh, gw, D]."""
    gh, gw = image.shape[0] // patch, image.shape[1] // patch
    means = image.reshape(gh, patch, gw, patch, 3).mean(axis=(1, 3)) / 255
    raw = np.concatenate([means, np.full((gh, gw, 1), BIAS)], axis=-1)
    return raw / np.linalg.norm(raw, axis=-1, keepdims=True)


def stripes(height: int, width: int) -> np.ndarray:
    """A picture that is red at the left, green in the middle and blue at the right."""
    image = np.zeros((height, width, 3), np.uint8)
    for channel, part in enumerate(np.array_split(np.arange(width), 3)):
        image[:, part, channel] = 255
    return image


def _model(
    nodes: list[Any], source: tuple, target: tuple, constants: dict[str, np.ndarray]
) -> onnx.ModelProto:
    infos = [[helper.make_tensor_value_info(*end)] for end in (source, target)]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", *infos, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model
