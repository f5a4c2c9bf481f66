"""How far an engine's results are from the float32 reference that a bundle carries, and how far they may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import ParityError

# Rows of the fixed text matrix that stands in for a vocabulary where the bundle stores none.
_RANDOM_CLASSES = 32


@dataclass(frozen=True)
class Gate:
    """The worst values that pass.

    cosine_min, cosine_mean: over rows. agreement: share of rows with the same best class. tie: classes whose
    cosines are closer than this in the reference count as the same; at a logit scale of 40, 1e-3 moves no
    probability by more than one percent.
    """

    cosine_min: float
    cosine_mean: float
    agreement: float
    tie: float


GATES = {
    "float32": Gate(0.99999, 0.999999, 0.999, tie=1e-5),
    "float16": Gate(0.999, 0.9999, 0.98, tie=1e-3),
    "bfloat16": Gate(0.98, 0.995, 0.90, tie=1e-3),
    "int8": Gate(0.95, 0.98, 0.90, tie=1e-3),
}


@dataclass(frozen=True)
class Parity:
    """One tower on one engine. ``agreement`` is None for the text tower, which has no patches to label."""

    tower: str
    backend: str
    precision: str
    cosine_min: float
    cosine_mean: float
    max_abs: float
    agreement: float | None
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "failures": list(self.failures), "passed": self.passed}


def compare(
    tower: str,
    backend: str,
    precision: str,
    actual: np.ndarray,
    expected: np.ndarray,
    text: np.ndarray | None,
) -> Parity:
    """Compare unit rows [..., D] with the reference and judge them by the gate of ``precision``.

    text: [Q, D] unit rows whose best match is compared; None leaves the agreement out.
    """
    if actual.shape != expected.shape:
        raise ParityError(
            f"{tower} tower on {backend}: got shape {list(actual.shape)}, the reference has {list(expected.shape)}; "
            "export the bundle again with: vocabseg export"
        )
    got, want = actual.reshape(-1, actual.shape[-1]), expected.reshape(-1, expected.shape[-1])
    cosine = np.einsum("nd,nd->n", got, want, dtype=np.float64) / np.maximum(
        np.linalg.norm(got.astype(np.float64), axis=1) * np.linalg.norm(want.astype(np.float64), axis=1),
        1e-12,
    )
    agreement = None if text is None else best_class_agreement(got, want, text, GATES[precision].tie)
    values = (float(cosine.min()), float(cosine.mean()), float(np.abs(got - want).max()))
    failures = judge(GATES[precision], values[0], values[1], agreement)
    if not np.isfinite(got).all():
        failures = ("results are not finite", *failures)
    return Parity(tower, backend, precision, *values, agreement, failures)


def judge(gate: Gate, cosine_min: float, cosine_mean: float, agreement: float | None) -> tuple[str, ...]:
    checks = [
        ("smallest cosine", cosine_min, gate.cosine_min),
        ("mean cosine", cosine_mean, gate.cosine_mean),
        ("class agreement", agreement, gate.agreement),
    ]
    # Written so that NaN fails.
    return tuple(
        f"{name} {value:.6f} is below {limit}"
        for name, value, limit in checks
        if value is not None and not value >= limit
    )


def best_class_agreement(got: np.ndarray, want: np.ndarray, text: np.ndarray, tie: float) -> float:
    """Share of rows whose most similar text row is the reference's best, or less than ``tie`` behind it there."""
    chosen, scores = np.argmax(got @ text.T, axis=1), want @ text.T
    return float(np.mean(scores[np.arange(len(scores)), chosen] >= scores.max(axis=1) - tie))


def random_text(width: int, features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Unit rows [32, width] that differ in how well they match the given features [..., width].

    Features of one model share a large mean; without it the rows would all be won by the same class.
    """
    rows = np.random.default_rng(seed).standard_normal((_RANDOM_CLASSES, width)).astype(np.float32)
    mean = features.reshape(-1, width).mean(axis=0)
    mean /= max(float(np.linalg.norm(mean)), 1e-12)
    rows -= (rows @ mean)[:, None] * mean
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
