"""Cosines of patches and words."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from .arrays import floats
from .exchange import Given
from .registry import run


def patch_text_similarity(
    features: Any, text: Any, *, normalize: bool = True, impl: str = "auto", threads: int | None = None
) -> Any:
    """Cosines of patch features [N, D] or [B, N, D] and text rows [Q, D]: [Q, N] or [B, Q, N].

    ``normalize`` divides each feature row by its length: a zero row gives 0, one with NaN or infinity gives
    NaN. Text rows are taken as they are. Raises ``ShapeError`` where shapes or dtypes do not fit.
    """
    given = Given(features, text)
    features, text = given.arrays
    features, text = floats(features, "features", 2, 3), floats(text, "text", 2)
    if features.shape[-1] != text.shape[1] or 0 in text.shape:
        raise ShapeError(
            f"got features {list(features.shape)} and text {list(text.shape)}, "
            "expected [..., N, D] and [Q, D] with the same D and at least one query"
        )
    batch = features if features.ndim == 3 else features[None]
    scores = run(
        "patch_text_similarity", impl, given.device, batch, text, normalize=normalize, threads=threads
    )
    return given.back(scores if features.ndim == 3 else scores[0])
