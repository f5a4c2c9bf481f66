"""Every resize between patch grids and output pixels, as one matrix per image axis (see ../README.md), for the GPU.

The specification's own resize is applied to an identity, so the weights are the specification's by construction.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .upsample import Interpolation, resize_axis
from .window_plan import WindowPlan

Matrix = NDArray[np.float64]

# Weights that composing leaves behind by rounding, where the exact value is 0.
_NOISE = 1e-9


@lru_cache(maxsize=8)
def axis_matrices(
    plan: WindowPlan, size: tuple[int, int], interpolation: Interpolation = "bilinear"
) -> tuple[Matrix, Matrix]:
    """Weights [output length, windows along the axis * grid] of rows and of columns."""
    rows = (plan.net_h, plan.window_h, plan.padded_h, plan.pad_top, plan.ys, plan.grid_h)
    cols = (plan.net_w, plan.window_w, plan.padded_w, plan.pad_left, plan.xs, plan.grid_w)
    return _axis(*rows, size[0], interpolation), _axis(*cols, size[1], interpolation)


def _axis(
    net: int,
    window: int,
    padded: int,
    pad: int,
    starts: tuple[int, ...],
    grid: int,
    length: int,
    interpolation: Interpolation,
) -> Matrix:
    """Output pixels as sums of patches; pixels of the resized frame are the mean over the windows on them."""
    placed = resize_axis(np.eye(grid), padded, 0, interpolation)[pad : pad + window]
    weights = np.zeros((net, len(starts) * grid))
    covering = np.zeros((net, 1))
    for i, start in enumerate(starts):
        weights[start : start + window, i * grid : (i + 1) * grid] = placed
        covering[start : start + window] += 1
    resized = resize_axis(weights / covering, length, 0, interpolation)
    return np.where(resized < _NOISE, 0.0, resized)


def taps(weights: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Patch indices and weights [output length, taps] of a matrix, each row padded with weights of zero."""
    count = int((weights > 0).sum(1).max())
    index = np.argsort(weights == 0, axis=1, kind="stable")[:, :count]
    return index, np.take_along_axis(weights, index, 1).astype(np.float32)


def spans(weights: Matrix) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each patch the first pixel it reaches, and the weights [patches, longest span] from there on."""
    reached = weights > 0
    first = reached.argmax(0)
    last = len(weights) - reached[::-1].argmax(0)
    index = first[:, None] + np.arange(int(np.max(last - first, where=reached.any(0), initial=1)))
    inside = index < len(weights)
    values = weights[np.minimum(index, len(weights) - 1), np.arange(weights.shape[1])[:, None]]
    return first.astype(np.int32), np.where(inside, values, 0).astype(np.float32)


def upload(array: NDArray, device: torch.device) -> torch.Tensor:
    """A contiguous copy of ``array`` on ``device``."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
