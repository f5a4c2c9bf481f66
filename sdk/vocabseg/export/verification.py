"""Replay a bundle's stored inputs on an engine: ``vocabseg verify``, and the gate of every export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import safetensors_io
from ..bundle import check_files, inside, read_manifest
from ..errors import BundleError, ParityError
from ..vocabulary import Vocabulary
from .engines import Towers, open_towers, stored_prompts
from .parity import Parity, compare, random_text


def verify(
    folder: str | os.PathLike[str],
    backend: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    cache: bool = False,
) -> list[Parity]:
    """Compare an engine with the float32 reference in a bundle; one result per tower.

    Args:
        folder: of the bundle; every file's sha256 is checked first.
        backend, precision, threads, cache: see ``engines.open_towers``.

    Raises:
        BundleError: the bundle is incomplete or altered, or carries no reference.
        BackendUnavailable, EngineError: the engine does not run here.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    check_files(path, manifest)
    return compare_towers(path, manifest, open_towers(path, manifest, backend, precision, threads, cache))


def compare_towers(folder: Path, manifest: dict[str, Any], towers: Towers) -> list[Parity]:
    """Every network of an open bundle against its reference."""
    reference, metadata = read_reference(folder, manifest)
    features = reference["features"]
    text = stored_text(folder, manifest)
    if text is None:
        text = random_text(features.shape[-1], features)
    judged = (towers.backend, towers.precision)
    results = [compare("image", *judged, towers.encode_windows(reference["windows"]), features, text)]
    if manifest.get("feedback_encoder"):
        second = towers.encode_feedback(reference["windows"], reference["patch_labels"])
        results.append(compare("feedback", *judged, second, reference["feedback"], text))
    if manifest.get("text_encoder"):
        embedding = towers.encode_prompts(stored_prompts(metadata), reference["tokens"])
        judged = (towers.backend, towers.text_precision)
        results.append(compare("text", *judged, embedding, reference["embedding"], None))
    return results


def read_reference(folder: Path, manifest: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    name = manifest.get("reference")
    if not name:
        raise BundleError(f"bundle {folder} carries no reference; export it again with: vocabseg export")
    tensors, metadata = safetensors_io.read(inside(folder, name), BundleError)
    needed = {"windows", "features"}
    needed |= {"tokens", "embedding"} if manifest.get("text_encoder") else set()
    needed |= {"patch_labels", "feedback"} if manifest.get("feedback_encoder") else set()
    if not needed <= set(tensors):
        raise BundleError(f"{name} of bundle {folder} lacks {', '.join(sorted(needed - set(tensors)))}")
    return tensors, metadata


def stored_text(folder: Path, manifest: dict[str, Any]) -> np.ndarray | None:
    """Text rows of the default vocabulary, if the bundle stores one."""
    name = (manifest.get("vocabularies") or {}).get("default")
    return Vocabulary.load(inside(folder, name)).embeddings if name else None


def require(results: list[Parity]) -> None:
    """Raise `ParityError` that names every result beyond its gate."""
    failures = [f"{r.tower} tower on {r.backend}: {', '.join(r.failures)}" for r in results if not r.passed]
    if failures:
        raise ParityError(f"results are too far from the reference: {'; '.join(failures)}")
