"""Label decoding: the specification, in float64, with every array at full resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..common.upsample import Interpolation, upsample_windows
from ..common.window_plan import WindowPlan

Array = NDArray[np.float64]


def upsample_scores(
    scores: NDArray[np.floating],
    plan: WindowPlan,
    size: tuple[int, int],
    interpolation: Interpolation = "bilinear",
) -> Array:
    """Scores [W, Q, gh, gw] of all windows to pixels [Q, H, W_out] of an output of ``size``."""
    return upsample_windows(scores, plan, size, interpolation)


def decode_labels(
    scores: NDArray[np.floating],
    plan: WindowPlan,
    size: tuple[int, int],
    *,
    query_to_class: NDArray[np.integer],
    classes: int,
    class_enabled: NDArray[np.bool_] | None = None,
    logit_scale: float = 1.0,
    threshold: float = 0.0,
    unlabeled: int = 255,
    interpolation: Interpolation = "bilinear",
) -> tuple[NDArray[np.int64], Array]:
    """Labels [H, W_out] and the probability of each pixel's best class, of scores [W, Q, gh, gw].

    1. Up-sample, average overlapping windows, resize to ``size``.
    2. Softmax over queries of ``logit_scale`` times the score; NaN and -infinity count as probability 0.
    3. The score of a class is the maximum over its queries; classes that are not enabled never win.
    4. The largest wins, ties go to the lower class. Pixels without a winner, and those whose winner has a
       probability under ``threshold``, get ``unlabeled``.
    """
    pixels = upsample_scores(scores, plan, size, interpolation)
    pixels = np.where(np.isnan(pixels), -np.inf, pixels)
    best = _class_maximum(pixels, query_to_class, classes)
    if class_enabled is not None:
        best[~np.asarray(class_enabled, bool)] = -np.inf
    labels = best.argmax(0)
    winner = best.max(0)
    probability = _softmax_of(winner, pixels, logit_scale)
    labelled = (winner > -np.inf) & (probability >= threshold)
    return np.where(labelled, labels, unlabeled), probability


def vote_regions(
    labels: NDArray[np.integer],
    scores: NDArray[np.floating],
    regions: NDArray[np.integer],
    *,
    classes: int,
    unlabeled: int = 255,
) -> tuple[NDArray[np.int64], Array]:
    """One label per region: labels [H, W] and the share of the region's pixels that voted for it.

    Each pixel of a region (an id of 0 or more) votes for its class, unless it has none; most votes win, ties
    go to the lower class. A region without votes gets ``unlabeled`` and 0. Pixels of negative id keep what
    they have.
    """
    voted, share = np.array(labels, np.int64), np.array(scores, np.float64)
    for region in np.unique(regions[regions >= 0]):
        inside = regions == region
        votes = np.bincount(labels[inside], minlength=classes)[:classes]
        share[inside] = votes.max() / inside.sum()
        voted[inside] = votes.argmax() if votes.any() else unlabeled
    return voted, share


def _class_maximum(pixels: Array, query_to_class: NDArray[np.integer], classes: int) -> Array:
    best = np.full((classes, *pixels.shape[1:]), -np.inf)
    np.maximum.at(best, np.asarray(query_to_class), pixels)
    return best


def _softmax_of(winner: Array, pixels: Array, logit_scale: float) -> Array:
    """Softmax over queries at the winner's score; infinity minus infinity counts as 0."""
    peak = pixels.max(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(pixels == peak, 1, np.exp(logit_scale * (pixels - peak)))
        terms = np.where(pixels == -np.inf, 0, terms)
        top = np.where(winner == peak, 1, np.exp(logit_scale * (winner - peak)))
        return np.where(winner == -np.inf, 0, top / terms.sum(0))
