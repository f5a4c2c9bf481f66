"""State dicts in: files, layouts, and the sizes that can be read off a layout."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import WeightsError
from .config import TextConfig, VisualConfig

StateDict = dict[str, Tensor]

# OpenAI's checkpoints carry these sizes as entries beside the weights.
_SIZES = ("input_resolution", "context_length", "vocab_size")
_BLOCK = "transformer.resblocks."
# Only towers of other architectures have these.
_FOREIGN = ("attn_pool", "ls_1", "attn.ln", "trunk.", "layer1.")


def read_state_dict(path: str | Path) -> StateDict:
    """Read a ``.safetensors`` or ``.pt`` file into float32 tensors named as OpenAI names them.

    Pickles are read with ``weights_only=True``. Wrappers (``state_dict``, ``module.``, open_clip's ``text.``)
    are taken off.

    Raises:
        WeightsError: the file is missing, cannot be read, or holds no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights file at {path}; give a .safetensors or .pt file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"cannot read weights from {path}: {str(error).splitlines()[0]}; expected .safetensors, or a .pt file "
            "of plain tensors (a TorchScript archive is converted with "
            "torch.save(torch.jit.load(path).state_dict(), 'plain.pt'))"
        ) from error
    except Exception as error:
        raise WeightsError(
            f"cannot read weights from {path}: {error}; expected .safetensors or .pt"
        ) from error
    return normalize_names(state, path)


def normalize_names(state: object, path: Path) -> StateDict:
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping):
        raise WeightsError(f"{path} holds a {type(state).__name__}, expected a state dict")
    out = {}
    for name, value in state.items():
        if not isinstance(value, Tensor) or name in _SIZES:
            continue
        name = name.removeprefix("module.")
        if not name.startswith("text_projection"):
            name = name.removeprefix("text.")
        if not name.endswith("attn_mask"):
            out[name] = value.float() if value.is_floating_point() else value
    if not out:
        raise WeightsError(f"{path} holds no tensors")
    return out


def visual_config(
    state: StateDict, heads: int | None = None, activation: str = "quick_gelu", eps: float = 1e-5
) -> VisualConfig:
    """Sizes of the vision tower of a state dict; ``heads`` defaults to CLIP's one head per 64 channels."""
    reject_foreign(name for name in state if name.startswith("visual."))
    width, _, patch_size, _ = shape(state, "visual.conv1.weight", 4)
    tokens, _ = shape(state, "visual.positional_embedding", 2)
    grid = int((tokens - 1) ** 0.5)
    if grid * grid != tokens - 1:
        raise WeightsError(f"visual.positional_embedding has {tokens} rows, expected 1 + a square number")
    _, embed_dim = shape(state, "visual.proj", 2)
    mlp_width, _ = shape(state, f"visual.{_BLOCK}0.mlp.c_fc.weight", 2)
    layers = count_blocks(state, f"visual.{_BLOCK}")
    return VisualConfig(
        width, layers, heads or max(width // 64, 1), patch_size, grid, embed_dim, mlp_width, activation, eps
    )


def text_config(
    state: StateDict, heads: int | None = None, activation: str = "quick_gelu", eps: float = 1e-5
) -> TextConfig:
    """Sizes of the text tower of a state dict; ``heads`` defaults to CLIP's one head per 64 channels."""
    reject_foreign(name for name in state if not name.startswith("visual."))
    vocab_size, width = shape(state, "token_embedding.weight", 2)
    context_length, _ = shape(state, "positional_embedding", 2)
    _, embed_dim = shape(state, "text_projection", 2)
    mlp_width, _ = shape(state, f"{_BLOCK}0.mlp.c_fc.weight", 2)
    layers = count_blocks(state, _BLOCK)
    return TextConfig(
        width,
        layers,
        heads or max(width // 64, 1),
        context_length,
        vocab_size,
        embed_dim,
        mlp_width,
        activation,
        eps,
    )


def reject_foreign(names: Iterable[str]) -> None:
    for name in names:
        if any(part in name for part in _FOREIGN):
            raise WeightsError(
                f"found {name!r}: not a plain CLIP vision transformer; vocabseg reads the ViT models of OpenAI CLIP "
                "and open_clip (ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336, ViT-H-14, ...)"
            )


def shape(state: StateDict, name: str, dims: int) -> tuple[int, ...]:
    if name not in state:
        near = ", ".join(sorted(state)[:3])
        raise WeightsError(
            f"state dict has no {name!r} (it has {near}, ...); expected OpenAI's CLIP ViT layout"
        )
    if state[name].dim() != dims:
        raise WeightsError(f"{name!r} has shape {tuple(state[name].shape)}, expected {dims} dimensions")
    return tuple(state[name].shape)


def count_blocks(state: StateDict, prefix: str) -> int:
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})
