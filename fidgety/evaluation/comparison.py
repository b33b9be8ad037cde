"""Models against each other on the same infants: areas, decisions, many comparisons.

References
----------
DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837. Sun & Xu 2014, IEEE Signal Process Lett
21:1389 (by midranks). McNemar 1947, Psychometrika 12:153. Holm 1979, Scand J Stat 6:65. DeLong's
test is ours, as no kept library has it; the others are statsmodels'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fidgety.evaluation.differences import holm
from fidgety.evaluation.intervals import NAN, Estimate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Areas:
    """Areas under the ROC curves of several scores of the same infants.

    Parameters
    ----------
    value : ndarray of shape (score,)
        NaN where one of the groups is empty.
    covariance : ndarray of shape (score, score)
        NaN where a group has fewer than two.
    positives, negatives
        Infants at risk and not.
    """

    value: Array
    covariance: Array
    positives: int
    negatives: int


def placements(positive: ArrayLike, scores: ArrayLike) -> Array:
    """Return every infant's placement: the share of the other group that it ranks right against.

    Parameters
    ----------
    positive : array of shape (infant,)
        Who is at risk; both groups have an infant.
    scores : array of shape (score, infant)
        Higher is riskier; ties count a half.

    Returns
    -------
    ndarray of shape (score, infant)
        The mean over either group is the area under the ROC curve.
    """
    truth = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    ranks = stats.rankdata(values, axis=1)
    found = np.empty(values.shape)
    for side, above in ((truth, True), (~truth, False)):
        # Of the ranks among all, those within the own group are taken off.
        others = ranks[:, side] - stats.rankdata(values[:, side], axis=1)
        share = others / (~side).sum()
        found[:, side] = share if above else 1 - share
    return found


def delong(positive: ArrayLike, scores: ArrayLike) -> Areas:
    """Return areas under the ROC curve with DeLong's covariance.

    Parameters
    ----------
    positive : array of shape (infant,)
        Who is at risk.
    scores : array of shape (score, infant)
        Higher is riskier; ties count a half.
    """
    truth = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    m, n = int(truth.sum()), int((~truth).sum())
    k = len(values)
    if not m or not n:
        return Areas(np.full(k, NAN), np.full((k, k), NAN), m, n)
    placed = placements(truth, values)
    of_positives, of_negatives = placed[:, truth], placed[:, ~truth]
    covariance = np.full((k, k), NAN)
    if m > 1 and n > 1:
        covariance = np.cov(of_positives).reshape(k, k) / m + np.cov(of_negatives).reshape(k, k) / n
    return Areas(of_positives.mean(axis=1), covariance, m, n)


@dataclass(frozen=True)
class PairTest:
    """A paired comparison of two models.

    Parameters
    ----------
    first, second
        Models.
    difference
        First minus second, with its interval.
    p
        Two-sided; NaN where undefined.
    p_adjusted
        By Holm's method over all that were compared together.
    """

    first: str
    second: str
    difference: Estimate
    p: float
    p_adjusted: float = NAN


def adjusted(tests: list[PairTest]) -> list[PairTest]:
    """Correct p values for the number of comparisons (Holm); undefined ones do not count."""
    corrected = holm([test.p for test in tests])
    return [replace(test, p_adjusted=p) for test, p in zip(tests, corrected, strict=True)]


def compare_areas(
    positive: ArrayLike, scores: Mapping[str, ArrayLike], confidence: float = 0.95
) -> list[PairTest]:
    """Compare every pair of models by DeLong's test.

    Two models whose areas cannot differ by chance (the same ranks, or both without any error) have
    no test: p is 1 where they are equal, and undefined otherwise.

    Parameters
    ----------
    positive : array of shape (infant,)
    scores
        Model to scores of the same infants.
    confidence
        Of the intervals of the differences.
    """
    names = list(scores)
    areas = delong(positive, np.array([scores[name] for name in names], dtype=np.float64))
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    found = []
    for a, b in combinations(range(len(names)), 2):
        value = float(areas.value[a] - areas.value[b])
        c = areas.covariance
        variance = float(c[a, a] + c[b, b] - 2 * c[a, b])
        n = areas.positives + areas.negatives
        if not math.isfinite(variance) or variance <= 1e-15:
            p = 1.0 if value == 0 else NAN
            found.append(PairTest(names[a], names[b], Estimate(value, n=n, method="DeLong"), p))
            continue
        sd = math.sqrt(variance)
        low, high = max(value - z * sd, -1.0), min(value + z * sd, 1.0)
        estimate = Estimate(value, low, high, n, "DeLong")
        found.append(
            PairTest(names[a], names[b], estimate, float(2 * stats.norm.sf(abs(value) / sd)))
        )
    return adjusted(found)


def compare_decisions(
    positive: ArrayLike, decisions: Mapping[str, ArrayLike], confidence: float = 0.95
) -> list[PairTest]:
    """Compare the shares of right decisions of every pair of models by McNemar's exact test.

    Parameters
    ----------
    positive : array of shape (infant,)
    decisions
        Model to decisions about the same infants: at risk or not.
    confidence
        Of the intervals of the differences (Agresti & Min 2005: half an infant more in each cell).
    """
    from statsmodels.stats.contingency_tables import mcnemar

    truth = np.asarray(positive, dtype=bool)
    right = {name: np.asarray(calls, dtype=bool) == truth for name, calls in decisions.items()}
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    found = []
    for a, b in combinations(right, 2):
        only_a = int((right[a] & ~right[b]).sum())
        only_b = int((right[b] & ~right[a]).sum())
        n = int(truth.size)
        if not n:
            found.append(PairTest(a, b, Estimate(NAN, n=0, method="McNemar"), NAN))
            continue
        p = float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)
        x, y, total = only_a + 0.5, only_b + 0.5, n + 2
        half = z * math.sqrt(x + y - (x - y) ** 2 / total) / total
        middle = (x - y) / total
        estimate = Estimate(
            (only_a - only_b) / n, max(middle - half, -1.0), min(middle + half, 1.0), n, "McNemar"
        )
        found.append(PairTest(a, b, estimate, min(p, 1.0)))
    return adjusted(found)
