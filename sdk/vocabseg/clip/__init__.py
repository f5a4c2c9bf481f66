"""CLIP as torch modules. Build time only: weights in, a trunk with its blocks open to the methods."""

from .config import TextConfig, VisualConfig
from .dense import dense_features
from .load import build, from_open_clip, load_clip, load_visual, weights_sha256
from .model import CLIP, initialize
from .text import TextTransformer
from .visual import VisualTransformer

__all__ = [
    "CLIP",
    "TextConfig",
    "TextTransformer",
    "VisualConfig",
    "VisualTransformer",
    "build",
    "dense_features",
    "from_open_clip",
    "initialize",
    "load_clip",
    "load_visual",
    "weights_sha256",
]
