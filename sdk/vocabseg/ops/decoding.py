"""Labels from patch scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError, ShapeError
from ..kernels.common.upsample import Interpolation
from ..kernels.common.window_plan import WindowPlan
from .arrays import FloatArray, check_plan, floats, integers, plan_of_grid, size_pair
from .exchange import Given, dtype_name, signed
from .registry import run

MAX_REGIONS = 1 << 20


def decode_labels(
    scores: Any,
    size: Sequence[int] | None = None,
    *,
    query_to_class: Any = None,
    classes: int | None = None,
    class_enabled: Any = None,
    area_threshold: float | None = None,
    logit_scale: float = 1.0,
    threshold: float = 0.0,
    unlabeled: int | None = None,
    return_scores: bool = False,
    plan: WindowPlan | None = None,
    interpolation: Interpolation = "bilinear",
    regions: Any = None,
    impl: str = "auto",
    threads: int | None = None,
) -> Any:
    """Labels [H, W] of scores [Q, h, w], or of [W, Q, h, w] with a window plan.

    Scores are up-sampled (overlapping windows averaged). The probability of a class is the maximum
    over its queries of softmax over all queries of ``logit_scale * score``; the largest wins, ties go to the
    lower class. NaN never wins.

    Args:
        size: (H, W) of the labels; None: the plan's source.
        query_to_class: class of each query, int [Q]; None: one class per query.
        classes: number of classes; None: the largest of ``query_to_class`` plus one.
        class_enabled: bool [C]; the other classes never win, but stay in the softmax.
        area_threshold: disable classes that win no more than this share of the pixels of all classes, and
            decode again (SCLIP). The class whose index is ``unlabeled`` is background: it is neither counted
            nor disabled.
        threshold: pixels whose best class has a lower probability are unlabelled.
        unlabeled: value of pixels without a label; None: 255, or 65535 with more than 255 classes.
        return_scores: also return the probability of each pixel's best class.
        interpolation: how every resize of the plan samples, named as in torch's ``interpolate``: "bilinear"
            (``align_corners=False``), "align_corners" (bilinear, ``align_corners=True``) or "nearest".
        regions: label map, integers [H, W]. Each region (an id of 0 or more, less than 2^20) gets the class
            that most of its pixels have, ties to the lower class, and as score the share of its pixels that
            have it; pixels without a class do not vote, and a region without votes is unlabelled, with score
            0. Pixels of negative id keep their own. ``area_threshold`` counts pixels before this vote.

    Returns:
        labels, uint8 or (more than 255 classes) uint16 [H, W]; with ``return_scores`` also float32 [H, W].

    Raises:
        ShapeError: arguments do not fit together.
        MaskError: ``regions`` are not integers [H, W] below 2^20.
    """
    given = Given(scores, regions)
    scores, plan, size = _windows(given.arrays[0], size, plan)
    regions = _regions(given.arrays[1], size)
    _check_interpolation(interpolation)
    mapping, classes = _classes(query_to_class, classes, scores.shape[1])
    unlabeled = (255 if classes <= 255 else 65535) if unlabeled is None else int(unlabeled)
    _check_settings(classes, logit_scale, threshold, unlabeled)
    if class_enabled is not None:
        class_enabled = np.asarray(class_enabled, bool)
        if class_enabled.shape != (classes,):
            raise ShapeError(f"got class_enabled {list(class_enabled.shape)}, expected [{classes}]")

    def decode(
        enabled: NDArray[np.bool_] | None, threshold: float, regions: Any, return_scores: bool
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        settings = {"query_to_class": mapping, "classes": classes, "class_enabled": enabled}
        settings |= {"logit_scale": logit_scale, "threshold": threshold, "unlabeled": unlabeled}
        settings |= {"interpolation": interpolation, "regions": regions, "return_scores": return_scores}
        return run("decode_labels", impl, given.device, scores, plan, size, **settings, threads=threads)

    if area_threshold is not None:
        labels, _ = decode(class_enabled, 0.0, None, False)
        large = _large_enough(labels, classes, unlabeled, area_threshold)
        class_enabled = large if class_enabled is None else class_enabled & large
    labels, best = decode(class_enabled, threshold, regions, return_scores)
    return given.back((labels, best) if return_scores else labels)


def upsample_scores(
    scores: Any,
    size: Sequence[int] | None = None,
    *,
    plan: WindowPlan | None = None,
    interpolation: Interpolation = "bilinear",
    impl: str = "auto",
    threads: int | None = None,
) -> FloatArray:
    """Scores [Q, H, W] at full resolution of [Q, h, w], or of [W, Q, h, w] with a window plan.

    What ``decode_labels`` compares, for post-steps that need pixels. Q * H * W floats: labels alone never
    need it.
    """
    given = Given(scores)
    scores, plan, size = _windows(given.arrays[0], size, plan)
    _check_interpolation(interpolation)
    settings = {"interpolation": interpolation, "threads": threads}
    return given.back(run("upsample_scores", impl, given.device, scores, plan, size, **settings))


def _windows(
    scores: Any, size: Sequence[int] | None, plan: WindowPlan | None
) -> tuple[FloatArray, WindowPlan, tuple[int, int]]:
    """Scores as [W, Q, h, w], their plan, and the output size."""
    size = size_pair(size, plan)
    if plan is None:
        scores = floats(scores, "scores", 3)[None]
        plan = plan_of_grid(scores.shape[2:], size)
    else:
        scores = floats(scores, "scores", 4)
        grid = (check_plan(plan).grid_h, plan.grid_w)
        if scores.shape[0] != plan.windows or scores.shape[2:] != grid:
            expected = f"[{plan.windows}, Q, {grid[0]}, {grid[1]}]"
            raise ShapeError(f"got scores {list(scores.shape)}, expected {expected} for this plan")
    if scores.shape[1] == 0:
        raise ShapeError("got scores of no queries, expected at least one")
    return scores, plan, size


def _regions(regions: Any, size: tuple[int, int]) -> Any:
    """Region ids as int32, or a torch tensor on a GPU as it is."""
    if regions is None:
        return None
    array = regions if hasattr(regions, "dtype") else np.asarray(regions)
    dtype = dtype_name(array)
    if "int" not in dtype or tuple(array.shape) != size:
        raise MaskError(f"got regions {dtype}{list(array.shape)}, expected integers of shape {list(size)}")
    array = signed(array)
    if int(array.max()) >= MAX_REGIONS:
        raise MaskError(f"got the region id {int(array.max())}, expected less than {MAX_REGIONS}")
    if isinstance(array, np.ndarray) and array.dtype != np.int32:
        array = np.maximum(array.astype(np.int64), -1).astype(np.int32)
    return array


def _check_interpolation(interpolation: str) -> None:
    if interpolation not in get_args(Interpolation):
        raise ShapeError(
            f"got interpolation {interpolation!r}, expected one of {', '.join(get_args(Interpolation))}"
        )


def _classes(query_to_class: Any, classes: int | None, queries: int) -> tuple[NDArray[np.integer], int]:
    mapping = np.arange(queries) if query_to_class is None else query_to_class
    mapping = integers(mapping, "query_to_class", (queries,))
    classes = int(mapping.max()) + 1 if classes is None else int(classes)
    if mapping.min() < 0 or mapping.max() >= classes:
        raise ShapeError(
            f"query_to_class has values {mapping.min()} to {mapping.max()}, expected 0 to {classes - 1}"
        )
    return mapping, classes


def _check_settings(classes: int, logit_scale: float, threshold: float, unlabeled: int) -> None:
    if classes > 65535 or not 0 <= unlabeled <= 65535:
        raise ShapeError(
            f"got {classes} classes and unlabeled={unlabeled}, labels hold at most 65535 classes"
        )
    if not (logit_scale > 0 and np.isfinite(logit_scale)):
        raise ShapeError(f"logit_scale must be positive and finite, got {logit_scale}")
    if not 0 <= threshold <= 1:
        raise ShapeError(f"threshold must lie between 0 and 1, got {threshold}")


def _large_enough(labels: Any, classes: int, unlabeled: int, area_threshold: float) -> NDArray[np.bool_]:
    if not isinstance(labels, np.ndarray):
        labels = labels.cpu().numpy()
    pixels = np.bincount(labels.ravel(), minlength=classes)[:classes].astype(float)
    background = np.arange(classes) == unlabeled
    pixels[background] = 0
    return background | (pixels > area_threshold * pixels.sum())
