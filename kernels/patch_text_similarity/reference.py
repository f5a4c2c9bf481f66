"""Patch-text similarity: the specification, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def patch_text_similarity(
    features: NDArray[np.floating],
    text: NDArray[np.floating],
    *,
    normalize: bool = True,
    query_to_class: NDArray[np.integer] | None = None,
    classes: int = 0,
) -> NDArray[np.float64]:
    """Cosines [..., Q, N] of features [..., N, D] and unit text rows [Q, D].

    With ``normalize`` each feature row is divided by its length; a zero row gives 0, and a row that holds a
    NaN or an infinity gives NaN. Text rows are taken as they are. With ``query_to_class`` [Q] the result is
    [..., C, N], the maximum over the queries of each class: NaN loses to any number, and a class without
    queries has -infinity.
    """
    rows = np.asarray(features, np.float64)
    if normalize:
        length = np.sqrt((rows * rows).sum(-1, keepdims=True))
        with np.errstate(invalid="ignore"):
            rows = rows / np.where(length == 0, 1, length)
    with np.errstate(invalid="ignore"):
        cosines = np.asarray(text, np.float64) @ rows.swapaxes(-1, -2)
    if query_to_class is None:
        return cosines
    best = np.full((*cosines.shape[:-2], classes, cosines.shape[-1]), -np.inf)
    for index in np.unique(query_to_class):
        best[..., index, :] = np.fmax.reduce(cosines[..., query_to_class == index, :], axis=-2)
    return best


def top_classes(
    features: NDArray[np.floating],
    text: NDArray[np.floating],
    *,
    normalize: bool = True,
    query_to_class: NDArray[np.integer] | None = None,
    classes: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The best class of each patch [..., N], its cosine, and how far the second-best class is below.

    Ties go to the lower class; the margin is infinite where no other class has a number. A patch for which
    no class has one gets -1, NaN, NaN.
    """
    cosines = patch_text_similarity(
        features, text, normalize=normalize, query_to_class=query_to_class, classes=classes
    )
    cosines = np.where(np.isnan(cosines), -np.inf, cosines)
    label = cosines.argmax(-2)
    lowest = np.full((*cosines.shape[:-2], 1, cosines.shape[-1]), -np.inf)
    second, best = np.moveaxis(np.sort(np.concatenate([lowest, cosines], -2), axis=-2)[..., -2:, :], -2, 0)
    none = best == -np.inf
    with np.errstate(invalid="ignore"):
        margin = best - second
    return np.where(none, -1, label), np.where(none, np.nan, best), np.where(none, np.nan, margin)
