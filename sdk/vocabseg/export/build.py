"""A model, a method and a window to a bundle folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from .. import __version__, templates
from ..bundle import new_bundle, write_manifest
from ..embedding import Embedder
from ..errors import ShapeError, VocabsegError, VocabularyError
from ..methods import Method
from ..vocabulary import Vocabulary
from . import storage, tokenization, trace
from .engines import open_towers
from .parity import Parity
from .reference import reference_windows, write_reference
from .source import Source
from .verification import compare_towers, require
from .window import Window

logger = logging.getLogger(__name__)

PRECISIONS = tuple(trace.DTYPES)
SUFFIXES = {"float32": "", "bfloat16": ".bf16", "float16": ".fp16"}
# logit_scale of each method's published configuration (before the softmax over words).
LOGIT_SCALES = {"clearclip": 50.0}
DEFAULT_LOGIT_SCALE = 40.0
MERGES, REFERENCE, VOCABULARY = "merges.txt", "reference.safetensors", "vocabularies/default.safetensors"


@dataclass(frozen=True)
class Settings:
    """What a bundle holds beside the model, the method and the window.

    precisions: graphs to write; float32 is always among them. weights: ``float32``, or ``float16`` to round the
    matrices once and store them in half the size. templates: name of the default template set. vocabulary: words
    to store as the default vocabulary, see ``Vocabulary.of``. merges: byte-pair merges; None for OpenAI's.
    area_threshold, pamr_steps: post-steps, see the method cards of SCLIP and NACLIP; None leaves a step out.
    """

    name: str | None = None
    precisions: Sequence[str] = ("float32",)
    weights: str = "float32"
    templates: str = "openai80"
    vocabulary: str | Sequence[str] | None = None
    merges: str | os.PathLike[str] | None = None
    licence: str | None = None
    logit_scale: float | None = None
    threshold: float = 0.0
    area_threshold: float | None = None
    pamr_steps: int | None = None
    post_steps: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        unknown = [name for name in self.precisions if name not in PRECISIONS]
        if unknown or self.weights not in ("float32", "float16"):
            raise VocabsegError(f"no precision {(unknown or [self.weights])[0]!r}; one of {', '.join(PRECISIONS)}")
        if self.templates not in templates.names():
            raise VocabularyError(
                f"a bundle names a template set that every vocabseg has: {', '.join(templates.names())}; "
                f"got {self.templates!r}"
            )
        if self.logit_scale is not None and not 0 < self.logit_scale < 1e6:
            raise VocabsegError(f"the logit scale is {self.logit_scale}, expected a positive number")
        if not 0 <= self.threshold < 1:
            raise VocabsegError(f"the threshold is {self.threshold}, expected 0 to 1")
        steps: list[dict[str, Any]] = []
        if self.area_threshold is not None:
            steps.append({"name": "area_threshold", "threshold": self.area_threshold})
        if self.pamr_steps is not None:
            steps.append({"name": "pamr", "steps": self.pamr_steps, "dilations": [8, 16]})
        object.__setattr__(self, "post_steps", steps)


def export_bundle(
    source: Source,
    method: Method,
    window: Window,
    out: str | os.PathLike[str],
    settings: Settings | None = None,
    force: bool = False,
    step: Callable[[str], None] = logger.info,
) -> list[Parity]:
    """Write a bundle, check it against float32 torch, and only then give it its name.

    Args:
        source: see ``source.load``.
        method: see ``vocabseg.methods.get``.
        window: see ``window.sliding`` and ``window.whole``.
        out: the folder to make; ``force`` replaces a bundle that is there.
        step: is told what begins.

    Returns:
        What the checks found, one entry per tower, engine and precision.

    Raises:
        ShapeError: the window does not fit the model's patches.
        BundleError: ``out`` is in the way.
        ParityError: an engine's results are too far off; nothing is left at ``out``.
    """
    settings = settings or Settings()
    grid = window.grid(source.visual.config.patch_size)
    if method.uses_text:
        raise ShapeError(f"{method.name} looks at the words inside the image tower; it cannot be exported")
    merges = load_merges(source, settings)
    with new_bundle(out, force) as folder:
        if settings.weights == "float16":
            round_towers(source)
        step("tracing the image tower")
        image = write_tower(
            folder, "image", source, settings, lambda p: trace.trace_image(source.visual, method, window.size, p),
            graph_metadata(source, method, window, grid),
        )  # fmt: skip
        text = None
        if source.text is not None:
            step("tracing the text tower")
            tower, context = source.text, {"context_length": str(source.text.config.context_length)}
            text = write_tower(folder, "text", source, settings, lambda p: trace.trace_text(tower, p), context)
        manifest = describe(source, method, window, grid, settings, image, text)
        step("computing the reference")
        write_text_files(folder, source, merges, settings, manifest)
        tokenize = make_tokenizer(source, merges)
        windows = reference_windows(window.size, source.mean, source.std)
        write_reference(folder / REFERENCE, source.visual, method, windows, source.text, tokenize)
        complete = write_manifest(folder, manifest)
        step("checking the engines")
        results = check(folder, complete)
        require(results)
    return results


def load_merges(source: Source, settings: Settings) -> list[tokenization.Merge] | None:
    if source.text is None:
        if settings.vocabulary is not None:
            raise VocabularyError("words need a text tower, and these weights have none; leave --vocabulary out")
        return None
    merges = tokenization.read_merges(Path(settings.merges)) if settings.merges else tokenization.openai_merges()
    tokenization.check_vocabulary(merges, source.text.config.vocab_size)
    return merges


def make_tokenizer(source: Source, merges: list[tokenization.Merge] | None) -> tokenization.Tokenize | None:
    if source.text is None or merges is None:
        return None
    return tokenization.make_tokenizer(merges, source.text.config.context_length)


def round_towers(source: Source) -> None:
    storage.round_weights(source.visual)
    if source.text is not None:
        storage.round_weights(source.text)


def write_tower(
    folder: Path,
    tower: str,
    source: Source,
    settings: Settings,
    make: Callable[[str], ir.Model],
    metadata: Mapping[str, str],
) -> dict[str, str]:
    """Trace and write one graph per precision; precision → file name."""
    variants = {}
    for precision in dict.fromkeys(("float32", *settings.precisions)):
        model = make(precision)
        if settings.weights == "float16" and precision == "float32":
            storage.store_float16(model)
        name = f"{tower}{SUFFIXES[precision]}.onnx"
        storage.save(model, folder / name, {"precision": precision, "model": source.architecture, **metadata})
        variants[precision] = name
    return variants


def graph_metadata(source: Source, method: Method, window: Window, grid: tuple[int, int]) -> dict[str, str]:
    """What a consumer of the ONNX file alone has to know."""
    return {
        "method": repr(method),
        "mean": " ".join(map(str, source.mean)),
        "std": " ".join(map(str, source.std)),
        "window": f"{window.height} {window.width}",
        "patch_size": str(source.visual.config.patch_size),
        "grid": f"{grid[0]} {grid[1]}",
    }


def describe(
    source: Source,
    method: Method,
    window: Window,
    grid: tuple[int, int],
    settings: Settings,
    image: Mapping[str, str],
    text: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The manifest, without its files."""
    config = source.visual.config
    size = ("patch_size", "width", "layers", "heads", "embed_dim", "activation")
    return {
        "name": settings.name or f"{source.architecture}-{method.name}".lower(),
        "created_by": f"vocabseg {__version__}",
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "model": {
            "architecture": source.architecture,
            "pretrained": source.pretrained,
            "weights_sha256": source.sha256,
            "licence": settings.licence or source.licence,
            "source": source.origin,
            **{key: getattr(config, key) for key in size},
        },
        "method": {"name": method.name, "parameters": asdict(method)},
        "window": window.manifest(),
        "grid": list(grid),
        "normalization": {"mean": list(source.mean), "std": list(source.std)},
        "logit_scale": settings.logit_scale or LOGIT_SCALES.get(method.name, DEFAULT_LOGIT_SCALE),
        "threshold": settings.threshold,
        "post_steps": settings.post_steps,
        "image_encoder": {"input": "windows", "output": "features", "variants": dict(image)},
        "text_encoder": text and {"input": "tokens", "output": "embedding", "variants": dict(text)},
        "tokenizer": None,
        "templates": settings.templates,
        "vocabularies": {},
        "reference": REFERENCE,
    }


def write_text_files(
    folder: Path,
    source: Source,
    merges: list[tokenization.Merge] | None,
    settings: Settings,
    manifest: dict[str, Any],
) -> None:
    """Merges and, where words are given, the default vocabulary; both are entered into the manifest."""
    if source.text is None or merges is None:
        return
    (folder / MERGES).write_text(tokenization.merges_text(merges), encoding="utf-8")
    config = source.text.config
    sizes = {"vocab_size": config.vocab_size, "context_length": config.context_length}
    manifest["tokenizer"] = {"kind": "clip_bpe", "merges": MERGES, **sizes}
    if settings.vocabulary is None:
        return
    complete = write_manifest(folder, manifest)  # names the text tower by its hash
    tokenize = tokenization.make_tokenizer(merges, config.context_length)
    embedder = Embedder(complete, (), lambda: TorchEncoder(source, tokenize))
    words = Vocabulary.of(settings.vocabulary)
    (folder / VOCABULARY).parent.mkdir()
    embedder.embed(words, templates.get(settings.templates)).save(folder / VOCABULARY)
    manifest["vocabularies"] = {"default": VOCABULARY}


class TorchEncoder:
    """The text tower in float32 torch, as the vocabulary's embedder wants it."""

    def __init__(self, source: Source, tokenize: tokenization.Tokenize) -> None:
        assert source.text is not None
        self._encoder, self._tokenize = trace.TextEncoder(source.text).eval(), tokenize

    @torch.inference_mode()
    def encode(self, prompts: list[str]) -> np.ndarray:
        return self._encoder(torch.from_numpy(self._tokenize(prompts))).numpy()


def check(folder: Path, manifest: dict[str, Any]) -> list[Parity]:
    """Every stored graph as it is typed, then the runtime in the precision that it would choose."""
    results = []
    for precision in manifest["image_encoder"]["variants"]:
        results += compare_towers(folder, manifest, open_towers(folder, manifest, "openvino-graph", precision))
    return results + compare_towers(folder, manifest, open_towers(folder, manifest, "auto"))
