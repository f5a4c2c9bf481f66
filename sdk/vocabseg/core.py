"""The compiled core, loaded on first use, and the bundles and folders of engines that have names."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import BackendUnavailable, BundleError

DEMO = Path(__file__).parent / "assets" / "demo"


def load_core() -> ModuleType:
    """The extension module ``vocabseg._core``. Raises `BackendUnavailable` where it cannot be loaded."""
    try:
        return importlib.import_module("vocabseg._core")
    except ImportError as error:
        raise BackendUnavailable(
            f"the compiled core of vocabseg cannot be loaded: {error}; run: vocabseg doctor, "
            "and to build it again: pip install --force-reinstall vocabseg (in a checkout: pip install -e .)"
        ) from error


def bundle_path(bundle: str | os.PathLike[str]) -> Path:
    """The folder of a bundle: ``"demo"`` is the one that comes with vocabseg, anything else a path."""
    path = DEMO if bundle == "demo" else Path(bundle).expanduser()
    if path.is_dir():
        return path
    if bundle == "demo":
        raise BundleError(
            f"no demo bundle at {path}; reinstall vocabseg, or make it: python -m vocabseg.train.demo"
        )
    raise BundleError(
        f"no bundle folder at {path}; use 'demo', or make one: "
        f"vocabseg export ViT-B-16 --pretrained openai --out {path}"
    )


def engine_folder(manifest: Mapping[str, Any], engines: str | os.PathLike[str] | None) -> str:
    """Where a bundle's TensorRT engines are, as the core takes it: empty for its own folder, which None stands for.

    ``"cache"`` is the folder of ``vocabseg build --cache``, anything else a path.
    """
    if engines is None:
        return ""
    if engines == "cache":
        from .tensorrt.store import cache_folder

        return str(cache_folder(manifest))
    return str(Path(engines).expanduser())
