"""An engine's key, a bundle's manifest, and engines as a build leaves them."""

from __future__ import annotations

import json

from vocabseg.tensorrt.key import EngineKey, Machine, canonical
from vocabseg.tensorrt.record import Record
from vocabseg.tensorrt.store import Store, plan_name

ORIN = Machine("10.3.0", "8.7", "Orin", True, 4 << 30)
PROFILE = {"windows": ((1, 3, 64, 64), (6, 3, 64, 64), (12, 3, 64, 64))}
KEY = EngineKey("a" * 64, "float16", PROFILE, ORIN, {"tf32": False})
MANIFEST = {
    "name": "tiny one",
    "window": {"mode": "slide", "height": 64, "width": 64},
    "grid": [4, 4],
    "tokenizer": {"context_length": 16},
    "image_encoder": {
        "input": "windows",
        "output": "features",
        "extra_outputs": {"tokens": [17, 96]},
        "variants": {"float32": "image.onnx", "float16": "image.fp16.onnx"},
    },
    "feedback_encoder": {"input": "shared", "output": "features", "variants": {"float32": "f.onnx"}},
    "text_encoder": {"input": "tokens", "output": "embedding", "variants": {"float32": "text.onnx"}},
    "files": {
        "image.onnx": {"sha256": "b" * 64},
        "image.fp16.onnx": {"sha256": "a" * 64},
        "f.onnx": {"sha256": "c" * 64},
        "text.onnx": {"sha256": "d" * 64},
        "text.onnx.data": {"sha256": "e" * 64},
    },
}
PASSED = {"passed": True, "failures": []}
FAILED = {"passed": False, "failures": ["smallest cosine 0.1 is below 0.99"]}


def add(store: Store, key: EngineKey = KEY, plan: bytes = b"plan" * 100, **changes) -> Record:
    """An engine as a build leaves it."""
    import hashlib

    store.prepare()
    name = plan_name("image", key.precision, key.digest())
    (store.folder / name).write_bytes(plan)
    fields = {
        "tower": "image",
        "key": json.loads(canonical(key.document())),
        "digest": key.digest(),
        "plan": name,
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "inputs": ["windows"],
        "outputs": ["features"],
        "rebuild": ["--precision", "float16", "--batch", "1,6,12"],
        "build": {"seconds": 1.0},
        "parity": PASSED,
    }
    record = Record(**(fields | changes))
    store.write_record(record)
    return record
