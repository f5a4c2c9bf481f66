"""ResCLIP's semantic feedback, written plainly: PAMR on gathered neighbours, and the walk with all its steps in memory."""

from __future__ import annotations

import torch
import torch.nn.functional as F

Tensor = torch.Tensor
PATCH = 16


def patch_labels(maps: Tensor, image: Tensor) -> Tensor:
    """Score maps [1, Q, h, w] of the first pass, refined by the window, to the label of each patch, [h, w]."""
    scores = pamr(F.interpolate(maps, size=image.shape[2:], mode="bilinear"), image)
    best, labels = (40 * scores).softmax(1)[0].max(0)
    labels[best < 0.1] = 0
    found = torch.zeros(maps.shape[2:], dtype=torch.long)
    for row in range(found.shape[0]):
        for column in range(found.shape[1]):
            patch = labels[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
            found[row, column] = patch.flatten().mode().values
    return found


def pamr(scores: Tensor, image: Tensor) -> Tensor:
    around, both = gathered(image), gathered(image, centre=True)
    std = both.std(2, keepdim=True)
    weights = (-(image.unsqueeze(2) - around).abs() / (1e-8 + 0.1 * std)).mean(1, keepdim=True).softmax(2)
    for _ in range(10):
        scores = (gathered(scores) * weights).sum(2)
    return scores


def gathered(maps: Tensor, centre: bool = False) -> Tensor:
    """[1, K, H, W] -> [1, K, neighbours, H, W]: a dilated convolution with one 1 in each kernel."""
    kernels = torch.eye(9).reshape(9, 1, 3, 3)
    if not centre:
        kernels = kernels[[0, 1, 2, 3, 5, 6, 7, 8]]
    planes = maps.transpose(0, 1)
    parts = [
        F.conv2d(F.pad(planes, [dilation] * 4, mode="replicate"), kernels, dilation=dilation)
        for dilation in (8, 16)
    ]
    return torch.cat(parts, 1)[None]


def feedback_map(labels: Tensor) -> Tensor:
    """How much two patches share a region of the labels [h, w]: half precision, class token's row and column 0."""
    height, width = labels.shape
    flat = labels.flatten()
    same = (flat[:, None] == flat[None]).float()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack([rows.flatten(), columns.flatten()], 1).float()
    distance = (position[:, None] - position[None]).abs().amax(-1)
    longest = int(distance.max())
    share = torch.linspace(0, 1, longest + 1)
    steps = position[:, None, None] * (1 - share)[:, None] + position[None, :, None] * share[:, None]
    steps = steps.round().long()
    other = labels[steps[..., 0], steps[..., 1]] != flat[:, None, None]
    other &= torch.arange(longest + 1) <= distance[..., None]
    broken = other.any(-1)
    same[broken] *= torch.exp(-distance / longest)[broken]
    blurred = blur(same).relu()
    shared = blurred / (blurred.sum(-1, keepdim=True) + 1e-8)
    return F.pad(shared / shared.max(), (1, 0, 1, 0)).half()


def blur(rows: Tensor) -> Tensor:
    """A Gaussian along flattened patches."""
    length = min(len(rows), 31)
    length -= 1 - length % 2
    offset = torch.arange(length) - length // 2
    kernel = torch.exp(-(offset.float() ** 2) / 50)
    return F.conv1d(rows[:, None], (kernel / kernel.sum())[None, None], padding=length // 2)[:, 0]


def naclip_bias(grid: tuple[int, int]) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    position = torch.stack([rows.flatten(), columns.flatten()], 1).float()
    square = ((position[:, None] - position[None]) ** 2).sum(-1)
    return F.pad(torch.exp(-square / 50), (1, 0, 1, 0))
