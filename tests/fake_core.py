"""A core without engines: words are embedded by hash, the left of a picture is class 0, the rest class 1."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

WIDTH = 8


def unit_row(prompt: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "little")
    row = np.random.default_rng(seed).normal(size=WIDTH)
    return (row / np.linalg.norm(row)).astype(np.float32)


class Bundle:
    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    @staticmethod
    def open(folder: str) -> Bundle:
        return Bundle(folder)

    def manifest_json(self) -> str:
        return (self.folder / "manifest.json").read_text()

    def file(self, name: str) -> str:
        return str(self.folder / name)


class TextEncoder:
    prompts: ClassVar[list[str]] = []
    engines: ClassVar[list[str]] = []

    @staticmethod
    def for_words(bundle, backend, threads, engines="", allow_smaller_batch=False, log=None) -> TextEncoder:
        TextEncoder.engines.append(engines)
        return TextEncoder()

    def encode(self, prompts: list[str]) -> np.ndarray:
        TextEncoder.prompts += prompts
        return np.stack([unit_row(prompt) for prompt in prompts])


class Segmenter:
    def __init__(
        self,
        bundle,
        backend="auto",
        threads=0,
        precision="auto",
        log=None,
        cubins="",
        engines="",
        allow_smaller_batch=False,
    ) -> None:
        self.backend, self.backend_reason = "fake-cpu float32", "auto: the only one"
        self.engines, self.allow_smaller_batch = engines, allow_smaller_batch
        self.threads = threads
        self.arguments: tuple = ()
        log("info", "fake engine started")

    def set_vocabulary(self, query_to_class, classes, background, embeddings) -> None:
        assert embeddings.shape == (len(query_to_class), WIDTH)
        assert query_to_class.dtype == np.int32
        self.classes, self.background = classes, background

    def segment(self, image, scores, threshold, logit_scale):
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        self.arguments = (scores, threshold, logit_scale)
        height, width = image.shape[:2]
        labels = np.zeros((height, width), np.uint8 if self.classes <= 255 else np.uint16)
        labels[:, width // 4 :] = min(1, self.classes - 1)
        labels[np.isin(labels, self.background)] = np.iinfo(labels.dtype).max
        probabilities = np.full((height, width), 0.75, np.float32) if scores else None
        timing = {"preprocess": 1.0, "encode": 20.0, "similarity": 0.1, "decode": 2.0, "total": 23.1}
        return {"labels": labels, "scores": probabilities, "timing": timing, "backend": self.backend}

    def classify_masks(self, image, masks):
        self.arguments = (masks,)
        count = int(masks.max()) + 1 if isinstance(masks, np.ndarray) and masks.ndim == 2 else len(masks)
        return {
            "class_ids": np.array([-1, 1][:count], np.int32),
            "scores": np.array([0.0, 0.5][:count], np.float32),
            "area": np.array([0, 4][:count]),
            "features": np.zeros((count, WIDTH), np.float32),
            "timing": {"encode": 20.0, "total": 20.0},
            "backend": self.backend,
        }

    def features(self, image):
        return np.zeros((2, 3, WIDTH), np.float32)

    def cancel(self) -> None:
        self.arguments = ("cancelled",)


def make_bundle(folder: Path, text: bool = True) -> Path:
    folder.mkdir()
    manifest = {
        "schema_version": 1,
        "name": "fake",
        "model": {"embed_dim": WIDTH},
        "templates": "simple7",
        "text_encoder": {"variants": {"float32": "text.onnx"}} if text else None,
        "files": {"text.onnx": {"sha256": "ab" * 32, "bytes": 1}} if text else {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def module() -> SimpleNamespace:
    return SimpleNamespace(
        Bundle=Bundle,
        TextEncoder=TextEncoder,
        Segmenter=Segmenter,
        version="0.1.0",
        openvino_version=lambda: "2026.4.1",
        cpu_features=lambda: ["avx2", "avx512"],
        backends=lambda: [
            {"id": "openvino-cpu", "available": True, "reason": ""},
            {"id": "tensorrt", "available": False, "reason": "libnvinfer.so.10 is not found"},
        ],
    )
