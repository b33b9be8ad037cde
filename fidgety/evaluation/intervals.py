"""Intervals by infant.

An infant is the unit: infants are resampled or counted, never their instances, which are
anything but independent. Proportions get Wilson's score interval. What has no closed form
is bootstrapped with the two classes resampled apart (the design fixes their sizes), bias
corrected and accelerated (BCa). An area under the curve of 0 or 1 cannot be bootstrapped
(every resample gives the same), and then gets Newcombe's score interval, which stays honest
down to one infant a class.

References
----------
Wilson 1927, J Am Stat Assoc 22:209. Efron 1987, J Am Stat Assoc 82:171. Newcombe 2006,
Stat Med 25:559 (method 5). Hanley and McNeil 1982, Radiology 143:29.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

NAN = float("nan")


@dataclass(frozen=True)
class Estimate:
    """A figure with what is needed to judge it.

    Parameters
    ----------
    value
        Point estimate; NaN where undefined.
    low, high
        Interval; NaN where undefined.
    n
        Number of infants behind it.
    method
        How the interval was made.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    method: str = ""


def proportion(
    successes: int,
    trials: int,
    confidence: float = 0.95,
    method: Literal["wilson", "exact"] = "wilson",
) -> Estimate:
    """Estimate a proportion.

    Parameters
    ----------
    successes, trials
        Counts of infants.
    confidence
        Coverage.
    method
        ``wilson``: Wilson's score interval; ``exact``: Clopper and Pearson's.
    """
    if trials == 0:
        return Estimate(NAN, n=0, method=method)
    interval = stats.binomtest(successes, trials).proportion_ci(confidence, method)
    return Estimate(successes / trials, float(interval.low), float(interval.high), trials, method)


def mann_whitney(
    positive: NDArray[np.float64], negative: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    """Probability that a positive scores higher than a negative; ties count a half.

    Parameters
    ----------
    positive : ndarray of shape (..., infant)
    negative : ndarray of shape (..., infant)
        Leading axes broadcast.
    axis
        Axis of the infants.

    Returns
    -------
    ndarray of shape (...)
        Equals the area under the ROC curve.

    Notes
    -----
    By ranks, ties at their mean: sorting n infants instead of comparing every pair, which for
    thousands of infants and resamples would take minutes.
    """
    a = np.moveaxis(np.asarray(positive), axis, -1)
    b = np.moveaxis(np.asarray(negative), axis, -1)
    m, n = a.shape[-1], b.shape[-1]
    leading = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    both = np.concatenate(
        [np.broadcast_to(a, (*leading, m)), np.broadcast_to(b, (*leading, n))], axis=-1
    )
    if m == 0 or n == 0:
        return np.full(leading, NAN)
    ranks = stats.rankdata(both, axis=-1)[..., :m]
    return np.asarray((ranks.sum(axis=-1) - m * (m + 1) / 2) / (m * n))


def newcombe_auc(value: float, positives: int, negatives: int, confidence: float) -> Estimate:
    """Newcombe's score interval of an area under the ROC curve (2006, method 5).

    The interval holds the areas whose distance from the estimate is at most z standard
    errors, the standard error taken AT that area by Hanley and McNeil's formula with both
    class sizes at their mean.
    """
    if positives == 0 or negatives == 0 or not np.isfinite(value):
        return Estimate(NAN, n=positives + negatives, method="newcombe")
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    mean_size = (positives + negatives) / 2

    def excess(area: float) -> float:
        spread = 1 + (mean_size - 1) * ((1 - area) / (2 - area) + area / (1 + area))
        variance = area * (1 - area) * spread / (positives * negatives)
        return (area - value) ** 2 - z * z * variance

    # At the estimate `excess` is negative, at 0 and 1 it is not: one root on either side.
    # An estimate on the border is its own limit there.
    inside = min(max(value, 1e-12), 1 - 1e-12)
    low = 0.0 if value <= 0 else float(optimize.brentq(excess, 0.0, inside))
    high = 1.0 if value >= 1 else float(optimize.brentq(excess, inside, 1.0))
    return Estimate(value, low, high, positives + negatives, "newcombe")


def percentile_interval(draws: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return the percentile interval of a bootstrap's draws, undefined ones left out.

    Returns
    -------
    tuple of float
        NaN where no draw is defined or all agree: an interval would only pretend.
    """
    known = draws[np.isfinite(draws)]
    if not known.size or np.ptp(known) == 0:
        return NAN, NAN
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap(
    statistic: Callable[..., NDArray[np.float64]],
    positive: NDArray[np.float64],
    negative: NDArray[np.float64],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    method: Literal["BCa", "percentile"] = "BCa",
) -> tuple[float, float]:
    """Interval of a statistic of two groups, each resampled by itself.

    Parameters
    ----------
    statistic
        ``statistic(positive, negative, axis)``, vectorised.
    positive, negative : ndarray of shape (infant,)
        One value an infant.
    resamples, confidence, seed
        Number of resamples, coverage, seed.
    method
        ``BCa`` falls back on the percentiles where the acceleration is undefined.

    Returns
    -------
    tuple of float
        NaN where a group has fewer than two infants or all resamples agree.
    """
    if min(positive.size, negative.size) < 2:
        return NAN, NAN
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scipy's word on degenerate data; NaN says it here
        result = stats.bootstrap(
            (positive, negative),
            statistic,
            n_resamples=resamples,
            confidence_level=confidence,
            method=method,
            vectorized=True,
            # Keeps the (resample, infant) ranks of the area small.
            batch=max(1, int(4e6 / (positive.size + negative.size))),
            rng=np.random.default_rng(seed),
        )
    draws = result.bootstrap_distribution
    if np.ptp(draws) == 0:
        return NAN, NAN
    low, high = float(result.confidence_interval.low), float(result.confidence_interval.high)
    if not (np.isfinite(low) and np.isfinite(high)):
        tail = (1 - confidence) / 2
        low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
    return low, high


def auc_estimate(
    positive: ArrayLike,
    score: ArrayLike,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Area under the ROC curve with its interval by infant.

    Parameters
    ----------
    positive : array of bool of shape (infant,)
    score : array of float of shape (infant,)
    resamples, confidence, seed
        Of the bootstrap.
    """
    truth = np.asarray(positive, dtype=bool)
    scores = np.asarray(score, dtype=np.float64)
    high, low = scores[truth], scores[~truth]
    if high.size == 0 or low.size == 0:
        return Estimate(NAN, n=int(truth.size), method="undefined")
    value = float(mann_whitney(high, low))
    limits = bootstrap(
        mann_whitney, high, low, resamples=resamples, confidence=confidence, seed=seed
    )
    if np.isnan(limits[0]):
        return newcombe_auc(value, high.size, low.size, confidence)
    return Estimate(value, *limits, n=int(truth.size), method="bootstrap BCa")
