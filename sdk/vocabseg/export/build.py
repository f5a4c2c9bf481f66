"""A model, a method and a window to a bundle folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from .. import templates
from ..bundle import new_bundle, write_manifest
from ..embedding import Embedder
from ..errors import ShapeError, VocabularyError
from ..methods import Method
from ..methods.proxyclip import ProxyCLIP
from ..methods.resclip import ResCLIP
from ..vocabulary import Vocabulary
from . import storage, tokenization, trace
from .describe import REFERENCE, Settings, describe, graph_metadata
from .engines import open_towers
from .parity import Parity
from .reference import reference_windows, write_reference
from .source import Source
from .verification import compare_towers, require
from .window import Window

logger = logging.getLogger(__name__)

SUFFIXES = {"float32": "", "bfloat16": ".bf16", "float16": ".fp16"}
MERGES, VOCABULARY = "merges.txt", "vocabularies/default.safetensors"


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
    if isinstance(method, ProxyCLIP):
        raise ShapeError("proxyclip runs a second backbone, which a bundle does not hold; use it from Python")
    merges = load_merges(source, settings)
    with new_bundle(out, force) as folder:
        if settings.weights == "float16":
            round_towers(source)
        step("tracing the image tower")
        image = write_tower(
            folder,
            "image",
            source,
            settings,
            lambda p: trace.trace_image(source.visual, method, window.size, p),
            graph_metadata(source, method, window, grid),
        )
        feedback = None
        if isinstance(method, ResCLIP) and method.uses_text:
            step("tracing the second pass")
            second = method
            feedback = write_tower(
                folder,
                "feedback",
                source,
                settings,
                lambda p: trace.trace_feedback(source.visual, second, grid, p),
                graph_metadata(source, method, window, grid),
            )
        text = None
        if source.text is not None:
            step("tracing the text tower")
            tower, context = source.text, {"context_length": str(source.text.config.context_length)}
            text = write_tower(
                folder, "text", source, settings, lambda p: trace.trace_text(tower, p), context
            )
        manifest = describe(source, method, window, grid, settings, image, text, feedback)
        if settings.vocabulary is not None:
            step("embedding the vocabulary")
        write_text_files(folder, source, merges, settings, manifest)
        step("computing the reference")
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
            raise VocabularyError(
                "words need a text tower, and these weights have none; leave --vocabulary out"
            )
        return None
    merges = (
        tokenization.read_merges(Path(settings.merges)) if settings.merges else tokenization.openai_merges()
    )
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
        results += compare_towers(
            folder, manifest, open_towers(folder, manifest, "openvino-graph", precision)
        )
    return results + compare_towers(folder, manifest, open_towers(folder, manifest, "auto"))
