"""vocabseg: a picture and a list of words in, a label map out.

>>> import vocabseg
>>> seg = vocabseg.Segmenter.load("demo")
>>> seg.set_vocabulary(["sky", "ball, sphere", "background: grass, sand"])
>>> result = seg("photo.jpg")
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

# Names are resolved on first use, so that `import vocabseg` loads neither the core nor any engine.
_EXPORTS = {
    "NV12": "frames",
    "Segmenter": "segmenter",
    "Vocabulary": "vocabulary",
    "Segmentation": "results",
    "RegionLabels": "results",
}
_MODULES = ("clip", "errors", "methods", "ops")

__all__ = [
    "NV12",
    "RegionLabels",
    "Segmentation",
    "Segmenter",
    "Vocabulary",
    "__version__",
    "clip",
    "errors",
    "methods",
    "ops",
]

if TYPE_CHECKING:
    from . import clip, errors, methods, ops
    from .frames import NV12
    from .results import RegionLabels, Segmentation
    from .segmenter import Segmenter
    from .vocabulary import Vocabulary


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f".{_EXPORTS[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
