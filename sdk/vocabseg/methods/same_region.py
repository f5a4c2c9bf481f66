"""ResCLIP's semantic map: how much two patches belong to one region of a first segmentation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

STD = 5.0  # of the blur, in patches
LENGTH = 31  # of the blur at most


def same_region(
    labels: Tensor, grid: tuple[int, int], *, connected: bool = True, strict: bool = False
) -> Tensor:
    """S [B, N, N] of patch labels [B, N], largest value 1.

    1 for a pair of equal labels, exp(-distance / longest distance) (Chebyshev) if, with ``connected``, the straight
    line between them meets another label; rows blurred, and divided by their sums; all divided by the maximum.
    The official code tests only the first part of the line, as long as the distance is to the longest one, blurs
    along flattened patches, and rounds to half precision, in which the map stays; ``strict`` walks to the end,
    blurs in the plane and does not round.
    """
    same = (labels[:, :, None] == labels[:, None, :]).float()
    if connected:
        same = same * connection(labels, grid, whole=strict)
    blurred = (blur_in_plane(same, grid) if strict else blur_flattened(same)).relu()
    rows = blurred / (blurred.sum(-1, keepdim=True) + 1e-8)
    shared = rows / rows.amax((1, 2), keepdim=True).clamp(min=1e-8)
    return shared if strict else shared.half()


def connection(labels: Tensor, grid: tuple[int, int], whole: bool) -> Tensor:
    """1 where the line between two patches stays in one label, exp(-distance / longest) elsewhere: [B, N, N]."""
    steps, distance, longest = lines(grid)
    broken = torch.zeros(labels.shape[0], *distance.shape, dtype=torch.bool)
    for number, step in enumerate(steps):
        tested = torch.ones_like(distance, dtype=torch.bool) if whole else number <= distance
        broken = broken | (tested & (labels[:, step] != labels[:, :, None]))
    return torch.where(broken, torch.exp(-distance / max(longest, 1)), torch.ones_like(distance))


def lines(grid: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
    """Patches on the way from i to j at equal steps [steps, N, N], their Chebyshev distance [N, N], and the longest."""
    longest = max(grid) - 1
    position = torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1])).float()
    start, end = position[:, None], position[None]
    share = torch.linspace(0, 1, longest + 1)[:, None, None, None]
    way = (start * (1 - share) + end * share).round().long()  # halves fall as in the official code
    return way[..., 0] * grid[1] + way[..., 1], (end - start).abs().amax(-1), longest


def blur_flattened(rows: Tensor) -> Tensor:
    """A Gaussian along the last axis of [B, N, N], from the end of one grid row into the next; zeros outside."""
    length = min(rows.shape[-1], LENGTH)
    kernel = gaussian_kernel(length - (length + 1) % 2)
    blurred = F.conv1d(rows.flatten(0, 1).unsqueeze(1), kernel[None, None], padding=len(kernel) // 2)
    return blurred.squeeze(1).unflatten(0, rows.shape[:2])


def blur_in_plane(rows: Tensor, grid: tuple[int, int]) -> Tensor:
    """A Gaussian over the grid that the last axis of [B, N, N] is; zeros outside."""
    kernel = gaussian_kernel(LENGTH)
    planes = rows.flatten(0, 1).unflatten(1, grid).unsqueeze(1)
    planes = F.conv2d(planes, kernel[None, None, :, None], padding=(LENGTH // 2, 0))
    planes = F.conv2d(planes, kernel[None, None, None, :], padding=(0, LENGTH // 2))
    return planes.flatten(1).unflatten(0, rows.shape[:2])


def gaussian_kernel(length: int) -> Tensor:
    offset = torch.arange(length) - length // 2
    kernel = torch.exp(-(offset.float() ** 2) / (2 * STD**2))
    return kernel / kernel.sum()
