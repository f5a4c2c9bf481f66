"""Patch-text similarity: the specification, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def patch_text_similarity(
    features: NDArray[np.floating], text: NDArray[np.floating], *, normalize: bool = True
) -> NDArray[np.float64]:
    """Cosines [..., Q, N] of features [..., N, D] and unit text rows [Q, D].

    With ``normalize`` each feature row is divided by its length; a zero row gives 0, and a row that holds a
    NaN or an infinity gives NaN. Text rows are taken as they are.
    """
    rows = np.asarray(features, np.float64)
    if normalize:
        length = np.sqrt((rows * rows).sum(-1, keepdims=True))
        with np.errstate(invalid="ignore"):
            rows = rows / np.where(length == 0, 1, length)
    with np.errstate(invalid="ignore"):
        return np.asarray(text, np.float64) @ rows.swapaxes(-1, -2)
