"""Figures of a binary decision, and of the scores behind it.

The positive side is "at risk". With more than two classes the probabilities of all classes
at risk are summed (:func:`risk_probability`), so nothing here assumes two classes.

What is undefined (no infant of a class, nobody called positive) is NaN, never 0: a
specificity of an empty group is unknown, not bad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

#: Proportions of the confusion matrix, in the order in which tables show them.
PROPORTIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")


@dataclass(frozen=True)
class Counts:
    """Confusion matrix of a decision.

    Parameters
    ----------
    tp, fp, tn, fn
        True and false positives and negatives.
    """

    tp: int
    fp: int
    tn: int
    fn: int

    @classmethod
    def of(cls, positive: ArrayLike, called: ArrayLike) -> Counts:
        """Count.

        Parameters
        ----------
        positive, called : array of bool of shape (infant,)
            Truth and decision.
        """
        truth, decision = np.asarray(positive, dtype=bool), np.asarray(called, dtype=bool)
        if truth.shape != decision.shape:
            raise ValueError("truth and decision differ in length")
        if truth.size == 0:
            return cls(0, 0, 0, 0)
        table = confusion_matrix(truth, decision, labels=[False, True])
        return cls(
            tp=int(table[1, 1]), fp=int(table[0, 1]), tn=int(table[0, 0]), fn=int(table[1, 0])
        )

    def fraction(self, metric: str) -> tuple[int, int]:
        """Return successes and trials of one of :data:`PROPORTIONS`."""
        return {
            "accuracy": (self.tp + self.tn, self.tp + self.fp + self.tn + self.fn),
            "sensitivity": (self.tp, self.tp + self.fn),
            "specificity": (self.tn, self.tn + self.fp),
            "ppv": (self.tp, self.tp + self.fp),
            "npv": (self.tn, self.tn + self.fn),
        }[metric]

    def value(self, metric: str) -> float:
        """Return one of :data:`PROPORTIONS`; NaN where nobody is counted."""
        successes, trials = self.fraction(metric)
        return successes / trials if trials else float("nan")


def auc(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve; NaN where a class is absent.

    Parameters
    ----------
    positive : array of bool of shape (infant,)
    score : array of float of shape (infant,)
        Higher means more likely positive.
    """
    truth = np.asarray(positive, dtype=bool)
    if truth.size == 0 or truth.all() or not truth.any():
        return float("nan")
    return float(roc_auc_score(truth, np.asarray(score, dtype=np.float64)))


@dataclass(frozen=True)
class Roc:
    """Receiver operating characteristic.

    Parameters
    ----------
    false_positive_rate, true_positive_rate, threshold : ndarray of shape (point,)
        A score at or above the threshold is called positive. The first point, where nobody
        is, has an infinite threshold.
    """

    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    threshold: NDArray[np.float64]


def roc(positive: ArrayLike, score: ArrayLike) -> Roc:
    """Compute every point of the ROC curve; no points where a class is absent."""
    truth = np.asarray(positive, dtype=bool)
    if truth.size == 0 or truth.all() or not truth.any():
        empty = np.empty(0)
        return Roc(empty, empty, empty)
    fpr, tpr, threshold = roc_curve(
        truth, np.asarray(score, dtype=np.float64), drop_intermediate=False
    )
    return Roc(fpr, tpr, threshold)
