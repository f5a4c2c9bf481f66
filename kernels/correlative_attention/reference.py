"""Correlative attention: the specification, in float64 with every matrix of weights in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def correlative_attention(
    q: NDArray[np.floating],
    k: NDArray[np.floating],
    v: NDArray[np.floating],
    terms: Sequence[str] = ("qq", "kk"),
    *,
    mean: bool = False,
    scale: float | None = None,
    bias: NDArray[np.floating] | None = None,
    gaussian: tuple[float, tuple[int, int]] | None = None,
) -> NDArray[np.float64]:
    """Sum or mean over terms ab of softmax(scale * a bᵀ + bias) v, for q, k, v [B, h, N, d].

    ``scale`` None is 1 / √d. ``bias`` is broadcast to [B, h, N, N]. ``gaussian`` (std, (gh, gw)) is added too:
    see ``gaussian_bias``. A row whose scores are all -infinity gives zeros.
    """
    tokens = {"q": np.asarray(q, np.float64), "k": np.asarray(k, np.float64), "v": np.asarray(v, np.float64)}
    count, d = q.shape[-2:]
    added = np.zeros((count, count)) if gaussian is None else gaussian_bias(*gaussian, count)
    if bias is not None:
        added = added + np.asarray(bias, np.float64)
    total = np.zeros(q.shape)
    with np.errstate(invalid="ignore"):
        for term in terms:
            products = tokens[term[0]] @ tokens[term[1]].swapaxes(-1, -2)
            scores = products * (d**-0.5 if scale is None else scale)
            total += softmax(scores + added) @ tokens["v"]
    return total / len(terms) if mean else total


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis; zeros where every score is -infinity."""
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(largest == -np.inf, 0, largest))
    sums = weights.sum(-1, keepdims=True)
    return weights / np.where(sums == 0, 1, sums)


def gaussian_bias(std: float, grid: tuple[int, int], count: int) -> NDArray[np.float64]:
    """NACLIP's ω [N, N]: exp(-((i - m)² + (j - n)²) / (2 std²)) for patches (i, j) and (m, n) of a grid.

    Row and column of a class token, the first of N = gh · gw + 1, are 0.
    """
    i, j = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    distance = (i[:, None] - i) ** 2 + (j[:, None] - j) ** 2
    first = count - len(i)
    bias = np.zeros((count, count))
    bias[first:, first:] = np.exp(-distance / (2 * std**2))
    return bias
