"""Towers from files, from open_clip, or from a random seed."""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from ..errors import OfflineError, WeightsError
from .config import TextConfig, VisualConfig
from .model import CLIP
from .text import TextTransformer
from .transformer import ACTIVATIONS
from .visual import VisualTransformer
from .weights import read_state_dict, text_config, visual_config

# Keys of open_clip's tower configurations that leave the architecture a plain CLIP ViT.
_PLAIN_VISUAL = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "patch_dropout"}
_PLAIN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_PLAIN_MODEL = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"}


def load_visual(
    path: str | Path, activation: str = "quick_gelu", eps: float = 1e-5, heads: int | None = None
) -> VisualTransformer:
    """The vision tower of a state dict on disk, in float32 and evaluation mode.

    Args:
        path: ``.safetensors`` or ``.pt`` with OpenAI's names (``visual.*``).
        activation: ``quick_gelu`` (OpenAI's weights) or ``gelu``.
        eps: of every layer normalisation.
        heads: attention heads; one per 64 channels if not given.

    Raises:
        WeightsError: the file or its layout is not one that vocabseg reads.
    """
    check_activation(activation)
    state = read_state_dict(path)
    return visual_from_state(state, visual_config(state, heads, activation, eps))


def load_clip(
    path: str | Path,
    activation: str = "quick_gelu",
    eps: float = 1e-5,
    visual_heads: int | None = None,
    text_heads: int | None = None,
) -> CLIP:
    """Both towers of a state dict on disk; arguments and errors as ``load_visual``."""
    check_activation(activation)
    state = read_state_dict(path)
    visual = visual_config(state, visual_heads, activation, eps)
    text = text_config(state, text_heads, activation, eps)
    return clip_from_state(state, visual, text)


def from_open_clip(name: str, pretrained: str) -> CLIP:
    """A model of open_clip by name and tag, downloaded by open_clip where it is not in its cache.

    Raises:
        WeightsError: no such model or tag, or not a plain ViT.
        OfflineError: the weights hub cannot be reached.
    """
    import open_clip

    visual, text = open_clip_configs(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained not in tags:
        known = ", ".join(tags) or "none"
        raise WeightsError(f"open_clip has no weights {pretrained!r} for {name}; known tags: {known}")
    try:
        model = open_clip.create_model(name, pretrained=pretrained)
    except Exception as error:
        raise OfflineError(
            f"cannot get {name} ({pretrained}) from the weights hub: {first_line(error)}. Without a network: "
            "--pretrained FILE.safetensors or FILE.pt with the weights copied to this machine, or --pretrained none "
            "for random weights (latency only)"
        ) from error
    activation = "quick_gelu" if uses_quick_gelu(model) else "gelu"
    state = {
        k.removeprefix("text.") if k.startswith("text.") else k: v for k, v in model.state_dict().items()
    }
    visual, text = replace(visual, activation=activation), replace(text, activation=activation)
    return clip_from_state(
        {k: v.float() for k, v in state.items() if not k.endswith("attn_mask")}, visual, text
    )


def open_clip_configs(name: str) -> tuple[VisualConfig, TextConfig]:
    """Sizes of a model in open_clip's list, or WeightsError where it is not a plain CLIP ViT."""
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        vits = ", ".join(m for m in open_clip.list_models() if m.startswith("ViT-") and m.count("-") <= 3)
        raise WeightsError(f"open_clip has no model {name!r}; plain ViTs it knows: {vits}")
    vision, text = config["vision_cfg"], config["text_cfg"]
    odd = (set(config) - _PLAIN_MODEL) | (set(vision) - _PLAIN_VISUAL) | (set(text) - _PLAIN_TEXT)
    if odd or not isinstance(vision["layers"], int):
        raise WeightsError(
            f"{name} is not a plain CLIP ViT (it sets {', '.join(sorted(odd)) or 'ResNet stages'}); "
            "try ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336 or ViT-H-14"
        )
    activation = "quick_gelu" if config.get("quick_gelu") else "gelu"
    return vision_config(vision, config["embed_dim"], activation), language_config(
        text, config["embed_dim"], activation
    )


def vision_config(config: dict, embed_dim: int, activation: str) -> VisualConfig:
    width, patch = config["width"], config["patch_size"]
    heads = width // config.get("head_width", 64)
    mlp_width = int(width * config.get("mlp_ratio", 4.0))
    return VisualConfig(
        width, config["layers"], heads, patch, config["image_size"] // patch, embed_dim, mlp_width, activation
    )


def language_config(config: dict, embed_dim: int, activation: str) -> TextConfig:
    width = config["width"]
    mlp_width = int(width * config.get("mlp_ratio", 4.0))
    return TextConfig(
        width,
        config["layers"],
        config["heads"],
        config.get("context_length", 77),
        config.get("vocab_size", 49408),
        embed_dim,
        mlp_width,
        activation,
    )


def build(visual: VisualConfig, text: TextConfig) -> CLIP:
    return CLIP(VisualTransformer(visual), TextTransformer(text))


def clip_from_state(state: dict[str, Tensor], visual: VisualConfig, text: TextConfig) -> CLIP:
    model = build(visual, text)
    fill(model.visual, {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")})
    rest = {k: v for k, v in state.items() if not k.startswith("visual.")}
    logit_scale = rest.pop("logit_scale", None)
    rest.pop("logit_bias", None)
    fill(model.text, rest)
    if logit_scale is not None:
        model.logit_scale.data.copy_(logit_scale)
    return model.eval()


def visual_from_state(state: dict[str, Tensor], config: VisualConfig) -> VisualTransformer:
    visual = VisualTransformer(config)
    fill(visual, {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")})
    return visual.eval()


def fill(module: nn.Module, state: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:4]]
        raise WeightsError(f"weights do not fit {type(module).__name__}: {' '.join(lines)}") from error


def weights_sha256(path: str | Path) -> str:
    """SHA-256 of a weights file, as hexadecimal digits."""
    with Path(path).open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_activation(activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise WeightsError(f"activation {activation!r} is not known; one of {', '.join(ACTIVATIONS)}")


def uses_quick_gelu(model: nn.Module) -> bool:
    return any(type(module).__name__ == "QuickGELU" for module in model.modules())


def first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return textwrap.shorten(line, 200, placeholder=" …")
