"""One golden file through TensorRT: ``python -m bench.gpu.golden FILE --out BUNDLE`` prints what it found as JSON.

Compared is what TensorRT computes: patches against words, CLIPtrase's affinity and the clusters that follow from it,
and both passes of ResCLIP, the second on the labels of patches that the official code gave the first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import golden_sets
from vocabseg import ops
from vocabseg.bundle import read_manifest
from vocabseg.errors import ShapeError
from vocabseg.export.build import export_bundle
from vocabseg.export.engines import StoredGraphs, open_towers
from vocabseg.export.source import Source
from vocabseg.export.window import whole
from vocabseg.tensorrt import backend
from vocabseg.tensorrt.build import Settings
from vocabseg.tensorrt.policy import build_engines

# Of a cosine, in float32 without TF32.
LIMIT = 1e-4
# Share of pairs of patches that may be in one cluster in one result and not in the other: DBSCAN cuts at a threshold.
CLUSTERS_LIMIT = 0.05
Arrays = dict[str, np.ndarray]
# What is compared, its error, and the limit.
Stage = tuple[str, float, float]


def compare(path: Path, bundle: Path) -> dict[str, Any]:
    """The largest error of every stage, the deepest last; or why the file is left out."""
    arrays = golden_sets.load(path)
    windows = windows_of(path, arrays)
    source = Source("golden", "none", golden_sets.tower(path).eval(), None, None, None, "golden weights")
    try:
        frame = whole(*windows.shape[2:])
        export_bundle(source, golden_sets.method_of(path), frame, bundle, step=lambda text: None)
    except ShapeError as error:
        return {"left_out": str(error)}
    build_engines(bundle, Settings("float32", backend=backend.TENSORRT))
    towers = open_towers(bundle, read_manifest(bundle), "tensorrt", "float32")
    assert isinstance(towers, StoredGraphs)
    compared = [
        {"stage": name, "error": error, "limit": limit}
        for name, error, limit in stages(path, arrays, windows, towers)
    ]
    return {"stages": compared, "passed": all(each["error"] <= each["limit"] for each in compared)}


def windows_of(path: Path, arrays: Arrays) -> np.ndarray:
    """What the official code gave its network, float32 [W, 3, H, W]."""
    if "slide_crop" in arrays:
        return golden_sets.windows_of(arrays)[1]
    return arrays.get("image", arrays.get("clip_input")).astype(np.float32)


def stages(path: Path, arrays: Arrays, windows: np.ndarray, towers: StoredGraphs) -> Iterator[Stage]:
    method = path.stem.partition("_")[0]
    outputs, text = towers.image_outputs(windows), arrays["text"]
    found = cosines(outputs["features"], text)
    if method == "cliptrase":
        yield from cliptrase(arrays, outputs, found)
    elif method == "resclip" and "win_patch_labels_pass1" in arrays:
        yield error("first pass", found, arrays["win_patch_logits_pass1"])
        labels = arrays["win_patch_labels_pass1"].reshape(len(windows), -1)
        second = cosines(towers.encode_feedback(windows, labels), text)
        yield error("second pass", second, arrays["win_patch_logits"])
    else:
        yield error("patches", found, arrays["logits" if "logits" in arrays else "win_patch_logits"])


def cliptrase(arrays: Arrays, outputs: Arrays, found: np.ndarray) -> Iterator[Stage]:
    text, expected = arrays["text"], arrays["features"]
    yield error("class token", outputs["class_features"] @ text.T, unit(expected[:1]) @ text.T)
    yield error("patches", found, cosines(unit(expected[None, 1:]), text))
    yield error("affinity", outputs["affinity"], arrays["affinity"])
    clusters = ops.dbscan(outputs["affinity"][0], float(arrays["eps"]), int(arrays["min_samples"]))
    mine, official = (together(each) for each in (clusters, arrays["cluster_labels"]))
    yield "clusters", float(np.mean(mine != official)), CLUSTERS_LIMIT


def together(clusters: np.ndarray) -> np.ndarray:
    """Which pairs of patches share a cluster, whatever its number."""
    return clusters[:, None] == clusters


def cosines(features: np.ndarray, text: np.ndarray) -> np.ndarray:
    """[W, N, D], [Q, D] -> [W, Q, N]."""
    return (unit(features) @ text.T).swapaxes(1, 2)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def error(stage: str, found: np.ndarray, expected: np.ndarray) -> Stage:
    return stage, float(np.abs(found - expected.reshape(found.shape)).max()), LIMIT


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.golden")
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    print(json.dumps(compare(args.file, args.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
