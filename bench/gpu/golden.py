"""One golden file through TensorRT: ``python -m bench.gpu.golden FILE --out BUNDLE`` prints what it found as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import golden_sets
from vocabseg.bundle import read_manifest
from vocabseg.errors import ShapeError
from vocabseg.export.build import export_bundle
from vocabseg.export.engines import open_towers
from vocabseg.export.source import Source
from vocabseg.export.window import whole
from vocabseg.tensorrt.build import Settings
from vocabseg.tensorrt.policy import build_engines

# Of a cosine, in float32 without TF32.
LIMIT = 1e-4


def compare(path: Path, bundle: Path) -> dict[str, Any]:
    """Cosines of patches and words as the engine gives them and as the file has them."""
    arrays = golden_sets.load(path)
    images = arrays["image"].astype(np.float32)
    source = Source("golden", "none", golden_sets.tower(path).eval(), None, None, None, "golden weights")
    try:
        export_bundle(
            source, golden_sets.method_of(path), whole(*images.shape[2:]), bundle, step=lambda text: None
        )
    except ShapeError as error:
        return {"left_out": str(error)}
    build_engines(bundle, Settings("float32"))
    features = open_towers(bundle, read_manifest(bundle), "tensorrt", "float32").encode_windows(images)
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    cosines = (unit @ arrays["text"].T).swapaxes(1, 2).reshape(arrays["logits"].shape)
    error = float(np.abs(cosines - arrays["logits"]).max())
    return {"error": error, "limit": LIMIT, "passed": error <= LIMIT}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.golden")
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    print(json.dumps(compare(args.file, args.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
