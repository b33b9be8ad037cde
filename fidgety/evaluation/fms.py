"""Fidgety movements in time: models against experts, and how often they are (Gao 2023, Fig. 3).

An instance counts as one with fidgety movements to a model if their probability, averaged over
the fold models, is more than 0.5, and to an expert if more than half of it lies in the intervals
that the expert marked (Gao 2023, "Data collection"). Instances are 6 s apart where the model's
``predict_step_s`` is the paper's. Models whose instances carry their infant's label, which do
not claim to find fidgety movements, are compared by the probability of not being at risk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_curve

from fidgety.datasets.clips import Rating, ratings
from fidgety.datasets.windows import in_intervals
from fidgety.evaluation.fm_types import CONTINUOUS, INTERMITTENT, TYPES, called_type
from fidgety.evaluation.intervals import NAN, Estimate, auc_estimate, proportion
from fidgety.evaluation.records import LABELLED
from fidgety.training.results import ModelPrediction

#: More than this share of an instance, or this probability, makes it one with the movement.
HALF = 0.5
KAPPA_COLUMNS = (
    "infant", "set", "label", "model", "kappa", "instances", "expert_share", "model_share", "why",
)  # fmt: skip
FREQUENCY_COLUMNS = (
    "infant", "set", "label", "fm_type", "model", "frequency", "instances", "positive",
)  # fmt: skip
NO_FMS = "neither sees fidgety movements"
ALL_FMS = "both see fidgety movements throughout"
NOT_RATED = "no intervals of the rater"


@dataclass(frozen=True)
class Whom:
    """An infant as far as it is known here.

    Parameters
    ----------
    infant, set, label
        Id, role of its cohort, class.
    fm_type
        Type of its fidgety movements as the sheet has it; empty where unknown.
    """

    infant: str
    set: str
    label: str
    fm_type: str = ""


def experts(intervals: Iterable[Mapping[str, Any]], rater: str) -> dict[str, Rating]:
    """Return one rater's intervals by recording.

    A recording in which the rater marked other movements alone has no fidgety movements; one
    without a single row of the rater's is left out.
    """
    return {k: raters[rater] for k, raters in ratings(intervals).items() if rater in raters}


def fm_probability(prediction: ModelPrediction) -> NDArray[np.float64]:
    """Return every instance's probability of fidgety movements, mean over the fold models."""
    return 1 - prediction.instance_risk


def expert_calls(
    prediction: ModelPrediction, rated: Mapping[str, Rating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for every instance whether the expert sees the movement, and whether it is judged."""
    called = np.zeros(len(prediction.recording), dtype=bool)
    judged = np.zeros(len(prediction.recording), dtype=bool)
    spans = zip(prediction.recording, prediction.start_s, prediction.stop_s, strict=True)
    for k, (recording, start, stop) in enumerate(spans):
        own = rated.get(recording)
        if own is None:
            continue
        judged[k] = in_intervals(float(start), float(stop), own.unjudged) <= HALF
        called[k] = in_intervals(float(start), float(stop), own.fidgety) > HALF
    return called, judged


def kappa(first: ArrayLike, second: ArrayLike) -> float:
    """Cohen's kappa of two judges' calls; NaN where both give one answer and the same.

    Parameters
    ----------
    first, second : array of bool of shape (instance,)
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.size == 0 or len(np.unique(np.concatenate([a, b]))) < 2:
        return NAN
    return float(cohen_kappa_score(a, b))


def kappa_row(
    whom: Whom, model: str, prediction: ModelPrediction, rated: Mapping[str, Rating]
) -> dict[str, Any]:
    """Compare a model with an expert over an infant's instances.

    Returns
    -------
    dict
        Of :data:`KAPPA_COLUMNS`; ``why`` says why there is no kappa.
    """
    row = {"infant": whom.infant, "set": whom.set, "label": whom.label, "model": model}
    empty = {"kappa": NAN, "instances": 0, "expert_share": NAN, "model_share": NAN}
    if not prediction.outcome.ok:
        return row | empty | {"why": str(prediction.outcome.reason or "")}
    expert, judged = expert_calls(prediction, rated)
    if not judged.any():
        return row | empty | {"why": NOT_RATED}
    expert = expert[judged]
    own = fm_probability(prediction)[judged] > HALF
    value = kappa(expert, own)
    why = "" if np.isfinite(value) else (ALL_FMS if expert.all() else NO_FMS)
    return row | {
        "kappa": value,
        "instances": int(judged.sum()),
        "expert_share": float(expert.mean()),
        "model_share": float(own.mean()),
        "why": why,
    }


def frequency_row(whom: Whom, model: str, prediction: ModelPrediction) -> dict[str, Any]:
    """Return how often a model sees fidgety movements in an infant: :data:`FREQUENCY_COLUMNS`."""
    return {
        "infant": whom.infant,
        "set": whom.set,
        "label": whom.label,
        "fm_type": whom.fm_type,
        "model": model,
        "frequency": prediction.fms_frequency if prediction.outcome.ok else NAN,
        "instances": len(prediction.recording) if prediction.outcome.ok else 0,
        "positive": prediction.positive if prediction.outcome.ok else None,
    }


def spread(values: ArrayLike) -> dict[str, float]:
    """Return number, median and quartiles of what is there."""
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    if not kept.size:
        return {"n": 0, "median": NAN, "q1": NAN, "q3": NAN}
    q1, median, q3 = (float(q) for q in np.quantile(kept, [0.25, 0.5, 0.75]))
    return {"n": int(kept.size), "median": median, "q1": q1, "q3": q3}


def median_interval(
    values: ArrayLike, *, resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Return the percentile interval of a median, infants resampled; NaN below two of them."""
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    if kept.size < 2:
        return NAN, NAN
    result = stats.bootstrap(
        (kept,),
        np.median,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def kappa_summary(
    table: pd.DataFrame, *, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Summarise the infants' kappas by set and model (Figure 3b).

    Parameters
    ----------
    table
        Of :func:`kappa_row`.
    resamples, confidence, seed
        Of the median's interval.

    Returns
    -------
    DataFrame
        Columns set, model, n (infants with a kappa), median, q1, q3, low, high (interval of the
        median), undefined (infants in whom both see one thing throughout), not_rated; mixed_n and
        mixed_median, mixed_low, mixed_high of the infants in whom the rater sees both: where the
        rater sees one thing throughout, a single instance called otherwise makes the kappa 0.
    """
    how: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    rows = []
    for (role, model), own in table.groupby(["set", "model"], sort=False):
        limits = median_interval(own["kappa"], **how)
        mixed = own.loc[own["expert_share"].between(0, 1, inclusive="neither"), "kappa"]
        mixed_limits = median_interval(mixed, **how)
        rows.append(
            {
                "set": role,
                "model": model,
                **spread(own["kappa"]),
                "low": limits[0],
                "high": limits[1],
                "undefined": int(own["why"].isin([NO_FMS, ALL_FMS]).sum()),
                "not_rated": int((own["instances"] == 0).sum()),
                "mixed_n": spread(mixed)["n"],
                "mixed_median": spread(mixed)["median"],
                "mixed_low": mixed_limits[0],
                "mixed_high": mixed_limits[1],
            }
        )
    columns = ["set", "model", "n", "median", "q1", "q3", "low", "high", "undefined", "not_rated"]
    columns += ["mixed_n", "mixed_median", "mixed_low", "mixed_high"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Contrast:
    """Frequencies of fidgety movements in two groups of infants.

    Parameters
    ----------
    set, first, second
        Role; names of the groups; the first is expected to have more of them.
    first_values, second_values : ndarray of shape (infant,)
    p
        Of the Mann-Whitney test, two-sided; NaN where a group is empty.
    auc
        How well the frequency tells the groups apart.
    threshold
        At or above it an infant is put into the first group; NaN where there is none.
    accuracy
        By that threshold.
    """

    set: str
    first: str
    second: str
    first_values: NDArray[np.float64]
    second_values: NDArray[np.float64]
    p: float
    auc: Estimate
    threshold: float
    accuracy: Estimate


def contrast(
    role: str,
    names: tuple[str, str],
    first: ArrayLike,
    second: ArrayLike,
    threshold: float = NAN,
    *,
    judge: bool = True,
    resamples: int,
    confidence: float,
    seed: int,
) -> Contrast:
    """Compare the frequencies of two groups; what is not known of an infant is left out.

    ``judge`` says whether the threshold's accuracy is told, which it is not of the infants that
    it was chosen on.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (first, second))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    p = NAN
    if a.size and b.size:
        p = float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
    truth = np.concatenate([np.ones(a.size, dtype=bool), np.zeros(b.size, dtype=bool)])
    values = np.concatenate([a, b])
    accuracy = Estimate(NAN, n=int(truth.size), method="undefined")
    if judge and np.isfinite(threshold) and truth.size:
        right = int(((values >= threshold) == truth).sum())
        accuracy = proportion(right, truth.size, confidence)
    return Contrast(
        set=role,
        first=names[0],
        second=names[1],
        first_values=a,
        second_values=b,
        p=p,
        auc=auc_estimate(truth, values, resamples=resamples, confidence=confidence, seed=seed),
        threshold=threshold,
        accuracy=accuracy,
    )


def best_threshold(first: ArrayLike, second: ArrayLike) -> float:
    """Return the threshold that parts two groups best: the largest Youden index, NaN without one.

    Halfway to the next lower value, so that it does not sit on an infant.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (first, second))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not a.size or not b.size:
        return NAN
    values = np.concatenate([a, b])
    truth = np.concatenate([np.ones(a.size), np.zeros(b.size)])
    false, true, thresholds = roc_curve(truth, values, drop_intermediate=False)
    best = float(thresholds[int(np.argmax(true - false))])
    lower = values[values < best]
    if not np.isfinite(best) or not lower.size:
        return float(values.min())
    middle = float((best + lower.max()) / 2)
    return middle if middle > lower.max() else best


def group_contrasts(table: pd.DataFrame, risk: Sequence[str], **how: Any) -> list[Contrast]:
    """Compare infants at risk with the others, by set (Figures 3c and 3d).

    Parameters
    ----------
    table
        Of :func:`frequency_row`, one model's.
    risk
        Classes at risk.
    how
        ``resamples``, ``confidence``, ``seed``.
    """
    found = []
    for role in LABELLED:
        own = table[(table["set"] == role) & (table["label"] != "")]
        if own.empty:
            continue
        risky = own["label"].isin(list(risk))
        found.append(
            contrast(
                role,
                ("not at risk", "at risk"),
                own.loc[~risky, "frequency"],
                own.loc[risky, "frequency"],
                **how,
            )
        )
    return found


def type_threshold(table: pd.DataFrame, continuous_from: float | str) -> float:
    """Return the frequency from which movements are continuous, by one model's frequencies.

    ``development`` is the one that parts the development infants best, NaN without both types.
    """
    if continuous_from != "development":
        return float(continuous_from)
    own = table[table["set"] == "development"]
    return best_threshold(*(own.loc[own["fm_type"] == t, "frequency"] for t in TYPES))


def type_contrasts(table: pd.DataFrame, continuous_from: float | str, **how: Any) -> list[Contrast]:
    """Compare infants with continuous and with intermittent fidgety movements (Figure 3e).

    Parameters
    ----------
    table
        Of :func:`frequency_row`, one model's.
    continuous_from
        The threshold, or ``development``: chosen on the development infants, of whom no accuracy
        is given then.
    how
        ``resamples``, ``confidence``, ``seed``.
    """
    by_set = {}
    for role in LABELLED:
        own = table[table["set"] == role]
        first, second = (own.loc[own["fm_type"] == t, "frequency"] for t in TYPES)
        if len(first) or len(second):
            by_set[role] = first, second
    threshold = type_threshold(table, continuous_from)
    chosen_on = "development" if continuous_from == "development" else ""
    return [
        contrast(
            role,
            (CONTINUOUS, INTERMITTENT),
            first,
            second,
            threshold,
            judge=role != chosen_on,
            **how,
        )
        for role, (first, second) in by_set.items()
    ]


def called_types(table: pd.DataFrame, continuous_from: float | str) -> list[str]:
    """Call every infant's movements by its frequency, each model with its own threshold.

    Parameters
    ----------
    table
        Of :func:`frequency_row`.
    continuous_from
        The threshold, or ``development``: for every model the one that parts its development
        infants best; nothing is called where there are none of both types.
    """
    thresholds = {
        model: type_threshold(own, continuous_from) for model, own in table.groupby("model")
    }
    return [
        called_type(frequency, positive, thresholds[model])
        for model, frequency, positive in zip(
            table["model"], table["frequency"], table["positive"], strict=True
        )
    ]


CONTRAST_COLUMNS = (
    "model", "set", "first", "second", "n_first", "median_first", "q1_first", "q3_first",
    "n_second", "median_second", "q1_second", "q3_second", "p", "auc", "auc_low", "auc_high",
    "threshold", "accuracy", "accuracy_low", "accuracy_high",
)  # fmt: skip


def contrast_row(model: str, one: Contrast) -> dict[str, Any]:
    """Return a contrast as a row of :data:`CONTRAST_COLUMNS`."""
    row: dict[str, Any] = {
        "model": model, "set": one.set, "first": one.first, "second": one.second, "p": one.p,
        "threshold": one.threshold,
    }  # fmt: skip
    for name, values in (("first", one.first_values), ("second", one.second_values)):
        row |= {f"{key}_{name}": value for key, value in spread(values).items()}
    for name, estimate in (("auc", one.auc), ("accuracy", one.accuracy)):
        row |= {
            name: estimate.value,
            f"{name}_low": estimate.low,
            f"{name}_high": estimate.high,
        }
    return row
