"""Segmentation metrics as mmsegmentation counts them: one confusion matrix over the whole set."""

from __future__ import annotations

import numpy as np

IGNORE = 255


class ConfusionMatrix:
    """Counts int64 `[classes, classes]`: rows are the truth, columns the prediction."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes), np.int64)
        self.missed = np.zeros(classes, np.int64)  # pixels of a class that got no label at all

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count one picture; both are integer label maps of the same shape.

        Pixels whose truth is 255 are left out. A prediction outside the classes (unlabelled) is wrong everywhere:
        it counts in its true class's union and in nobody's prediction.

        Raises:
            ValueError: the shapes differ, or the truth holds an unknown label.
        """
        if truth.shape != prediction.shape:
            raise ValueError(
                f"truth has shape {truth.shape}, prediction {prediction.shape}; they must be equal"
            )
        valid = truth != IGNORE
        truth, prediction = truth[valid].astype(np.int64), prediction[valid].astype(np.int64)
        if truth.size and truth.max() >= self.classes:
            raise ValueError(
                f"truth holds label {truth.max()}, expected labels below {self.classes} or {IGNORE}"
            )
        known = (prediction >= 0) & (prediction < self.classes)
        self.missed += np.bincount(truth[~known], minlength=self.classes)
        cells = truth[known] * self.classes + prediction[known]
        self.counts += np.bincount(cells, minlength=self.classes**2).reshape(self.classes, self.classes)

    def iou(self) -> np.ndarray:
        """float64 `[classes]`: intersection over union; nan for a class neither present nor predicted."""
        hit = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) + self.missed - hit
        return np.divide(hit, union, out=np.full(self.classes, np.nan), where=union > 0)

    def accuracy(self) -> float:
        """Share of pixels with the right label."""
        total = self.counts.sum() + self.missed.sum()
        return float(np.diag(self.counts).sum() / total) if total else float("nan")


def mean_iou(iou: np.ndarray, classes: slice | list[int] = slice(None)) -> float:
    """Mean over classes that occur, in per cent; nan if none does."""
    part = iou[classes]
    part = part[~np.isnan(part)]
    return float(part.mean() * 100) if part.size else float("nan")
