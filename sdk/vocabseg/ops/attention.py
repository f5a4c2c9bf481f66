"""Attention between any pair of q, k and v."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .arrays import floats
from .exchange import Given, dtype_name
from .registry import run

TERMS = ("qq", "kk", "vv", "qk")


def correlative_attention(
    q: Any,
    k: Any,
    v: Any,
    terms: Sequence[str] = ("qq", "kk"),
    *,
    reduce: str = "sum",
    scale: float | None = None,
    bias: Any = None,
    gaussian: tuple[float, tuple[int, int]] | None = None,
    impl: str = "auto",
    threads: int | None = None,
) -> Any:
    """Sum or mean over terms ab of softmax(scale · a bᵀ + bias) v, without the matrices of weights in memory.

    SCLIP is ``("qq", "kk")``, ClearCLIP ``("qq",)``, NACLIP ``("kk",)`` with ``gaussian=(5.0, grid)``, CLIPtrase
    ``("qq", "kk", "vv")``, CLIP itself ``("qk",)``; masks as ProxyCLIP's are a bias of 0 and -infinity.

    Args:
        q, k, v: [B, h, N, d] of one float type, any strides; N counts the class token, where there is one.
        terms: some of qq, kk, vv, qk. Each has a softmax of its own.
        reduce: "sum" (rows of weights sum to the number of terms) or "mean".
        scale: None: 1 / √d.
        bias: added to the scores of every term; broadcast to [B, h, N, N]; -infinity leaves a pair out.
        gaussian: (std, (gh, gw)): adds exp(-((i - m)² + (j - n)²) / (2 std²)) for patches (i, j) and (m, n), and
            0 in the row and the column of the class token, if N = gh · gw + 1 (NACLIP, WACV 2025). It is
            computed from the numbers of the tokens.

    Returns:
        [B, h, N, d] in q's dtype; scores, softmax and sums are float32. A row whose scores are all -infinity
        gives zeros; a row with a score that is NaN or +infinity gives NaN.

    Raises:
        ShapeError: shapes, dtypes, terms or the grid do not fit.
    """
    given = Given(q, k, v, bias)
    q, k, v, bias = given.arrays
    q, k, v = floats(q, "q", 4), floats(k, "k", 4), floats(v, "v", 4)
    if not q.shape == k.shape == v.shape or q.shape[3] == 0:
        raise ShapeError(
            f"got q {list(q.shape)}, k {list(k.shape)} and v {list(v.shape)}, expected one shape [B, h, N, d]"
        )
    if not dtype_name(q) == dtype_name(k) == dtype_name(v):
        raise ShapeError(
            f"got q, k and v of {dtype_name(q)}, {dtype_name(k)} and {dtype_name(v)}, expected one dtype"
        )
    terms = (terms,) if isinstance(terms, str) else tuple(terms)
    if not terms or len(set(terms)) < len(terms) or not set(terms) <= set(TERMS):
        raise ShapeError(f"got terms {terms}, expected some of {', '.join(TERMS)}, each at most once")
    if reduce not in ("sum", "mean"):
        raise ShapeError(f"got reduce={reduce!r}, expected sum or mean")
    scale = q.shape[3] ** -0.5 if scale is None else float(scale)
    if not math.isfinite(scale):
        raise ShapeError(f"got a scale of {scale}, expected a finite number")
    settings = {
        "mean": reduce == "mean",
        "scale": scale,
        "bias": None if bias is None else _bias(bias, q.shape),
        "gaussian": None if gaussian is None else _gaussian(gaussian, q.shape[2]),
        "threads": threads,
    }
    return given.back(run("correlative_attention", impl, given.device, q, k, v, terms, **settings))


def _bias(bias: Any, shape: Sequence[int]) -> Any:
    """``bias`` with four dimensions, each of full length or 1."""
    bias = floats(bias, "a bias", 0, 1, 2, 3, 4)
    dims = (1,) * (4 - bias.ndim) + tuple(bias.shape)
    full = (shape[0], shape[1], shape[2], shape[2])
    if any(length not in (1, whole) for length, whole in zip(dims, full, strict=True)):
        raise ShapeError(f"got a bias {list(bias.shape)}, expected what broadcasts to {list(full)}")
    return bias.reshape(dims)


def _gaussian(gaussian: Any, tokens: int) -> tuple[float, tuple[int, int]]:
    try:
        std, (height, width) = gaussian
        std, height, width = float(std), int(height), int(width)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"got gaussian={gaussian!r}, expected (std, (gh, gw))") from error
    if not (0 < std < math.inf) or min(height, width) < 1 or tokens - height * width not in (0, 1):
        raise ShapeError(
            f"got a Gaussian of {std} patches on a grid of {height} x {width} for {tokens} tokens, expected a "
            "positive width and a token for each patch, with or without a class token before them"
        )
    return std, (height, width)
