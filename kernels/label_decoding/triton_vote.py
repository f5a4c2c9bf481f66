"""One label per region, from the labels of its pixels, on a GPU."""

from __future__ import annotations

import torch


def vote_regions(
    labels: torch.Tensor, best: torch.Tensor, regions: torch.Tensor, classes: int, unlabeled: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """One label per region: most votes win, ties go to the lower class; pixels of negative id keep theirs."""
    region, label = regions.flatten().long(), labels.flatten().long()
    inside = region >= 0
    if not bool(inside.any()):
        return labels, best
    pixels = torch.bincount(region[inside])
    ballots, votes = torch.unique((region * classes + label)[inside & (label < classes)], return_counts=True)
    voted_in, voted_for = ballots // classes, ballots % classes
    most = torch.zeros_like(pixels).scatter_reduce(0, voted_in, votes, "amax")
    leading = votes == most[voted_in]
    winner = torch.full_like(pixels, classes).scatter_reduce(0, voted_in[leading], voted_for[leading], "amin")
    winner = torch.where(most > 0, winner, unlabeled)
    share = most.float() / pixels.clamp(min=1)
    at = region.clamp(min=0)
    new_labels = torch.where(inside, winner[at], label).to(labels.dtype).reshape(labels.shape)
    if best.shape == labels.shape:
        best = torch.where(inside, share[at], best.flatten()).reshape(best.shape)
    return new_labels, best
