"""Checkpoints of a run, and the finished weights in OpenAI's layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..clip import CLIP


def openai_state_dict(model: CLIP, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """Weights named as OpenAI names them: `visual.*`, and the text tower without a prefix."""
    return {
        name.removeprefix("text."): value.detach().to(dtype).contiguous()
        for name, value in model.state_dict().items()
    }


def save_weights(model: CLIP, path: Path) -> None:
    """Write fp16 `.safetensors` in OpenAI's layout; readable by `clip.load_clip`."""
    from safetensors.torch import save_file

    write_then_rename(path, lambda temporary: save_file(openai_state_dict(model), temporary))


def save_checkpoint(path: Path, state: dict) -> None:
    """Write a checkpoint so that a reader sees the old one or the new one, never a part."""
    write_then_rename(path, lambda temporary: torch.save(state, temporary))


def load_checkpoint(path: Path) -> dict | None:
    """The checkpoint at `path`, or None where there is none."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def write_then_rename(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary name beside `path`, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    write(temporary)
    os.replace(temporary, path)
