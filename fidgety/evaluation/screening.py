"""What a clinic that screens asks: predictive values at its own prevalence, and when to be unsure.

References
----------
Mercaldo, Lau & Zhou 2007, Stat Med 26:2170 (predictive values). Simel, Samsa & Matchar 1991, J Clin
Epidemiol 44:763 (likelihood ratios). Vickers & Elkin 2006, Med Decis Making 26:565 (net benefit).
Zou & Donner 2008, Stat Med 27:1693 (variance estimates recovery).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from fidgety.evaluation.intervals import NAN, Estimate, proportion
from fidgety.evaluation.metrics import Counts


@dataclass(frozen=True)
class Screening:
    """Figures of a test at a prevalence.

    Parameters
    ----------
    prevalence
        Share of the screened infants that are at risk.
    ppv, npv
        Share of those called at risk that are, and of those called not at risk that are not.
    lr_positive, lr_negative
        By how much a call multiplies the odds of being at risk.
    """

    prevalence: float
    ppv: Estimate
    npv: Estimate
    lr_positive: Estimate
    lr_negative: Estimate


def _logit_interval(
    estimate: float, value: float, variance: float, z: float
) -> tuple[float, float]:
    """Return the interval round an adjusted value, and make it hold the estimate itself."""
    half = z * math.sqrt(variance)
    middle = float(special.logit(value))
    limits = float(special.expit(middle - half)), float(special.expit(middle + half))
    if math.isnan(estimate):
        return limits
    return min(limits[0], estimate), max(limits[1], estimate)


def _ratio(a: float, n_a: float, b: float, n_b: float, z: float) -> Estimate:
    """Estimate the ratio of two shares; half an infant more in each cell where one share is 0 or 1.

    (Simel's variance is 0 for a share of 1, however few infants it is of.)
    """
    n = int(n_a + n_b)
    if not n_a or not n_b:
        return Estimate(NAN, n=n, method="Simel")
    value = NAN if a == b == 0 else (math.inf if b == 0 else (a / n_a) / (b / n_b))
    if a in (0, n_a) or b in (0, n_b):
        a, b, n_a, n_b = a + 0.5, b + 0.5, n_a + 1, n_b + 1
    half = z * math.sqrt(max(1 / a - 1 / n_a + 1 / b - 1 / n_b, 0.0))
    middle = math.log((a / n_a) / (b / n_b))
    low, high = math.exp(middle - half), math.exp(middle + half)
    if not math.isnan(value):
        # The estimate itself is not corrected, and lies in its interval.
        low, high = min(low, value), max(high, value)
    return Estimate(value, low, high, n, "Simel")


def screening(counts: Counts, prevalence: float, confidence: float = 0.95) -> Screening:
    """Carry a test's sensitivity and specificity over to a clinic's prevalence.

    It assumes that the clinic's infants at risk, and its others, are like those of the study.

    Parameters
    ----------
    counts
        Right and wrong calls of the study's infants.
    prevalence
        Above 0, below 1.
    confidence
        Coverage.

    Raises
    ------
    ValueError
        If the prevalence is not between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"the prevalence must lie between 0 and 1, found {prevalence}")
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    m, n = counts.tp + counts.fn, counts.tn + counts.fp
    positive = _ratio(counts.tp, m, counts.fp, n, z)
    negative = _ratio(counts.fn, m, counts.tn, n, z)
    if not m or not n:
        nothing = Estimate(NAN, n=m + n, method="Mercaldo")
        return Screening(prevalence, nothing, nothing, positive, negative)

    def values(sensitivity: float, specificity: float) -> tuple[float, float]:
        tp, fp = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        fn, tn = (1 - sensitivity) * prevalence, specificity * (1 - prevalence)
        ppv = tp / (tp + fp) if tp + fp else NAN
        return ppv, tn / (tn + fn) if tn + fn else NAN

    ppv, npv = values(counts.tp / m, counts.tn / n)
    # The paper's logit interval; where a cell is empty its adjusted one, with z^2 / 2 infants more
    # on either side, so that 0 and 1 have an interval too.
    more = 0.0 if min(counts.tp, counts.fn, counts.tn, counts.fp) else z * z / 2
    m_adj, n_adj = m + 2 * more, n + 2 * more
    sens, spec = (counts.tp + more) / m_adj, (counts.tn + more) / n_adj
    ppv_adj, npv_adj = values(sens, spec)
    of_ppv = (1 - sens) / sens / m_adj + spec / (1 - spec) / n_adj
    of_npv = sens / (1 - sens) / m_adj + (1 - spec) / spec / n_adj
    return Screening(
        prevalence,
        Estimate(ppv, *_logit_interval(ppv, ppv_adj, of_ppv, z), m + n, "Mercaldo"),
        Estimate(npv, *_logit_interval(npv, npv_adj, of_npv, z), m + n, "Mercaldo"),
        positive,
        negative,
    )


@dataclass(frozen=True)
class Zone:
    """Scores between two thresholds: record again, or ask an expert.

    Parameters
    ----------
    low
        Below it an infant is called not at risk.
    high
        From it on an infant is called at risk.
    share
        Of the infants on whom it was chosen, those between.
    """

    low: float
    high: float
    share: float

    def call(self, score: float) -> str:
        """Say ``at_risk``, ``not_at_risk`` or ``uncertain``."""
        if score >= self.high:
            return "at_risk"
        return "not_at_risk" if score < self.low else "uncertain"


def uncertain_zone(
    positive: ArrayLike, score: ArrayLike, sensitivity: float, specificity: float
) -> Zone | None:
    """Choose the smallest zone of doubt that keeps both promises on validation infants.

    At most ``1 - sensitivity`` of the infants at risk lie below it, and at most
    ``1 - specificity`` of the others in or above its upper end.

    Parameters
    ----------
    positive, score : array of shape (infant,)
        Validation infants, never those who are tested.
    sensitivity, specificity
        Promised for infants outside the zone.

    Returns
    -------
    Zone or None
        None where one of the groups is empty. ``low`` equals ``high`` where one threshold does.
    """
    truth, values = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
    risk, rest = np.sort(values[truth]), np.sort(values[~truth])
    if not len(risk) or not len(rest):
        return None
    tolerance = 1e-9
    missed = math.floor((1 - sensitivity) * len(risk) + tolerance)
    low = float(risk[missed]) if missed < len(risk) else math.inf
    wrong = math.floor((1 - specificity) * len(rest) + tolerance)
    # Above the highest score that may not be called at risk.
    high = -math.inf
    if wrong < len(rest):
        highest = rest[len(rest) - 1 - wrong]
        above = values[values > highest]
        high = float(above.min()) if len(above) else float(np.nextafter(highest, math.inf))
    if high <= low:
        # One threshold keeps both: the one in the middle.
        middle = (max(high, float(values.min())) + min(low, float(values.max()))) / 2
        return Zone(middle, middle, 0.0)
    return Zone(low, high, float(((values >= low) & (values < high)).mean()))


def _shares(called: NDArray[np.bool_], confidence: float) -> NDArray[np.float64]:
    """Return the share of infants called, its low and its high end, of shape (3, threshold)."""
    each = [proportion(int(row.sum()), len(row), confidence) for row in called]
    return np.array([[e.value, e.low, e.high] for e in each]).T


def net_benefit(
    positive: ArrayLike,
    probability: ArrayLike,
    thresholds: ArrayLike,
    prevalence: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return the decision curve: what acting on the model is worth, in true positives an infant.

    Parameters
    ----------
    positive, probability : array of shape (infant,)
    thresholds : array of shape (threshold,)
        Probabilities of risk from which one would act, below 1: whoever acts from 0.2 on takes
        four false alarms for one found infant.
    prevalence
        Of the clinic; None takes the infants' own.
    confidence
        Of the interval: Wilson's of both shares put together by the method of variance estimates
        recovery. The prevalence counts as known.

    Returns
    -------
    DataFrame
        Columns threshold, model, low, high, all (act on everybody), none (0).
    """
    truth, p = np.asarray(positive, dtype=bool), np.asarray(probability, dtype=np.float64)
    at = np.asarray(thresholds, dtype=np.float64)
    share = float(truth.mean()) if prevalence is None else prevalence
    odds = at / (1 - at)
    called = p[None, :] >= at[:, None]
    found, found_low, found_high = share * _shares(called[:, truth], confidence)
    alarms, alarms_low, alarms_high = (1 - share) * odds * _shares(called[:, ~truth], confidence)
    value = found - alarms
    return pd.DataFrame(
        {
            "threshold": at,
            "model": value,
            "low": value - np.hypot(found - found_low, alarms_high - alarms),
            "high": value + np.hypot(found_high - found, alarms - alarms_low),
            "all": share - (1 - share) * odds,
            "none": np.zeros_like(at),
        }
    )
