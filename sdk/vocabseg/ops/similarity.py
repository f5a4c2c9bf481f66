"""Cosines of patches and words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .arrays import floats, integers
from .exchange import Given
from .registry import run


def patch_text_similarity(
    features: Any,
    text: Any,
    *,
    normalize: bool = True,
    query_to_class: Any = None,
    classes: int | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> Any:
    """Cosines of patch features [N, D] or [B, N, D] and text rows [Q, D]: float32 [Q, N] or [B, Q, N].

    Args:
        features: float32, float16, bfloat16 or float64; sums are float32.
        normalize: divide each feature row by its length: a zero row gives 0, one with NaN or infinity gives
            NaN. Text rows are taken as they are.
        query_to_class: integers [Q]: the maximum over the queries of each class instead, [C, N] or [B, C, N].
            NaN loses to any number, and a class without queries has -infinity.
        classes: C; None: the largest class plus one.

    Raises:
        ShapeError: shapes or dtypes do not fit, a class is negative or not below ``classes``.
    """
    given, arguments, settings = _parse(features, text, normalize, query_to_class, classes, threads)
    scores = run("patch_text_similarity", impl, given.device, *arguments, **settings)
    return given.back(scores if given.arrays[0].ndim == 3 else scores[0])


def top_classes(
    features: Any,
    text: Any,
    *,
    normalize: bool = True,
    query_to_class: Any = None,
    classes: int | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> tuple[Any, Any, Any]:
    """The best class of each patch, without its scores in memory; arguments as ``patch_text_similarity``.

    Without ``query_to_class`` every query is a class of its own.

    Returns:
        label int32, score (the cosine of the best class) and margin (how far the second-best class is below)
        float32, each [N] or [B, N]. Ties go to the lower class, and the margin is infinite where no other
        class has a number. A patch for which no class has one, such as one with NaN, gets -1, NaN, NaN.
    """
    given, arguments, settings = _parse(features, text, normalize, query_to_class, classes, threads)
    results = run("top_classes", impl, given.device, *arguments, **settings)
    return given.back(results if given.arrays[0].ndim == 3 else tuple(result[0] for result in results))


def _parse(
    features: Any,
    text: Any,
    normalize: bool,
    query_to_class: Any,
    classes: int | None,
    threads: int | None,
) -> tuple[Given, tuple[Any, Any], dict[str, Any]]:
    """The checked arguments: features [B, N, D] and text, and the settings of an implementation."""
    given = Given(features, text)
    features, text = given.arrays
    features, text = floats(features, "features", 2, 3), floats(text, "text", 2)
    if features.shape[-1] != text.shape[1] or 0 in text.shape:
        raise ShapeError(
            f"got features {list(features.shape)} and text {list(text.shape)}, "
            "expected [..., N, D] and [Q, D] with the same D and at least one query"
        )
    query_to_class, classes = _classes(query_to_class, classes, text.shape[0])
    settings = {
        "normalize": normalize,
        "query_to_class": query_to_class,
        "classes": classes,
        "threads": threads,
    }
    return given, (features if features.ndim == 3 else features[None], text), settings


def _classes(query_to_class: Any, classes: int | None, queries: int) -> tuple[NDArray[np.int32] | None, int]:
    if query_to_class is None:
        if classes is not None:
            raise ShapeError("classes was given without query_to_class, which says what is in a class")
        return None, 0
    of_query = integers(query_to_class, "query_to_class", (queries,))
    count = int(of_query.max()) + 1 if classes is None else int(classes)
    if of_query.min() < 0 or of_query.max() >= count or count > 1 << 24:
        raise ShapeError(
            f"got classes {of_query.min()} to {of_query.max()}, expected 0 to {count - 1}, at most {1 << 24}"
        )
    return of_query.astype(np.int32), count
