"""The evaluation as tables: every figure with its number of infants and its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import calibration, multiclass
from fidgety.evaluation.baseline import direction
from fidgety.evaluation.intervals import NAN, Estimate, auc_estimate, proportion
from fidgety.evaluation.metrics import PROPORTIONS, Counts, auc, roc
from fidgety.evaluation.records import LABELLED, Assessment, Infant
from fidgety.files import job_seed
from fidgety.training.results import KAUR_NORMAL_SHARE

EVALUATION_SCHEMA = "evaluation/1"
BASELINE = "mean speed"
MAJORITY = "majority class"
#: What is told of decisions without a probability: Kaur 2025's infant rule, the majority class.
RULE_METRICS = ("accuracy", "sensitivity", "specificity")

METRIC_COLUMNS = (
    "model",
    "set",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "method",
    "fold_mean",
    "fold_sd",
    "folds",
)
INFANT_COLUMNS = (
    "infant",
    "role",
    "label",
    "model",
    "probability",
    "low",
    "high",
    "threshold",
    "decision",
    "votes",
    "folds",
    "fms_frequency",
    "status",
    "reason",
    "reason_detail",
)


def judged(records: Sequence[Assessment], model: str, role: str) -> list[Assessment]:
    """Return the records that a model's figures for a set are made of: label and result."""
    return [r for r in records if r.model == model and r.role == role and r.label and r.outcome.ok]


def _positive(records: Sequence[Assessment], risk: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([r.label in risk for r in records], dtype=bool)


def fold_values(records: Sequence[Assessment], risk: Sequence[str]) -> dict[str, list[float]]:
    """Compute every metric for every fold model on the infants that it was asked about.

    Returns
    -------
    dict
        Metric to the fold models' values; folds where it is undefined are left out.
    """
    by_fold: dict[int, list[tuple[bool, float, bool]]] = {}
    for record in records:
        for k, p, threshold in zip(
            record.folds, record.fold_probability, record.fold_threshold, strict=True
        ):
            by_fold.setdefault(k, []).append((record.label in risk, float(p), p >= threshold))
    values: dict[str, list[float]] = {"auc": [], **{m: [] for m in PROPORTIONS}}
    for k in sorted(by_fold):
        truth, score, called = (np.array(column) for column in zip(*by_fold[k], strict=True))
        counts = Counts.of(truth, called)
        found = {"auc": auc(truth, score)} | {m: counts.value(m) for m in PROPORTIONS}
        for metric, value in found.items():
            if np.isfinite(value):
                values[metric].append(value)
    return values


def _class_estimates(
    records: Sequence[Assessment], classes: Sequence[str], resampling: Mapping[str, Any]
) -> dict[str, Estimate]:
    """With more than two classes: how often, and how well, the most probable is the right one."""
    if len(classes) < 3:
        return {}
    truth = [r.label for r in records]
    chosen = [classes[int(np.argmax(r.class_probability))] for r in records]
    return multiclass.estimates(truth, chosen, classes, **resampling)


def estimates(
    records: Sequence[Assessment],
    classes: Sequence[str],
    risk: Sequence[str],
    config: EvaluationConfig,
    seed: int,
) -> dict[str, Estimate]:
    """Estimate every metric of one model on one set."""
    truth = _positive(records, risk)
    score = np.array([r.probability for r in records], dtype=np.float64)
    counts = Counts.of(truth, [bool(r.at_risk) for r in records])
    resampling: dict[str, Any] = {
        "resamples": config.bootstrap,
        "confidence": config.confidence,
        "seed": seed,
    }
    return {
        "auc": auc_estimate(truth, score, **resampling),
        **{m: proportion(*counts.fraction(m), config.confidence) for m in PROPORTIONS},
        "brier": calibration.brier(truth, score, **resampling),
        "calibration_slope": calibration.slope(truth, score, config.confidence),
        "calibration_intercept": calibration.intercept(truth, score, config.confidence),
        **_class_estimates(records, classes, resampling),
    }


def rule_name(model: str) -> str:
    """Name Kaur 2025's infant rule on a model's instances, as the tables do."""
    return f"{model}, {100 * KAUR_NORMAL_SHARE:.0f} % rule"


def rule_estimates(
    records: Sequence[Assessment], risk: Sequence[str], confidence: float
) -> dict[str, Estimate]:
    """Estimate the figures of Kaur 2025's infant rule (section 3.3); empty for bag models.

    The rule gives a decision without a probability, so there is no curve.
    """
    own = [r for r in records if r.kaur_positive is not None]
    if not own:
        return {}
    counts = Counts.of(_positive(own, risk), [bool(r.kaur_positive) for r in own])
    return {m: proportion(*counts.fraction(m), confidence) for m in RULE_METRICS}


def _row(
    model: str, role: str, metric: str, estimate: Estimate, folds: Sequence[float] = ()
) -> dict[str, Any]:
    return {
        "model": model,
        "set": role,
        "metric": metric,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "method": estimate.method,
        "fold_mean": float(np.mean(folds)) if folds else NAN,
        "fold_sd": float(np.std(folds, ddof=1)) if len(folds) > 1 else NAN,
        "folds": len(folds),
    }


def metric_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    seed: int,
) -> pd.DataFrame:
    """Tabulate every metric of every model on every set that has infants.

    Parameters
    ----------
    records
        Of :func:`fidgety.evaluation.records.collect`.
    models
        Names in the order wanted.
    classes
        Class to whether it is at risk, in the order of the models' outputs.
    config, seed
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`METRIC_COLUMNS`; ``fold_mean`` and ``fold_sd`` are over the fold
        models, as the papers give them. Models of single instances have a second row a metric
        of Kaur 2025's infant rule, under :func:`rule_name`.
    """
    risk = [name for name, at_risk in classes.items() if at_risk]
    rows = []
    for role in LABELLED:
        if not any(r.role == role for r in records):
            continue
        for model in models:
            own = judged(records, model, role)
            found = estimates(own, list(classes), risk, config, job_seed(seed, model, role))
            folds = fold_values(own, risk)
            rows += [_row(model, role, m, e, folds.get(m, ())) for m, e in found.items()]
            rule = rule_estimates(own, risk, config.confidence)
            rows += [_row(rule_name(model), role, m, e) for m, e in rule.items()]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def baseline_table(
    known: Sequence[Infant],
    speed: Mapping[str, float],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    seed: int,
) -> tuple[pd.DataFrame, int]:
    """Tabulate the mean speed's area under the curve on every set.

    Parameters
    ----------
    known
        Infants of the cohorts, those that the models are judged on: with a result of at least
        one model, so that baseline and models are compared on the same infants.
    speed
        Infant to mean speed; infants without one are left out and so not in ``n``.
    classes, config, seed
        As in :func:`metric_table`.

    Returns
    -------
    table : DataFrame
        Columns :data:`METRIC_COLUMNS`.
    direction : int
        1 if faster was taken as risk, -1 if slower, 0 without any infant.
    """
    sets = {}
    for role in LABELLED:
        own = [i for i in known if i.role == role and i.label and i.outcome.ok]
        own = [i for i in own if np.isfinite(speed.get(i.infant, NAN))]
        if own:
            truth = np.array([classes.get(i.label, False) for i in own])
            sets[role] = truth, np.array([speed[i.infant] for i in own])
    sign = direction(*sets["development"]) if "development" in sets else (-1 if sets else 0)
    rows = []
    for role, (truth, values) in sets.items():
        estimate = auc_estimate(
            truth,
            sign * values,
            resamples=config.bootstrap,
            confidence=config.confidence,
            seed=job_seed(seed, BASELINE, role),
        )
        rows.append(_row(BASELINE, role, "auc", estimate))
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS)), sign


def majority_table(
    known: Sequence[Infant], classes: Mapping[str, bool], confidence: float
) -> pd.DataFrame:
    """Tabulate what always answering the larger side of the development infants would give.

    Parameters
    ----------
    known
        As in :func:`baseline_table`.
    classes
        Class to whether it is at risk.
    confidence
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`METRIC_COLUMNS`; of equal sides the answer is "at risk". Empty without
        development infants.
    """
    sides = {
        role: np.array(
            [classes.get(i.label, False) for i in known if i.role == role and i.label], dtype=bool
        )
        for role in LABELLED
    }
    if not sides["development"].size:
        return pd.DataFrame(columns=list(METRIC_COLUMNS))
    answer = bool(sides["development"].mean() >= 0.5)
    rows = []
    for role, truth in sides.items():
        if truth.size:
            counts = Counts.of(truth, np.full(truth.size, answer))
            rows += [
                _row(MAJORITY, role, metric, proportion(*counts.fraction(metric), confidence))
                for metric in RULE_METRICS
            ]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def decision_text(at_risk: bool | None) -> str:
    """Name a decision as the tables do."""
    return "" if at_risk is None else ("at risk" if at_risk else "not at risk")


def infant_table(records: Sequence[Assessment]) -> pd.DataFrame:
    """Tabulate one row an infant and model, those without a result too."""
    rows = [
        {
            "infant": r.infant,
            "role": r.role,
            "label": r.label,
            "model": r.model,
            "probability": r.probability,
            "low": r.low,
            "high": r.high,
            "threshold": r.threshold,
            "decision": decision_text(r.at_risk),
            "votes": r.votes if r.outcome.ok else "",
            "folds": len(r.folds) if r.outcome.ok else "",
            "fms_frequency": r.fms_frequency,
            "status": r.outcome.status.value,
            "reason": r.outcome.reason.value if r.outcome.reason else "",
            "reason_detail": r.outcome.detail,
        }
        for r in records
    ]
    return pd.DataFrame(rows, columns=list(INFANT_COLUMNS))


def roc_table(
    records: Sequence[Assessment], models: Sequence[str], risk: Sequence[str]
) -> pd.DataFrame:
    """Tabulate the points of every ROC curve."""
    rows = []
    for role in LABELLED:
        for model in models:
            own = judged(records, model, role)
            curve = roc(_positive(own, risk), [r.probability for r in own])
            rows += [
                {
                    "model": model,
                    "set": role,
                    "false_positive_rate": float(x),
                    "true_positive_rate": float(y),
                    "threshold": float(t),
                }
                for x, y, t in zip(
                    curve.false_positive_rate,
                    curve.true_positive_rate,
                    curve.threshold,
                    strict=True,
                )
            ]
    columns = ["model", "set", "false_positive_rate", "true_positive_rate", "threshold"]
    return pd.DataFrame(rows, columns=columns)


def calibration_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    risk: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """Tabulate the reliability bins of every model and set."""
    rows = []
    for role in LABELLED:
        for model in models:
            own = judged(records, model, role)
            bins = calibration.reliability(
                _positive(own, risk), [r.probability for r in own], confidence=confidence
            )
            rows += [
                {
                    "model": model,
                    "set": role,
                    "predicted": b.predicted,
                    "observed": b.observed.value,
                    "low": b.observed.low,
                    "high": b.observed.high,
                    "n": b.observed.n,
                }
                for b in bins
            ]
    columns = ["model", "set", "predicted", "observed", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def accounting(
    records: Sequence[Assessment], models: Sequence[str], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Say for every model and role how many infants there are and what became of them."""
    rows = []
    for model in models:
        for role in sorted({r.role for r in records}):
            own = [r for r in records if r.model == model and r.role == role]
            reasons = Counter(r.outcome.reason.value for r in own if r.outcome.reason)
            labels = Counter(r.label for r in own if r.outcome.ok)
            rows.append(
                {
                    "model": model,
                    "role": role,
                    "infants": len(own),
                    "with_result": sum(r.outcome.ok for r in own),
                    "by_class": {c: labels.get(c, 0) for c in classes},
                    "without_result": dict(sorted(reasons.items())),
                    "not_assessable": sorted(r.infant for r in own if not r.outcome.ok),
                }
            )
    return rows
