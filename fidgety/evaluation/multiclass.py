"""Figures of more than two classes, from the confusion matrix.

An infant belongs to one class and is called one. Infants are resampled within their class, which
for figures of the confusion matrix is the same as drawing each of its rows anew from a multinomial
distribution: so intervals are by infant and cost nothing.

What is undefined is NaN: the precision of a class that nobody is called, the recall of a class
without infants. Macro figures are the mean over the classes that have infants; there, as in
scikit-learn, a class that nobody is called counts with a precision and an F1 of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from fidgety.evaluation.intervals import NAN, Estimate, percentile_interval, proportion

Matrix = NDArray[np.float64]
#: Figures of all classes together, in the order of the tables.
OVERALL = ("macro_precision", "macro_recall", "macro_f1", "mcc", "class_kappa")


def confusion(truth: Sequence[str], called: Sequence[str], classes: Sequence[str]) -> Matrix:
    """Count infants: rows are the truth, columns what they are called."""
    if not len(truth):
        return np.zeros((len(classes), len(classes)))
    return np.asarray(confusion_matrix(truth, called, labels=list(classes)), dtype=np.float64)


def _divide(a: Matrix, b: Matrix) -> Matrix:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)


def by_class(matrix: Matrix) -> dict[str, Matrix]:
    """Return precision, recall and F1 of every class.

    Parameters
    ----------
    matrix : ndarray of shape (..., class, class)

    Returns
    -------
    dict
        To ndarray of shape (..., class).
    """
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    called, there = matrix.sum(axis=-2), matrix.sum(axis=-1)
    return {
        "precision": _divide(right, called),
        "recall": _divide(right, there),
        "f1": _divide(2 * right, called + there),
    }


def overall(matrix: Matrix) -> dict[str, Matrix]:
    """Return the figures of :data:`OVERALL`.

    Parameters
    ----------
    matrix : ndarray of shape (..., class, class)

    Returns
    -------
    dict
        To ndarray of shape (...).
    """
    there, called = matrix.sum(axis=-1), matrix.sum(axis=-2)
    n = matrix.sum(axis=(-1, -2))
    right = np.trace(matrix, axis1=-2, axis2=-1)
    known = there > 0
    found: dict[str, Matrix] = {}
    for name, values in by_class(matrix).items():
        counted = np.where(known, np.nan_to_num(values), 0.0)
        found[f"macro_{name}"] = _divide(counted.sum(axis=-1), known.sum(axis=-1).astype(float))
    # Gorodkin 2004: the correlation of truth and decision; kappa has the same numerator.
    agreement = right * n - (there * called).sum(axis=-1)
    spread = (n**2 - (called**2).sum(axis=-1)) * (n**2 - (there**2).sum(axis=-1))
    found["mcc"] = _divide(agreement, np.sqrt(spread))
    found["class_kappa"] = _divide(agreement, n**2 - (there * called).sum(axis=-1))
    return {name: found[name] for name in OVERALL}


def _resampled(matrix: Matrix, resamples: int, seed: int) -> Matrix:
    """Draw every class's infants anew: (resample, class, class)."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, *matrix.shape))
    for k, row in enumerate(matrix):
        n = int(row.sum())
        if n:
            drawn[:, k] = rng.multinomial(n, row / n, size=resamples)
    return drawn


def estimates(
    truth: Sequence[str],
    called: Sequence[str],
    classes: Sequence[str],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Estimate]:
    """Estimate all figures of several classes with intervals by infant.

    Returns
    -------
    dict
        ``class_accuracy`` (Wilson), those of :data:`OVERALL`, and of every class
        ``precision_NAME`` and ``recall_NAME`` (Wilson) and ``f1_NAME``; the rest have percentile
        intervals, none where all resamples agree.
    """
    matrix = confusion(truth, called, classes)
    n = int(matrix.sum())
    draws = _resampled(matrix, resamples, seed)

    def resampled(figure: Callable[[Matrix], Matrix]) -> Estimate:
        value = float(figure(matrix))
        if not np.isfinite(value):
            return Estimate(NAN, n=n, method="undefined")
        low, high = percentile_interval(figure(draws), confidence)
        if np.isnan(low):
            return Estimate(value, n=n, method="none: all resamples agree")
        return Estimate(value, low, high, n, "bootstrap percentile")

    found = {"class_accuracy": proportion(int(np.trace(matrix)), n, confidence)}
    for name in OVERALL:
        found[name] = resampled(lambda m, name=name: overall(m)[name])  # type: ignore[misc]
    for k, one in enumerate(classes):
        right, there, said = (int(v) for v in (matrix[k, k], matrix[k].sum(), matrix[:, k].sum()))
        found[f"precision_{one}"] = proportion(right, said, confidence)
        found[f"recall_{one}"] = proportion(right, there, confidence)
        found[f"f1_{one}"] = resampled(lambda m, k=k: by_class(m)["f1"][..., k])  # type: ignore[misc]
    return found
