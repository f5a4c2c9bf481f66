"""Optimisers and schedule: Muon for the blocks' matrices, AdamW for everything else."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..clip import CLIP
from .recipe import Recipe


class Optimizer:
    """Both optimisers behind one `step`, with linear warm-up and a cosine to zero."""

    def __init__(self, model: CLIP, recipe: Recipe) -> None:
        self.recipe = recipe
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        plain: list[Tensor] = []
        for name, parameter in model.named_parameters():
            if name == "logit_scale":
                continue
            if parameter.ndim < 2:
                plain.append(parameter)
            else:
                (matrices if ".resblocks." in name else others).append(parameter)
        self.parameters = list(model.parameters())
        adamw = torch.optim.AdamW(
            [
                {"params": others, "weight_decay": recipe.weight_decay},
                {"params": plain, "weight_decay": 0.0},
                {"params": [model.logit_scale], "weight_decay": 0.0, "lr": recipe.scale_rate},
            ],
            lr=recipe.rate,
            betas=(0.9, 0.98),
            eps=1e-6,
        )
        muon = torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=0.01)
        self.parts: list[torch.optim.Optimizer] = [adamw, muon]
        self.rates = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def step(self, index: int) -> None:
        """Apply and clear the gradients with the learning rate of step `index`."""
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        factor = schedule(index / self.recipe.steps, self.recipe.warm_up)
        for part, rates in zip(self.parts, self.rates, strict=True):
            for group, rate in zip(part.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def schedule(share: float, warm_up: float) -> float:
    """Learning-rate factor after a share of the run: up from 0 over `warm_up`, then a cosine down to 0."""
    return min(1.0, (share + 1e-4) / warm_up) * (0.5 + 0.5 * math.cos(math.pi * min(share, 1.0)))
