"""Probabilities recalibrated on validation infants, and what that does to the infants judged.

Every fold model has a map of its own from its scores to probabilities, fitted on the infants that
it kept aside and applied to those that it judges, who have no part in it. An infant's probability
is the mean over its fold models, as with raw scores. So the area under the curve of one fold stays
what it is under Platt's map, that of several folds together does not have to.

References
----------
Platt 1999, in Advances in Large Margin Classifiers, 61 (a sigmoid, with smoothed targets). Zadrozny
& Elkan 2002, Proc KDD, 694 (isotonic regression). Niculescu-Mizil & Caruana 2005, Proc ICML, 625
(isotonic regression needs some hundreds of cases, Platt's map few). Vittinghoff & McCulloch 2007,
Am J Epidemiol 165:710 (from five cases a coefficient on, logistic regression is to be trusted).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import calibration
from fidgety.evaluation.calibration import logit
from fidgety.evaluation.model_comparison import Validation, compared
from fidgety.evaluation.records import Assessment
from fidgety.evaluation.tables import judged
from fidgety.files import job_seed

Array = NDArray[np.float64]
Map = Callable[[ArrayLike], Array]

#: Fewest validation infants of either group: a slope is one coefficient, and needs five cases.
MIN_EACH = 5
RAW = "raw"

CALIBRATION_COLUMNS = (
    "set",
    "model",
    "method",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "interval",
    "fitted_on",
    "flat",
)
RELIABILITY_COLUMNS = ("set", "model", "method", "predicted", "observed", "low", "high", "n")


@dataclass(frozen=True)
class Platt:
    """A sigmoid of the logit of the score.

    Parameters
    ----------
    slope
        At least 0.
    intercept
    """

    slope: float
    intercept: float

    @property
    def flat(self) -> bool:
        """Whether it gives every score the same probability."""
        return self.slope == 0

    def __call__(self, score: ArrayLike) -> Array:
        """Return probabilities of the same shape."""
        return np.asarray(special.expit(self.intercept + self.slope * logit(score)))


def fit_platt(positive: ArrayLike, score: ArrayLike) -> Platt:
    """Fit Platt's sigmoid by maximum likelihood, with his smoothed targets.

    The targets are (m + 1) / (m + 2) for the m infants at risk and 1 / (n + 2) for the n others,
    so that it exists where the scores part the groups, too.

    A map never turns the order of the scores round: on scores that fall with risk the likelihood,
    among slopes of at least 0, is highest at 0, and the map is flat.

    Parameters
    ----------
    positive, score : array of shape (infant,)
        Validation infants, some of either group; the score is a probability.
    """
    truth = np.asarray(positive, dtype=bool)
    x = logit(score)
    m, n = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (m + 1) / (m + 2), 1 / (n + 2))
    flat = Platt(0.0, float(special.logit(target.mean())))
    if np.ptp(x) < 1e-9:
        return flat
    # An infant with target t is t of an infant at risk and 1 - t of another one.
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(
        np.tile(x, 2)[:, None],
        np.repeat([True, False], len(x)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope = float(fit.coef_[0, 0])
    return Platt(slope, float(fit.intercept_[0])) if slope > 0 else flat


@dataclass(frozen=True)
class Isotonic:
    """Steps that never fall, straight between them, level beyond the validation infants' scores.

    Parameters
    ----------
    score, probability : ndarray of shape (corner,)
    """

    score: Array
    probability: Array

    @property
    def flat(self) -> bool:
        """Whether it gives every score the same probability."""
        return bool(np.ptp(self.probability) == 0)

    def __call__(self, score: ArrayLike) -> Array:
        """Return probabilities of the same shape."""
        return np.asarray(
            np.interp(np.asarray(score, dtype=np.float64), self.score, self.probability)
        )


def fit_isotonic(positive: ArrayLike, score: ArrayLike) -> Isotonic:
    """Fit the rising function with the smallest squared error.

    Parameters
    ----------
    positive, score : array of shape (infant,)
        Validation infants.
    """
    truth = np.asarray(positive, dtype=np.float64)
    fit = IsotonicRegression(y_min=0.0, y_max=1.0).fit(np.asarray(score, dtype=np.float64), truth)
    return Isotonic(np.asarray(fit.X_thresholds_), np.asarray(fit.y_thresholds_))


FITS: Mapping[str, Callable[[ArrayLike, ArrayLike], Platt | Isotonic]] = {
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}
METHODS = (RAW, *FITS)


def too_few(validation: Mapping[int, Validation]) -> str:
    """Say which fold models of a model kept too few infants aside; nothing if none did."""
    parts = []
    for fold, kept in sorted(validation.items()):
        at_risk = sum(kept.positive)
        others = len(kept.positive) - at_risk
        if min(at_risk, others) < MIN_EACH:
            parts.append(f"fold {fold} has {at_risk} at risk and {others} others")
    if not validation:
        return "there is no fold model"
    return "; ".join(parts)


def not_recalibrated(validation: Mapping[str, Mapping[int, Validation]]) -> list[str]:
    """Say, a line each, which models are not recalibrated, and why."""
    return [
        f"{model} is not recalibrated: every fold model needs {MIN_EACH} validation infants at "
        f"risk and {MIN_EACH} others, and {why}"
        for model, folds in validation.items()
        if (why := too_few(folds))
    ]


def recalibrated(
    records: Sequence[Assessment], maps: Mapping[int, Callable[[ArrayLike], Array]] | None
) -> Array:
    """Return the probability of being at risk of every infant; None takes the scores as they are.

    Parameters
    ----------
    records
        Of one model, with results.
    maps
        Fold to the map of its model.

    Returns
    -------
    ndarray of shape (infant,)
    """
    if maps is None:
        return np.array([r.probability for r in records], dtype=np.float64)
    return np.array(
        [
            np.mean([float(maps[k](p)) for k, p in zip(r.folds, r.fold_probability, strict=True)])
            for r in records
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True)
class _Judged:
    """One model's probabilities on one set by one method; see the tables' columns."""

    role: str
    model: str
    method: str
    truth: NDArray[np.bool_]
    raw: Array
    probability: Array
    fitted_on: int
    flat: int


def _judge(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Mapping[int, Validation]],
    classes: Mapping[str, bool],
) -> list[_Judged]:
    """Apply every method to every model and set, as far as there are validation infants."""
    maps = {
        (model, method): {k: fit(kept.positive, kept.score) for k, kept in folds.items()}
        for model, folds in validation.items()
        if not too_few(folds)
        for method, fit in FITS.items()
    }
    found = []
    for one in compared(records, models):
        for model in one.models:
            own = judged(one.records, model, one.role)
            truth = np.array([classes.get(r.label, False) for r in own], dtype=bool)
            raw = recalibrated(own, None)
            found.append(_Judged(one.role, model, RAW, truth, raw, raw, 0, 0))
            for method in FITS:
                fitted = maps.get((model, method))
                if fitted is None:
                    continue
                found.append(
                    _Judged(
                        one.role,
                        model,
                        method,
                        truth,
                        raw,
                        recalibrated(own, fitted),
                        len({i for kept in validation[model].values() for i in kept.infant}),
                        sum(one_map.flat for one_map in fitted.values()),
                    )
                )
    return found


def calibration_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Mapping[int, Validation]],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    seed: int,
) -> pd.DataFrame:
    """Tabulate calibration before and after it was mended on validation infants.

    Measures: ``brier`` and ``brier_change`` (after minus before, of the same infants), with a
    bootstrap interval by infant; ``calibration_slope`` and ``calibration_intercept`` with Wald's,
    as a resample of few infants often has groups that the score parts, and then no slope.

    Parameters
    ----------
    records, models
        What is compared.
    validation
        Model and fold to what its fold models said of the infants that they kept aside.
    classes
        Class to whether it is at risk.
    config, seed
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`CALIBRATION_COLUMNS`; ``fitted_on`` validation infants, by maps of which
        ``flat`` give every infant the same probability. A model whose fold models kept too few
        infants aside (:func:`too_few`) has its raw scores alone.
    """
    rows = []
    for one in _judge(records, models, validation, classes):
        resampling = {
            "resamples": config.bootstrap,
            "confidence": config.confidence,
            "seed": job_seed(seed, one.model, one.role),
        }
        found = {
            "brier": calibration.brier(one.truth, one.probability, **resampling),  # type: ignore[arg-type]
            "calibration_slope": calibration.slope(one.truth, one.probability, config.confidence),
            "calibration_intercept": calibration.intercept(
                one.truth, one.probability, config.confidence
            ),
        }
        if one.method != RAW:
            found["brier_change"] = calibration.brier_change(
                one.truth,
                one.raw,
                one.probability,
                **resampling,  # type: ignore[arg-type]
            )
        rows += [
            (
                *(one.role, one.model, one.method, measure),
                *(e.value, e.low, e.high, e.n, e.method),
                *(one.fitted_on, one.flat),
            )
            for measure, e in found.items()
        ]
    return pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))


def reliability_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Mapping[int, Validation]],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Tabulate predicted and observed shares in groups of infants, before and after."""
    rows = [
        (
            *(one.role, one.model, one.method, b.predicted),
            *(b.observed.value, b.observed.low, b.observed.high, b.observed.n),
        )
        for one in _judge(records, models, validation, classes)
        for b in calibration.reliability(one.truth, one.probability, confidence=config.confidence)
    ]
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))
