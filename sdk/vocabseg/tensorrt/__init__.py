"""TensorRT engines of a bundle's networks: built on the device, checked there, kept under a key, and run.

Nothing here imports tensorrt or a CUDA binding before an engine is built or loaded.

>>> from vocabseg.tensorrt import Encoder
>>> with Encoder.load("bundle") as encode:
...     features = encode(windows)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Encoder"]

if TYPE_CHECKING:
    from .encoder import Encoder


def __getattr__(name: str) -> Any:
    if name != "Encoder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .encoder import Encoder

    return Encoder
