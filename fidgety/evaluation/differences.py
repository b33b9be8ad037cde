"""Two groups of infants against each other: shares, areas, intercepts, means.

The groups share no infant. Shares and areas get Newcombe's hybrid interval, which is made of the
intervals of both and so stays honest where a share or an area is 0 or 1: there a difference of
variances would have none.

References
----------
Newcombe 1998, Stat Med 17:873 (method 10). Newcombe 2006, Stat Med 25:559 (areas, method 5). Zou &
Donner 2008, Stat Med 27:1693 (why the hybrid holds for any two figures). Welch 1947, Biometrika
34:28. Holm 1979, Scand J Stat 6:65.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from fidgety.evaluation.intervals import NAN, Estimate, newcombe_auc

#: Standard errors up to which p is 1, and beyond which it is not told apart (2.6e-12).
NEAREST, FARTHEST = 1e-3, 7.0


@dataclass(frozen=True)
class Difference:
    """One group's figure less the other's.

    Parameters
    ----------
    estimate
        With its interval; ``n`` counts both groups.
    p
        Two-sided; NaN where undefined.
    """

    estimate: Estimate
    p: float


NOTHING = Difference(Estimate(NAN, method="undefined"), NAN)


def hybrid(first: Estimate, second: Estimate) -> tuple[float, float]:
    """Return Newcombe's hybrid interval of first less second.

    Parameters
    ----------
    first, second
        Of infants that have nothing to do with each other, with intervals of one coverage.
    """
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return value - below, value + above


def difference_of_shares(
    first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95
) -> Difference:
    """Compare two shares: Newcombe's hybrid of Wilson's intervals, p by Fisher's exact test.

    Parameters
    ----------
    first, second
        Successes and trials.
    confidence
        Coverage.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    (a, m), (b, n) = first, second
    if not m or not n:
        return NOTHING
    low, high = confint_proportions_2indep(
        a, m, b, n, compare="diff", method="newcomb", alpha=1 - confidence
    )
    p = float(stats.fisher_exact(np.array([[a, m - a], [b, n - b]])).pvalue)
    value = a / m - b / n
    return Difference(Estimate(value, float(low), float(high), m + n, "Newcombe"), min(p, 1.0))


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve and its infants.

    Parameters
    ----------
    value
        The area.
    positives, negatives
        Infants at risk and not.
    """

    value: float
    positives: int
    negatives: int

    def estimate(self, confidence: float) -> Estimate:
        """Return it with Newcombe's interval."""
        return newcombe_auc(self.value, self.positives, self.negatives, confidence)


def difference_of_areas(first: Area, second: Area, confidence: float = 0.95) -> Difference:
    """Compare areas of two groups: the hybrid of their score intervals.

    ``p`` is 1 less the highest coverage at which the interval leaves out 0.
    """
    known = [first.estimate(confidence), second.estimate(confidence)]
    if not all(math.isfinite(e.low) and math.isfinite(e.high) for e in known):
        return NOTHING
    low, high = hybrid(*known)
    value = first.value - second.value
    estimate = Estimate(value, low, high, known[0].n + known[1].n, "Newcombe")

    def gap(z: float) -> float:
        coverage = 1 - 2 * float(stats.norm.sf(z))
        limits = hybrid(first.estimate(coverage), second.estimate(coverage))
        return limits[0] if value > 0 else -limits[1]

    if gap(NEAREST) <= 0:
        return Difference(estimate, 1.0)
    # The nearer limit moves towards 0, and past it, as the coverage grows.
    z = FARTHEST if gap(FARTHEST) > 0 else float(optimize.brentq(gap, NEAREST, FARTHEST))
    return Difference(estimate, float(2 * stats.norm.sf(z)))


def difference_of_wald(first: Estimate, second: Estimate, confidence: float = 0.95) -> Difference:
    """Compare two figures with Wald's intervals (calibration in the large)."""
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    value = first.value - second.value
    half = math.hypot((first.high - first.low) / 2, (second.high - second.low) / 2)
    if not (math.isfinite(half) and math.isfinite(value)) or half == 0:
        return NOTHING
    p = float(2 * stats.norm.sf(abs(value) * z / half))
    n = first.n + second.n
    return Difference(Estimate(value, value - half, value + half, n, "Wald"), p)


def difference_of_means(
    first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Difference:
    """Compare means by Welch's test; undefined below two a group, or where nothing varies."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if min(a.size, b.size) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return NOTHING
    test = stats.ttest_ind(a, b, equal_var=False)
    limits = test.confidence_interval(confidence)
    estimate = Estimate(
        float(a.mean() - b.mean()), float(limits.low), float(limits.high), a.size + b.size, "Welch"
    )
    return Difference(estimate, float(test.pvalue))


def holm(p: Sequence[float]) -> list[float]:
    """Correct p values for their number (Holm); undefined ones stay so and do not count."""
    values = np.asarray(p, dtype=np.float64)
    known = np.isfinite(values)
    if known.sum() <= 1:
        # Nothing to correct; the library would look for garbage in all memory first.
        return [float(v) for v in values]
    from statsmodels.stats.multitest import multipletests

    found = np.full(values.shape, NAN)
    found[known] = multipletests(values[known], method="holm")[1]
    return [float(v) for v in found]
