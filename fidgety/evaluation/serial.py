"""Serial recordings: what each recording of an infant says by itself, by corrected age.

An infant's result pools its recordings; here they stand apart, each judged by the threshold of the
infant's fold models. That threshold was chosen for whole infants, so a call on one recording is
less sure than the infant's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.errors import Outcome, Status
from fidgety.evaluation.intervals import NAN, proportion
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import Infant
from fidgety.training.results import ModelPrediction
from fidgety.training.risk import risk_probability

#: Corrected age in weeks at which fidgety movements are looked for (Gao 2023 and Kaur 2025).
FIDGETY_WEEKS = (9.0, 20.0)
SERIAL_COLUMNS = (
    "set",
    "infant",
    "label",
    "recording",
    "corrected_age_weeks",
    "in_window",
    "model",
    "probability",
    "low",
    "high",
    "folds",
    "threshold",
    "call",
    "infant_probability",
    "status",
    "reason",
    "reason_detail",
    "duration_s",
    "measured",
    "assessable_s",
)
#: What is told of a recording beside its result.
MEASURED = ("duration_s", "measured", "assessable_s")
CHANGE_COLUMNS = ("set", "model", "value", "low", "high", "n")
#: Why a recording that is fit has no probability of its own.
NO_INSTANCE = "no instance of the model lies in it"


def numbers(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of a cohort table as numbers, NaN where it is empty or not there."""
    if column not in table:
        return pd.Series(NAN, index=table.index, dtype=np.float64)
    return pd.to_numeric(table[column], errors="coerce").astype(np.float64)


def ages(cohort: pd.DataFrame) -> dict[str, float]:
    """Return the corrected age in weeks at every recording; NaN where it is not recorded."""
    age = numbers(cohort, "corrected_age_weeks")
    return {str(r): float(a) for r, a in zip(cohort["recording"], age, strict=True)}


def alone(prediction: ModelPrediction, at_risk: Sequence[bool]) -> dict[str, NDArray[np.float64]]:
    """Return what every fold model says of each recording by itself.

    Parameters
    ----------
    prediction
        One model's, of an infant.
    at_risk
        For each class whether it is at risk.

    Returns
    -------
    dict
        Recording to probabilities of being at risk, of shape (fold,); empty without a result.
    """
    if not prediction.outcome.ok:
        return {}
    risk = risk_probability(prediction.recording_probability, at_risk)
    return {name: risk[:, k] for k, name in enumerate(prediction.sources)}


def window(age_weeks: float) -> str:
    """Say ``yes`` or ``no`` to an age in :data:`FIDGETY_WEEKS`; nothing where it is not known."""
    if not np.isfinite(age_weeks):
        return ""
    return "yes" if FIDGETY_WEEKS[0] <= age_weeks <= FIDGETY_WEEKS[1] else "no"


@dataclass(frozen=True)
class _Said:
    """What a model says of one recording, and of its infant."""

    fold_probability: NDArray[np.float64]
    threshold: float
    infant_probability: float

    def cells(self) -> dict[str, Any]:
        p, there = self.fold_probability, bool(self.fold_probability.size)
        mean = float(p.mean()) if there else NAN
        call = "at risk" if mean >= self.threshold else "not at risk"
        return {
            "probability": mean,
            "low": float(p.min()) if there else NAN,
            "high": float(p.max()) if there else NAN,
            "folds": int(p.size),
            "threshold": self.threshold,
            "call": call if there and np.isfinite(self.threshold) else "",
            "infant_probability": self.infant_probability,
        }


def _said(
    prediction: ModelPrediction | None, recording: str, at_risk: Sequence[bool]
) -> tuple[_Said, Outcome]:
    """Return what a model says of a recording, and why it says nothing."""
    if prediction is None or not prediction.outcome.ok:
        outcome = Outcome() if prediction is None else prediction.outcome
        return _Said(np.empty(0), NAN, NAN), outcome
    mine = alone(prediction, at_risk).get(recording, np.empty(0))
    whole = float(risk_probability(prediction.infant_probability, at_risk).mean())
    return _Said(mine, float(prediction.threshold.mean()), whole), Outcome()


def _row_status(row: pd.Series, said: _Said, outcome: Outcome) -> dict[str, str]:
    """Say why a recording has no probability: its own reason first, then the model's."""
    if str(row["status"]) == Status.OK.value and not said.fold_probability.size:
        reason = outcome.reason.value if outcome.reason else ""
        return {
            "status": Status.NOT_ASSESSABLE.value,
            "reason": reason,
            "reason_detail": outcome.detail if reason else NO_INSTANCE,
        }
    return {name: str(row[name]) for name in ("status", "reason", "reason_detail")}


def _own_rows(cohort: pd.DataFrame, infant: Infant) -> pd.DataFrame:
    rows = cohort[(cohort["infant"] == infant.infant) & (cohort["role"] == infant.role)]
    return rows.assign(_age=numbers(rows, "corrected_age_weeks")).sort_values(
        ["_age", "recording"], kind="stable"
    )


def _followed(known: Sequence[Infant]) -> list[Infant]:
    return [i for i in known if len(i.recordings) > 1 and i.role != "reference"]


def serial_table(
    known: Sequence[Infant],
    cohort: pd.DataFrame,
    predictions: Sequence[InfantPredictions],
    models: Sequence[str],
    at_risk: Sequence[bool],
) -> pd.DataFrame:
    """Tabulate the recordings of infants who were recorded at two or more corrected ages.

    Parameters
    ----------
    known
        Of :func:`fidgety.evaluation.records.infants`; new ones too, without their label.
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    predictions, models, at_risk
        As in :func:`fidgety.evaluation.records.collect`.

    Returns
    -------
    DataFrame
        Columns :data:`SERIAL_COLUMNS`: a row a recording and model, by infant, model and age.
        Recordings without a result, or without an age, stand there with the reason.
    """
    by_infant = {p.infant: p.models for p in predictions}
    found: list[dict[str, Any]] = []
    for infant in _followed(known):
        rows = _own_rows(cohort, infant)
        if rows["_age"].nunique() < 2:
            continue
        rows = rows.assign(**{c: numbers(rows, c) for c in MEASURED})
        for model in models:
            for _, row in rows.iterrows():
                prediction = by_infant.get(infant.infant, {}).get(model)
                said, outcome = _said(prediction, str(row["recording"]), at_risk)
                found.append(
                    {
                        "set": infant.role,
                        "infant": infant.infant,
                        "label": infant.label,
                        "recording": str(row["recording"]),
                        "corrected_age_weeks": float(row["_age"]),
                        "in_window": window(float(row["_age"])),
                        "model": model,
                        **said.cells(),
                        **_row_status(row, said, outcome),
                        **{c: float(row[c]) for c in MEASURED},
                    }
                )
    return pd.DataFrame(found, columns=list(SERIAL_COLUMNS))


def not_serial(known: Sequence[Infant], cohort: pd.DataFrame) -> list[str]:
    """Say of which infants with several recordings the ages do not tell them apart."""
    lines = []
    for infant in _followed(known):
        age = _own_rows(cohort, infant)["_age"]
        if age.nunique() < 2:
            n, given = len(age), int(age.notna().sum())
            why = "all at one corrected age" if given == n else f"{given} with a corrected age"
            lines.append(f"{infant.role}: {infant.infant}, {n} recordings, {why}")
    return lines


def change_table(serial: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Tabulate how often the calls on an infant's recordings are not all the same.

    Parameters
    ----------
    serial
        Of :func:`serial_table`.
    confidence
        Of Wilson's interval.

    Returns
    -------
    DataFrame
        Columns :data:`CHANGE_COLUMNS`; ``n`` counts the infants with two calls or more.
    """
    found = []
    called = serial[serial["call"] != ""]
    for (role, model), own in called.groupby(["set", "model"], sort=False):
        calls = own.groupby("infant")["call"]
        several = calls.size() > 1
        changed = (calls.nunique() > 1) & several
        e = proportion(int(changed.sum()), int(several.sum()), confidence)
        found.append((role, model, e.value, e.low, e.high, e.n))
    return pd.DataFrame(found, columns=list(CHANGE_COLUMNS))


def at_first_age(
    prediction: ModelPrediction, age: Mapping[str, float], at_risk: Sequence[bool]
) -> tuple[float, NDArray[np.float64] | None]:
    """Return the age at an infant's first recording, and what is said of that one by itself.

    Parameters
    ----------
    prediction
        One model's, of an infant, with a result.
    age
        Recording to corrected age in weeks.
    at_risk
        For each class whether it is at risk.

    Returns
    -------
    age_weeks : float
        Of the earliest of the recordings that the model used; NaN where none is recorded.
    probability : ndarray of shape (fold,), or None
        None where the infant's result is that recording's, or no age is known.
    """
    known = sorted((a, r) for r in prediction.sources if np.isfinite(a := age.get(r, NAN)))
    if not known:
        return NAN, None
    first, recording = known[0]
    if len(prediction.sources) == 1:
        return first, None
    return first, alone(prediction, at_risk)[recording]
