"""The clinical outcome, kept apart from the label of the General Movements Assessment.

A model learns the label, so agreement with it says whether the model does what a trained assessor
does. Whether an infant later has cerebral palsy is another question, asked here of the models and
of the label alike, on the same infants. The outcome comes from the columns ``cp`` and
``follow_up_age_months`` of the sample sheet; nothing that trains, predicts or sets a threshold
reads them.

Cerebral palsy counts where it was seen at 24 months or later. Probabilities are those of the label:
their calibration against the outcome would mean nothing, and is not given.

References
----------
Cohen 1960, Educ Psychol Meas 20:37, and Fleiss, Cohen & Everitt 1969, Psychol Bull 72:323 (kappa
and its interval). Mercaldo, Lau & Zhou 2007, Stat Med 26:2170 (predictive values).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import StorageError
from fidgety.evaluation.differences import (
    Area,
    Difference,
    difference_of_means,
    difference_of_shares,
    holm,
)
from fidgety.evaluation.intervals import NAN, Estimate, proportion
from fidgety.evaluation.metrics import Counts, auc
from fidgety.evaluation.model_comparison import compared
from fidgety.evaluation.records import LABELLED, Assessment, Infant
from fidgety.evaluation.screening import screening
from fidgety.evaluation.serial import numbers
from fidgety.evaluation.subgroups import too_few

#: Cerebral palsy counts where it was seen at this age or later.
OLD_ENOUGH_MONTHS = 24.0
#: Stands among the models for the label itself.
GMA_LABEL = "(GMA label)"
#: What is predicted: the label of the assessment, or the clinical outcome.
LABEL, PALSY = "label", "cp"
OUTCOME_COLUMNS = (
    "set",
    "target",
    "predictor",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "n_positive",
    "n_negative",
    "prevalence",
    "method",
    "warning",
)
FOLLOW_UP_COLUMNS = (
    "set",
    "infant",
    "label",
    "sex",
    "gestational_age_weeks",
    "birth_weight_g",
    "corrected_age_weeks",
    "cp",
    "follow_up_age_months",
    "state",
    "with_result",
)
DIFFERENCE_COLUMNS = (
    "set",
    "characteristic",
    "n_followed",
    "followed",
    "n_lost",
    "lost",
    "difference",
    "low",
    "high",
    "method",
    "p",
    "p_holm",
)
MEASURED = ("corrected_age_weeks", "gestational_age_weeks", "birth_weight_g")
AGREEMENT = ("kappa", "accuracy", "sensitivity", "specificity", "ppv", "npv", "auc")
PREDICTION = ("auc", "sensitivity", "specificity", "ppv", "npv")


class State(StrEnum):
    """What is known of an infant's outcome."""

    PALSY = "cerebral palsy"
    NO_PALSY = "no cerebral palsy"
    LOST = "lost to follow-up"
    EARLY = "seen too early"
    NO_AGE = "age at follow-up not recorded"
    UNDECIDED = "seen, but undecided"
    NOT_YET = "not recorded"

    @property
    def counts(self) -> bool:
        """Whether the outcome is one."""
        return self in (State.PALSY, State.NO_PALSY)


def state_of(cp: str, age_months: float) -> State:
    """Decide what is known of an outcome.

    Parameters
    ----------
    cp
        ``yes``, ``no``, ``unknown``, ``lost`` or nothing.
    age_months
        At which it was seen; NaN where that is not recorded.

    Raises
    ------
    ValueError
        If ``cp`` is something else.
    """
    known = {"lost": State.LOST, "unknown": State.UNDECIDED, "": State.NOT_YET}
    if cp in known:
        return known[cp]
    if cp not in ("yes", "no"):
        raise ValueError(f"cp is {cp!r}")
    if math.isnan(age_months):
        return State.NO_AGE
    if age_months < OLD_ENOUGH_MONTHS:
        return State.EARLY
    return State.PALSY if cp == "yes" else State.NO_PALSY


def _given(rows: pd.DataFrame, column: str) -> str:
    """Return what an infant's rows say, the first that says anything."""
    return next((str(v) for v in rows[column] if v), "") if column in rows else ""


def follow_up_table(
    known: Sequence[Infant], cohort: pd.DataFrame, records: Sequence[Assessment]
) -> pd.DataFrame:
    """List the infants with a label and what is known of their outcome.

    Parameters
    ----------
    known, cohort, records
        Of :mod:`fidgety.evaluation.records`.

    Returns
    -------
    DataFrame
        Columns :data:`FOLLOW_UP_COLUMNS`, a row an infant; ``corrected_age_weeks`` is that of the
        first recording, ``with_result`` says whether any model has a result.

    Raises
    ------
    StorageError
        If a cohort table has a word in ``cp`` that none of ours has.
    """
    answered = {r.infant for r in records if r.outcome.ok}
    found: list[dict[str, Any]] = []
    for infant in (i for i in known if i.role in LABELLED and i.label):
        rows = cohort[(cohort["infant"] == infant.infant) & (cohort["role"] == infant.role)]
        cp = _given(rows, "cp")
        months = _given(rows, "follow_up_age_months")
        age = float(months) if months else NAN
        try:
            state = state_of(cp, age)
        except ValueError as error:
            raise StorageError(f"infant {infant.infant}: {error} in the cohort table.") from None
        found.append(
            {
                "set": infant.role,
                "infant": infant.infant,
                "label": infant.label,
                "sex": _given(rows, "sex"),
                **{c: float(_given(rows, c) or NAN) for c in MEASURED[1:]},
                "corrected_age_weeks": float(numbers(rows, "corrected_age_weeks").min()),
                "cp": cp,
                "follow_up_age_months": age,
                "state": state.value,
                "with_result": "yes" if infant.infant in answered else "no",
            }
        )
    return pd.DataFrame(found, columns=list(FOLLOW_UP_COLUMNS))


def kappa(truth: NDArray[np.bool_], called: NDArray[np.bool_], confidence: float) -> Estimate:
    """Estimate Cohen's kappa with its asymptotic interval.

    Undefined where label and calls are all one and the same. Without an interval where one of them
    knows one answer alone, or every call agrees or none does: the formula's variance is then 0 or
    does not exist, whatever the number of infants.
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    n = int(truth.size)
    table = np.array(
        [[((truth == a) & (called == b)).sum() for b in (False, True)] for a in (False, True)]
    )
    if not n or table.max() == n:
        return Estimate(NAN, n=n, method="undefined")
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cohens_kappa(table, return_results=True)
    value, spread = float(found.kappa), float(found.std_kappa)
    one_answer = (table.sum(axis=0) == 0).any() or (table.sum(axis=1) == 0).any()
    agreed = int(np.trace(table))
    if one_answer or agreed in (0, n):
        return Estimate(value, n=n, method="none: no variance")
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * spread
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0), n, "Fleiss")


@dataclass(frozen=True)
class _Predictor:
    """What is held against a target: calls, and scores where there are any."""

    name: str
    called: NDArray[np.bool_]
    score: NDArray[np.float64] | None


def _estimates(
    truth: NDArray[np.bool_],
    predictor: _Predictor,
    share: float,
    measures: Sequence[str],
    confidence: float,
) -> dict[str, Estimate]:
    counts = Counts.of(truth, predictor.called)
    n = int(truth.size)
    found = {
        m: proportion(*counts.fraction(m), confidence)
        for m in ("accuracy", "sensitivity", "specificity")
    }
    if "kappa" in measures:
        found["kappa"] = kappa(truth, predictor.called, confidence)
    positive = int(truth.sum())
    found["auc"] = Estimate(NAN, n=n, method="undefined")
    if predictor.score is not None:
        area = Area(auc(truth, predictor.score), positive, n - positive)
        found["auc"] = area.estimate(confidence)
    nothing = Estimate(NAN, n=n, method="undefined")
    carried = screening(counts, share, confidence) if 0 < share < 1 else None
    found["ppv"] = carried.ppv if carried else nothing
    found["npv"] = carried.npv if carried else nothing
    return {m: found[m] for m in measures}


def _sides(measure: str, positive: int, negative: int) -> list[int]:
    return {"sensitivity": [positive], "specificity": [negative]}.get(measure, [positive, negative])


def _target_rows(
    role: str,
    target: str,
    truth: NDArray[np.bool_],
    predictors: Sequence[_Predictor],
    prevalence: float | None,
    measures: Sequence[str],
    confidence: float,
) -> list[dict[str, Any]]:
    positive = int(truth.sum())
    negative = int(truth.size) - positive
    share = prevalence or (positive / truth.size if truth.size else NAN)
    return [
        {
            "set": role,
            "target": target,
            "predictor": predictor.name,
            "measure": measure,
            "value": e.value,
            "low": e.low,
            "high": e.high,
            "n": e.n,
            "n_positive": positive,
            "n_negative": negative,
            "prevalence": share if measure in ("ppv", "npv") else NAN,
            "method": e.method,
            "warning": too_few(_sides(measure, positive, negative)),
        }
        for predictor in predictors
        for measure, e in _estimates(truth, predictor, share, measures, confidence).items()
    ]


def _models(records: Sequence[Assessment], models: Sequence[str]) -> list[_Predictor]:
    found = []
    for model in models:
        own = [r for r in records if r.model == model]
        called = np.array([bool(r.at_risk) for r in own], dtype=bool)
        found.append(_Predictor(model, called, np.array([r.probability for r in own])))
    return found


def outcome_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    follow_up: pd.DataFrame,
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Tabulate agreement with the label, and prediction of the outcome by models and label.

    Parameters
    ----------
    records, models
        As in :func:`fidgety.evaluation.records.collect`.
    follow_up
        Of :func:`follow_up_table`.
    classes
        Class to whether it is at risk.
    config
        ``confidence``; ``prevalence`` and ``outcome_prevalence`` for predictive values, each set's
        own share without.

    Returns
    -------
    DataFrame
        Columns :data:`OUTCOME_COLUMNS`. Infants are those of whom every model with a result on the
        set has one; against ``cp`` those of them whose outcome counts.
    """
    risk = [name for name, at_risk in classes.items() if at_risk]
    state = {i: State(s) for i, s in zip(follow_up["infant"], follow_up["state"], strict=True)}
    found: list[dict[str, Any]] = []
    for one in compared(records, models):
        truth = _truth(one.records, one.models[0], lambda r: r.label in risk)
        found += _target_rows(
            one.role,
            LABEL,
            truth,
            _models(one.records, one.models),
            config.prevalence,
            AGREEMENT,
            config.confidence,
        )
        seen = [r for r in one.records if state.get(r.infant, State.NOT_YET).counts]
        if not seen:
            continue
        palsy = _truth(seen, one.models[0], lambda r: state[r.infant] is State.PALSY)
        label = _truth(seen, one.models[0], lambda r: r.label in risk)
        found += _target_rows(
            one.role,
            PALSY,
            palsy,
            [*_models(seen, one.models), _Predictor(GMA_LABEL, label, None)],
            config.outcome_prevalence,
            PREDICTION,
            config.confidence,
        )
    return pd.DataFrame(found, columns=list(OUTCOME_COLUMNS))


def _truth(
    records: Sequence[Assessment], model: str, of: Callable[[Assessment], bool]
) -> NDArray[np.bool_]:
    """Ask of every infant once: of one model's records."""
    return np.array([of(r) for r in records if r.model == model], dtype=bool)


def _difference_row(
    role: str, name: str, first: NDArray[np.float64], second: NDArray[np.float64], d: Difference
) -> dict[str, Any]:
    return {
        "set": role,
        "characteristic": name,
        "n_followed": int(first.size),
        "followed": float(first.mean()) if first.size else NAN,
        "n_lost": int(second.size),
        "lost": float(second.mean()) if second.size else NAN,
        "difference": d.estimate.value,
        "low": d.estimate.low,
        "high": d.estimate.high,
        "method": d.estimate.method,
        "p": d.p,
    }


def _count(values: NDArray[np.float64]) -> tuple[int, int]:
    return int(values.sum()), int(values.size)


def lost_table(
    follow_up: pd.DataFrame,
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    confidence: float,
) -> pd.DataFrame:
    """Compare infants lost to follow-up with those whose outcome counts.

    Parameters
    ----------
    follow_up
        Of :func:`follow_up_table`.
    records, models
        For the probability of being at risk, of those of whom a model has a result.
    classes
        Class to whether it is at risk.
    confidence
        Coverage.

    Returns
    -------
    DataFrame
        Columns :data:`DIFFERENCE_COLUMNS`: lost less followed; shares by Newcombe's interval and
        Fisher's test, means by Welch's. ``p_holm`` is over the rows of a set. Empty of sets where
        nobody is lost or nobody was followed.
    """
    said = {(r.infant, r.model): r.probability for r in records if r.outcome.ok}
    counted = {s.value for s in State if s.counts}
    parts = []
    for role in LABELLED:
        own = follow_up[follow_up["set"] == role]
        groups = [own[own["state"].isin(counted)], own[own["state"] == State.LOST.value]]
        if any(g.empty for g in groups):
            continue
        rows = []
        shares = {
            "at risk by the label": [
                [float(classes.get(str(label), False)) for label in g["label"]] for g in groups
            ],
            "female": [[float(s == "female") for s in g["sex"] if s] for g in groups],
        }
        for name, values in shares.items():
            first, second = (np.array(v, dtype=np.float64) for v in values)
            difference = difference_of_shares(_count(second), _count(first), confidence)
            rows.append(_difference_row(role, name, first, second, difference))
        means = {name: [g[name].dropna() for g in groups] for name in MEASURED}
        for model in models:
            means[f"probability by {model}"] = [
                pd.Series([said[i, model] for i in g["infant"] if (i, model) in said], dtype=float)
                for g in groups
            ]
        for name, series in means.items():
            first, second = (v.to_numpy(dtype=np.float64) for v in series)
            difference = difference_of_means(second, first, confidence)
            rows.append(_difference_row(role, name, first, second, difference))
        table = pd.DataFrame(rows)
        parts.append(table.assign(p_holm=holm(list(table["p"]))))
    if not parts:
        return pd.DataFrame(columns=list(DIFFERENCE_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(DIFFERENCE_COLUMNS)]
