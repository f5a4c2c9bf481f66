"""Ways to run a bundle's networks, for verification. None of them imports torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..bundle import inside
from ..core import load_core
from ..errors import BackendUnavailable, ParityError
from .command import how_to_add

BACKENDS = ("auto", "openvino", "openvino-graph", "onnxruntime", "tensorrt")
# How many windows go through an engine at once; bounds memory on small machines.
_BATCH = 2


class Towers(Protocol):
    """A loaded bundle. ``backend`` names engine and precision; the others name the gates that apply."""

    backend: str
    precision: str
    text_precision: str

    def encode_windows(self, windows: np.ndarray) -> np.ndarray: ...

    def encode_feedback(self, windows: np.ndarray, patch_labels: np.ndarray) -> np.ndarray: ...

    def encode_prompts(self, prompts: Sequence[str], tokens: np.ndarray) -> np.ndarray: ...


def open_towers(
    folder: Path,
    manifest: dict[str, Any],
    backend: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    cache: bool = False,
) -> Towers:
    """Load a bundle into an engine.

    backend: ``auto`` or ``openvino`` run the runtime itself, as ``Segmenter`` does; ``openvino-graph`` and
    ``onnxruntime`` run the stored graph of ``precision`` as it is typed, in their own Python packages; ``tensorrt``
    runs engines that were built here, with ``cache`` those of the cache.
    Raises `BackendUnavailable`, `EngineError`.
    """
    if backend not in BACKENDS:
        raise BackendUnavailable(f"no backend {backend!r} to verify on; one of {', '.join(BACKENDS)}")
    if backend == "openvino-graph":
        return OpenVinoGraph(folder, manifest, "float32" if precision == "auto" else precision, threads)
    if backend == "onnxruntime":
        return OnnxRuntime(folder, manifest, "float32" if precision == "auto" else precision, threads)
    if backend == "tensorrt":
        from ..tensorrt.towers import open_built

        return open_built(folder, manifest, precision, cache)
    return Runtime(folder, manifest, backend, precision, threads)


class Runtime:
    """The C++ core: its own bundle reader, tokenizer and engine."""

    def __init__(
        self, folder: Path, manifest: dict[str, Any], backend: str, precision: str, threads: int
    ) -> None:
        core = load_core()
        self._bundle = core.Bundle.open(str(folder))
        self._segmenter = core.Segmenter(self._bundle, backend, threads, precision)
        self._open_text = lambda: core.TextEncoder(self._bundle, backend, threads, precision)
        self._tokenizer = tokenizer(core, self._bundle, manifest)
        self.backend = str(self._segmenter.backend)
        self.precision = self.text_precision = self.backend.rpartition("/")[2]

    def encode_windows(self, windows: np.ndarray) -> np.ndarray:
        return np.asarray(self._segmenter.encode_windows(windows))

    def encode_feedback(self, windows: np.ndarray, patch_labels: np.ndarray) -> np.ndarray:
        return np.asarray(self._segmenter.encode_feedback(windows, patch_labels.astype(np.int32)))

    def encode_prompts(self, prompts: Sequence[str], tokens: np.ndarray) -> np.ndarray:
        made = np.asarray(self._tokenizer.encode_batch(list(prompts)))
        if not np.array_equal(made, tokens):
            wrong = next(
                (p for p, a, b in zip(prompts, made, tokens, strict=False) if not np.array_equal(a, b)), ""
            )
            raise ParityError(
                f"the tokenizer of this bundle makes other tokens of {wrong!r} than the training code"
            )
        return np.asarray(self._open_text().encode(list(prompts)))


def tokenizer(core: Any, bundle: Any, manifest: dict[str, Any]) -> Any:
    settings = manifest.get("tokenizer")
    return settings and core.Tokenizer(str(bundle.file(settings["merges"])), settings["context_length"])


class StoredGraphs:
    """The stored graphs of one precision; a subclass runs one of them in its engine."""

    def __init__(self, folder: Path, manifest: dict[str, Any], engine: str, precision: str) -> None:
        self._folder, self._manifest = folder, manifest
        self.backend, self.precision = f"{engine}/{precision}", precision
        self.text_precision = (
            precision if not manifest.get("text_encoder") else stored(manifest, "text_encoder", precision)
        )

    def encode_windows(self, windows: np.ndarray) -> np.ndarray:
        return self.image_outputs(windows)["features"]

    def image_outputs(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        """``features`` [W, N, D] float32, and the method's other outputs by their names in the manifest."""
        names = ["features", *(self._manifest["image_encoder"].get("extra_outputs") or {})]
        found = self._run("image_encoder", {self._input("image_encoder"): windows})
        return dict(zip(names, found, strict=True))

    def encode_feedback(self, windows: np.ndarray, patch_labels: np.ndarray) -> np.ndarray:
        (step,) = (step for step in self._manifest["post_steps"] if step["name"] == "feedback")
        flags = {"connected": step["connected"], "strict": step["strict"]}
        core, grid = load_core(), tuple(self._manifest["grid"])
        shared = [
            core.ops.same_region(row.astype(np.int32), grid, **flags, threads=0) for row in patch_labels
        ]
        inputs = self.image_outputs(windows)
        del inputs["features"]
        inputs[self._input("feedback_encoder")] = np.stack(shared)
        return self._run("feedback_encoder", inputs)[0]

    def encode_prompts(self, prompts: Sequence[str], tokens: np.ndarray) -> np.ndarray:
        return self._run("text_encoder", {self._input("text_encoder"): tokens})[0]

    def _input(self, tower: str) -> str:
        return str(self._manifest[tower]["input"])

    def _run(self, tower: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs of a network, in its order."""
        raise NotImplementedError


class OpenVinoGraph(StoredGraphs):
    """The stored graphs in the OpenVINO package, each operator in the type that the graph gives it."""

    def __init__(self, folder: Path, manifest: dict[str, Any], precision: str, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise BackendUnavailable(
                f"openvino cannot be imported: {error}; run: pip install openvino"
            ) from error
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        self._compile = lambda path: openvino.Core().compile_model(str(path), "CPU", options)
        super().__init__(folder, manifest, "openvino-graph", precision)

    def _run(self, tower: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        model = self._compile(variant(self._folder, self._manifest, tower, self.precision))
        return joined([list(model(part).values()) for part in batches(inputs)])


class OnnxRuntime(StoredGraphs):
    """The stored graphs in ONNX Runtime, an implementation that shares no code with OpenVINO."""

    def __init__(self, folder: Path, manifest: dict[str, Any], precision: str, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendUnavailable(
                f"onnxruntime cannot be imported: {error}; run: pip install onnxruntime"
            ) from error
        if precision == "bfloat16":
            raise BackendUnavailable("ONNX Runtime has no bfloat16 on CPUs; use --backend openvino-graph")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._open = lambda path: onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        super().__init__(folder, manifest, "onnxruntime", precision)

    def _run(self, tower: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        session = self._open(variant(self._folder, self._manifest, tower, self.precision))
        return joined([session.run(None, part) for part in batches(inputs)])


def batches(inputs: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The inputs of the same rows each, a few rows at a time."""
    count = len(next(iter(inputs.values())))
    return [
        {name: values[start : start + _BATCH] for name, values in inputs.items()}
        for start in range(0, count, _BATCH)
    ]


def joined(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def variant(folder: Path, manifest: dict[str, Any], tower: str, precision: str) -> Path:
    """The graph of a tower in a precision. Raises `BackendUnavailable` where the bundle has none."""
    variants, precision = manifest[tower]["variants"], stored(manifest, tower, precision)
    if precision not in variants:
        raise BackendUnavailable(
            f"the bundle has no {precision} graph ({tower}: {', '.join(variants)}); "
            f"{how_to_add(manifest, folder, variants, precision)}"
        )
    return inside(folder, variants[precision])


def stored(manifest: Mapping[str, Any], tower: str, precision: str) -> str:
    """The precision that stands in a tower's graphs for ``precision``: only image networks are quantised, and a half
    precision, or float32, goes with them."""
    variants = manifest[tower]["variants"]
    if precision != "int8" or tower == "image_encoder" or precision in variants:
        return precision
    return "float16" if "float16" in variants else "float32"


def stored_prompts(metadata: dict[str, str]) -> list[str]:
    return list(json.loads(metadata.get("prompts", "[]")))
