"""Where a model comes from: open_clip by name and tag, a local file, or random weights."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from torch import nn

from ..clip import CLIP, TextTransformer, VisualTransformer, build, from_open_clip, initialize, weights_sha256
from ..clip.load import check_activation, clip_from_state, open_clip_configs, visual_from_state
from ..clip.weights import read_state_dict, text_config, visual_config
from ..errors import WeightsError
from ..ops.preprocessing import MEAN, STD

logger = logging.getLogger(__name__)

RANDOM = "none"
WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin")
# What the weights' publishers state; other tags are left open.
_LICENCES = {
    "openai": "MIT",
    "laion": "MIT",
    "datacomp": "MIT",
    "commonpool": "MIT",
    "metaclip": "CC-BY-NC-4.0",
}
_CONNECT_SECONDS = 5.0
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class Source:
    """A model with what the manifest says about its origin. ``text`` is None for a vision tower alone."""

    architecture: str
    pretrained: str
    visual: VisualTransformer
    text: TextTransformer | None
    sha256: str | None
    licence: str | None
    origin: str
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD


def load(
    architecture: str,
    pretrained: str = RANDOM,
    activation: str | None = None,
    heads: int | None = None,
    text_heads: int | None = None,
    seed: int = 0,
) -> Source:
    """A model by name and by where its weights are.

    Args:
        architecture: a name in open_clip's list (``ViT-B-16``); for weights in a file any other name, too.
        pretrained: a tag of open_clip (``openai``), a file (``.safetensors``, ``.pt``), or ``none`` for random weights.
        activation: ``quick_gelu`` or ``gelu``. Default: what open_clip says for a tag and for ``none``;
            ``quick_gelu``, as in OpenAI's weights, for a file.
        heads, text_heads: attention heads of the towers of a file whose name open_clip does not know; one per 64
            channels by default.
        seed: of random weights.

    Raises:
        WeightsError: no such model, tag or file, or weights of another layout.
        OfflineError: the weights hub cannot be reached.
    """
    if activation is not None:
        check_activation(activation)
    if pretrained == RANDOM:
        return from_seed(architecture, activation, seed)
    if Path(pretrained).suffix in WEIGHT_FILES or os.sep in pretrained:
        return from_file(
            architecture, Path(pretrained).expanduser(), activation or "quick_gelu", heads, text_heads
        )
    return from_tag(architecture, pretrained, activation)


def from_seed(architecture: str, activation: str | None, seed: int) -> Source:
    visual, text = open_clip_configs(architecture)
    if activation is not None:
        visual, text = replace(visual, activation=activation), replace(text, activation=activation)
    clip = initialize(build(visual, text), seed).eval()
    origin = f"random weights, seed {seed}: for measuring latency only"
    return Source(architecture, RANDOM, clip.visual, clip.text, None, None, origin)


def from_tag(architecture: str, tag: str, activation: str | None) -> Source:
    import open_clip

    with offline_if_unreachable():
        clip = from_open_clip(architecture, tag)
    if activation is not None:
        clip = with_activation(clip, activation)
    settings = open_clip.get_pretrained_cfg(architecture, tag) or {}
    licence = next((licence for start, licence in _LICENCES.items() if tag.startswith(start)), None)
    origin = f"open_clip {open_clip.__version__}: {architecture}, {tag}"
    mean, std = scaled(settings.get("mean"), MEAN), scaled(settings.get("std"), STD)
    return Source(architecture, tag, clip.visual, clip.text, digest(clip), licence, origin, mean, std)


def from_file(
    architecture: str, path: Path, activation: str, heads: int | None, text_heads: int | None
) -> Source:
    state = read_state_dict(path)
    known = known_configs(architecture)
    if known is not None:
        heads, text_heads = heads or known[0].heads, text_heads or known[1].heads
    visual = visual_config(state, heads, activation)
    has_text = any(name.startswith(("token_embedding", "transformer.")) for name in state)
    text = text_config(state, text_heads, activation) if has_text else None
    check_heads("--heads", visual.width, visual.heads)
    if text is not None:
        check_heads("--text-heads", text.width, text.heads)
    if known is not None:
        check_sizes(architecture, path, (visual, text), known)
    origin, file_hash = f"file {path.name}", weights_sha256(path)
    if text is None:
        tower = visual_from_state(state, visual)
        return Source(architecture, path.name, tower, None, file_hash, None, origin)
    clip = clip_from_state(state, visual, text)
    return Source(architecture, path.name, clip.visual, clip.text, file_hash, None, origin)


def check_heads(option: str, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise WeightsError(
            f"{heads} heads do not divide the tower's width {width}; give their number with {option}"
        )


def known_configs(architecture: str) -> tuple | None:  # type: ignore[type-arg]
    try:
        return open_clip_configs(architecture)
    except WeightsError:
        return None


def check_sizes(architecture: str, path: Path, found: tuple, expected: tuple) -> None:  # type: ignore[type-arg]
    """A file named after a model of open_clip has that model's sizes. Raises `WeightsError`."""
    for tower, mine, theirs in zip(("vision", "text"), found, expected, strict=True):
        if mine is not None and replace(mine, activation=theirs.activation) != theirs:
            differing = [k for k, v in vars(theirs).items() if k != "activation" and getattr(mine, k) != v]
            sizes = ", ".join(f"{k} {getattr(mine, k)} (expected {getattr(theirs, k)})" for k in differing)
            raise WeightsError(
                f"{path} is not {architecture}: its {tower} tower has {sizes}; name the right model"
            )


def with_activation(clip: CLIP, activation: str) -> CLIP:
    visual = replace(clip.visual.config, activation=activation)
    other = build(visual, replace(clip.text.config, activation=activation))
    other.load_state_dict(clip.state_dict())
    return other.eval()


def scaled(values: tuple[float, ...] | None, clip_values: tuple[float, ...]) -> tuple[float, ...]:
    """open_clip's 0..1 statistics on the 0..255 scale; CLIP's own in the digits that the literature uses."""
    if values is None or all(abs(255 * v - c) < 1e-2 for v, c in zip(values, clip_values, strict=True)):
        return clip_values
    return tuple(round(255 * value, 4) for value in values)


def digest(module: nn.Module) -> str:
    """SHA-256 over names, shapes and float32 contents of a module's weights."""
    total = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        total.update(f"{name} {list(value.shape)}\n".encode())
        total.update(value.float().contiguous().numpy().tobytes())
    return total.hexdigest()


@contextlib.contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Ask only the local cache where the hub cannot be reached: its client would retry for a minute, aloud."""
    from huggingface_hub import constants

    loggers = [logging.getLogger(name) for name in ("", "huggingface_hub")]
    levels, offline = [each.level for each in loggers], constants.HF_HUB_OFFLINE
    if not reachable(constants.ENDPOINT):
        logger.info("%s cannot be reached; looking for the weights in the local cache", constants.ENDPOINT)
        constants.HF_HUB_OFFLINE = True
    try:
        for each in loggers:
            each.setLevel(logging.CRITICAL)
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def reachable(url: str) -> bool:
    """A connection to the host can be opened, or is a proxy's business."""
    if any(os.environ.get(name) for name in _PROXIES):
        return True
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
