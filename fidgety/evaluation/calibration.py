"""Whether probabilities mean what they say.

References
----------
Brier 1950, Mon Weather Rev 78:1. Cox 1958, Biometrika 45:562 (slope and intercept). Van
Calster et al. 2019, BMC Med 17:230 (the hierarchy of calibration).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from fidgety.evaluation.intervals import NAN, Estimate, bootstrap, proportion

#: Probabilities are kept this far from 0 and 1 before their logit is taken.
EPSILON = 1e-6


def brier(
    positive: ArrayLike,
    probability: ArrayLike,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Mean squared error of the probabilities, with its interval by infant."""
    truth = np.asarray(positive, dtype=bool)
    p = np.asarray(probability, dtype=np.float64)
    if truth.size == 0:
        return Estimate(NAN, n=0, method="undefined")
    value = float(brier_score_loss(truth, p, pos_label=True, labels=[False, True]))
    return _mean(
        value, truth, (p - truth) ** 2, resamples=resamples, confidence=confidence, seed=seed
    )


def brier_change(
    positive: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """By how much the mean squared error of the same infants' probabilities changes.

    Below 0 where the second probabilities are the better ones. The interval is of the infants'
    own changes: both errors of an infant are resampled together.
    """
    truth = np.asarray(positive, dtype=bool)
    p, q = (np.asarray(x, dtype=np.float64) for x in (before, after))
    if truth.size == 0:
        return Estimate(NAN, n=0, method="undefined")
    change = (q - truth) ** 2 - (p - truth) ** 2
    return _mean(
        float(change.mean()),
        truth,
        change,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def _mean(
    value: float,
    truth: NDArray[np.bool_],
    figure: NDArray[np.float64],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Estimate:
    """Put an interval round the mean of a figure of every infant, both groups as large as here."""
    share = float(truth.mean())

    def mixture(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(share * a.mean(axis=axis) + (1 - share) * b.mean(axis=axis))

    limits = bootstrap(
        mixture,
        figure[truth],
        figure[~truth],
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )
    method = "undefined" if math.isnan(limits[0]) else "bootstrap BCa"
    return Estimate(value, *limits, n=int(truth.size), method=method)


def logit(probability: ArrayLike) -> NDArray[np.float64]:
    """Return the logit of probabilities, those of 0 and 1 kept :data:`EPSILON` away."""
    p = np.clip(np.asarray(probability, dtype=np.float64), EPSILON, 1 - EPSILON)
    return np.asarray(special.logit(p))


def slope(positive: ArrayLike, probability: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Calibration slope: coefficient of the outcome's logistic regression on the logit.

    1 is right, less says that the probabilities are too extreme. NaN where it does not
    exist: a class absent, all probabilities equal, or the classes perfectly separated.
    """
    truth = np.asarray(positive, dtype=bool)
    x = logit(probability)
    n = int(truth.size)
    undefined = Estimate(NAN, n=n, method="undefined")
    if n == 0 or truth.all() or not truth.any() or np.ptp(x) < 1e-9:
        return undefined
    high, low = x[truth], x[~truth]
    if high.min() >= low.max() or high.max() <= low.min():
        return undefined  # the likelihood grows for ever
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(x[:, None], truth)
    design = np.column_stack([np.ones(n), x])
    p = fit.predict_proba(x[:, None])[:, 1]
    covariance = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    value = float(fit.coef_[0, 0])
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt(covariance[1, 1])
    return Estimate(value, value - half, value + half, n, "Wald")


def intercept(positive: ArrayLike, probability: ArrayLike, confidence: float = 0.95) -> Estimate:
    """Calibration in the large: the constant to add to every logit so that the mean fits.

    0 is right, more says that the probabilities are too low. NaN where a class is absent.
    """
    truth = np.asarray(positive, dtype=bool)
    n = int(truth.size)
    if n == 0 or truth.all() or not truth.any():
        return Estimate(NAN, n=n, method="undefined")
    x = logit(probability)
    reach = float(np.abs(x).max()) + math.log(n) + 1  # beyond it the mean cannot fit
    value = float(
        optimize.brentq(lambda a: float(special.expit(x + a).sum() - truth.sum()), -reach, reach)
    )
    p = special.expit(x + value)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) / math.sqrt(float((p * (1 - p)).sum()))
    return Estimate(value, value - half, value + half, n, "Wald")


@dataclass(frozen=True)
class Bin:
    """A group of infants with similar probabilities.

    Parameters
    ----------
    predicted
        Mean probability.
    observed
        Share at risk, with Wilson's interval and the number of infants.
    """

    predicted: float
    observed: Estimate


def reliability(
    positive: ArrayLike,
    probability: ArrayLike,
    *,
    bins: int | None = None,
    confidence: float = 0.95,
) -> list[Bin]:
    """Compare predicted with observed shares in groups of about equal size.

    Parameters
    ----------
    positive : array of bool of shape (infant,)
    probability : array of float of shape (infant,)
    bins
        Number of groups; None takes one for every five infants, 2 to 10. Equal
        probabilities stay together, so there may be fewer.
    confidence
        Coverage.
    """
    truth = np.asarray(positive, dtype=bool)
    p = np.asarray(probability, dtype=np.float64)
    if truth.size == 0:
        return []
    wanted = bins if bins is not None else int(np.clip(truth.size // 5, 2, 10))
    edges = np.unique(np.quantile(p, np.linspace(0, 1, wanted + 1)))
    group = np.searchsorted(edges[1:-1], p)
    return [
        Bin(
            predicted=float(p[group == g].mean()),
            observed=proportion(int(truth[group == g].sum()), int((group == g).sum()), confidence),
        )
        for g in np.unique(group)
    ]
