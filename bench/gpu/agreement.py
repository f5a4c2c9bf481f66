"""One picture through a backend and through the CPU: ``python -m bench.gpu.agreement BUNDLE PICTURE BACKEND`` prints
JSON."""

from __future__ import annotations

import json
import sys

import numpy as np

import vocabseg


def compare(bundle: str, picture: str, backend: str) -> dict:
    """Share of pixels with the same label; the stages that the GPU's frame went through."""
    on_gpu = vocabseg.Segmenter.load(bundle, backend, precision="float32")
    on_cpu = vocabseg.Segmenter.load(bundle, "openvino", precision="float32")
    results = [on_gpu(picture) for _ in range(3)]  # from the second frame on it is a CUDA graph
    expected = on_cpu(picture).labels
    shares = [float(np.mean(result.labels == expected)) for result in results]
    return {"backend": on_gpu.backend, "agreement": min(shares), "stages": list(results[-1].timing)}


if __name__ == "__main__":
    print(json.dumps(compare(*sys.argv[1:4])))
