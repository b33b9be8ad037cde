"""From prediction files and cohort tables to one record an infant and model.

Nobody is dropped: an infant of the tables without a result has a record that says why. The
label comes from development and external cohorts alone; what the sheet may say of a ``new``
infant is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.errors import Outcome, Reason, Status, StorageError
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.phantom.names import is_phantom
from fidgety.training.results import ModelPrediction
from fidgety.training.risk import risk_probability

#: Cohort roles in the order that decides an infant's when recordings differ.
ROLES = ("development", "external", "new", "reference")
#: Roles whose labels are used.
LABELLED = ("development", "external")
#: Stands among the labels for infants of any; no class can be called that.
EVERYBODY = "(all)"
#: Stands among the reasons for infants of whom no recording could be assessed.
LOST = "(no recording left)"
#: Columns that tell the outcome: not looked at for new infants, so the report hides them there.
LABEL_COLUMNS = ("label", "fm_type")
NAN = float("nan")


def read_cohorts(paths: Iterable[str | os.PathLike[str]]) -> pd.DataFrame:
    """Read cohort tables: one row a recording, every value as text, empty where missing.

    Raises
    ------
    StorageError
        If a table cannot be read or lacks a column.
    """
    needed = {"recording", "infant", "cohort", "role", "label", "status", "reason"}
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        except pd.errors.EmptyDataError:
            continue  # a role without a cohort
        except (OSError, ValueError) as error:
            raise StorageError(f"{path}: cannot be read as a cohort table: {error}") from None
        missing = needed - set(table.columns)
        if missing:
            raise StorageError(f"{path}: lacks the columns {', '.join(sorted(missing))}.")
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=sorted(needed | {"reason_detail"}), dtype=str)
    whole = pd.concat(tables, ignore_index=True).fillna("")
    if "reason_detail" not in whole.columns:
        whole["reason_detail"] = ""
    return whole


@dataclass(frozen=True)
class Infant:
    """An infant as the cohort tables know it.

    Parameters
    ----------
    infant, role, label
        Empty label where unknown or not to be used.
    recordings
        Ids.
    phantom
        Whether it comes from a cohort of digital phantoms.
    outcome
        ``ok`` if any recording is; else the first recording's reason.
    """

    infant: str
    role: str
    label: str
    recordings: tuple[str, ...]
    phantom: bool
    outcome: Outcome


def _row_outcome(row: pd.Series) -> Outcome:
    status = Status(str(row["status"]) or Status.OK.value)
    reason = str(row["reason"])
    return Outcome(status, Reason(reason) if reason else None, str(row["reason_detail"]))


def infants(cohort: pd.DataFrame) -> list[Infant]:
    """List the infants of the cohort tables, sorted by id.

    An infant with recordings in several roles has the first of :data:`ROLES`.
    """
    found = []
    for name, rows in cohort.groupby("infant", sort=True):
        role = min((str(r) for r in rows["role"]), key=ROLES.index)
        own = rows[rows["role"] == role]
        labels = [str(x) for x in own["label"] if x] if role in LABELLED else []
        outcomes = [_row_outcome(row) for _, row in own.iterrows()]
        found.append(
            Infant(
                infant=str(name),
                role=role,
                label=labels[0] if labels else "",
                recordings=tuple(str(r) for r in own["recording"]),
                phantom=any(is_phantom(str(c)) for c in own["cohort"]),
                outcome=next((o for o in outcomes if o.ok), outcomes[0]),
            )
        )
    return found


@dataclass(frozen=True)
class Assessment:
    """What one model says of one infant, beside what is known of the infant.

    Parameters
    ----------
    infant, role, label, model, kind
        Names.
    outcome
        Whether there is a result.
    fold_probability : ndarray of shape (fold,)
        Probability of being at risk by every fold model.
    fold_threshold : ndarray of shape (fold,)
    folds
        Numbers of the fold models.
    class_probability : ndarray of shape (class,)
        Mean over the fold models.
    fms_frequency
        Share of instances with fidgety movements, where the model gives it.
    kaur_positive
        Kaur 2025's infant rule (:attr:`ModelPrediction.kaur_positive`); None without a result
        and for models that weigh instances by attention: the rule is for snippets that each
        carry a class.
    """

    infant: str
    role: str
    label: str
    model: str
    kind: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    fold_probability: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    fold_threshold: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    folds: tuple[int, ...] = ()
    class_probability: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    fms_frequency: float = NAN
    kaur_positive: bool | None = None

    @property
    def probability(self) -> float:
        """Mean over the fold models; NaN without a result."""
        return float(self.fold_probability.mean()) if self.fold_probability.size else NAN

    @property
    def low(self) -> float:
        """Lowest of the fold models."""
        return float(self.fold_probability.min()) if self.fold_probability.size else NAN

    @property
    def high(self) -> float:
        """Highest of the fold models."""
        return float(self.fold_probability.max()) if self.fold_probability.size else NAN

    @property
    def threshold(self) -> float:
        """Mean of the fold models' thresholds; NaN without a result."""
        return float(self.fold_threshold.mean()) if self.fold_threshold.size else NAN

    @property
    def at_risk(self) -> bool | None:
        """Decision: whether the mean probability reaches the mean threshold."""
        if not (np.isfinite(self.probability) and np.isfinite(self.threshold)):
            return None
        return self.probability >= self.threshold

    @property
    def votes(self) -> int:
        """Number of fold models that reach their own threshold."""
        return int((self.fold_probability >= self.fold_threshold).sum())


def assess(
    known: Infant, model: str, prediction: ModelPrediction, at_risk: Sequence[bool]
) -> Assessment:
    """Join an infant with one model's prediction."""
    if not prediction.outcome.ok:
        return Assessment(
            known.infant, known.role, known.label, model, prediction.kind, prediction.outcome
        )
    return Assessment(
        infant=known.infant,
        role=known.role,
        label=known.label,
        model=model,
        kind=prediction.kind,
        fold_probability=risk_probability(prediction.infant_probability, at_risk),
        fold_threshold=prediction.threshold,
        folds=prediction.folds,
        class_probability=prediction.infant_probability.mean(axis=0),
        fms_frequency=prediction.fms_frequency,
        kaur_positive=prediction.kaur_positive if prediction.attention is None else None,
    )


def with_result(records: Iterable[Assessment]) -> set[str]:
    """Return the infants of whom at least one model has a result."""
    return {r.infant for r in records if r.outcome.ok}


def _of_infant(
    infant: Infant,
    prediction: InfantPredictions | None,
    models: Sequence[str],
    at_risk: Sequence[bool],
) -> list[Assessment]:
    """Make the records of one infant, one a model."""
    records = []
    for model in models:
        if prediction is not None and model in prediction.models:
            records.append(assess(infant, model, prediction.models[model], at_risk))
            continue
        outcome = infant.outcome if prediction is None else prediction.outcome
        if outcome.ok:
            raise StorageError(
                f"infant {infant.infant} is assessable but has no prediction of {model}. "
                "Delete its predictions file and run the workflow again."
            )
        records.append(Assessment(infant.infant, infant.role, infant.label, model, outcome=outcome))
    return records


def collect(
    known: Sequence[Infant],
    predictions: Iterable[InfantPredictions],
    models: Sequence[str],
    at_risk: Sequence[bool],
) -> list[Assessment]:
    """Make one record for every infant of the tables and every model.

    Infants of reference cohorts have one only if a prediction was made for them.

    Parameters
    ----------
    known
        Infants of the tables.
    predictions
        Gone through once, and no instance is kept: read one after another, they take the memory
        of one infant.
    models
        Names.
    at_risk
        For each class whether it is at risk.

    Raises
    ------
    StorageError
        If there is a prediction for an infant that no table has, or a model's is missing.
    """
    by_name = {infant.infant: infant for infant in known}
    made: dict[str, list[Assessment]] = {}
    strangers = []
    for prediction in predictions:
        infant = by_name.get(prediction.infant)
        if infant is None:
            strangers.append(prediction.infant)
        else:
            made[infant.infant] = _of_infant(infant, prediction, models, at_risk)
    if strangers:
        raise StorageError(
            f"predictions of infants that no cohort has: {', '.join(sorted(strangers))}."
        )
    records = []
    for infant in known:
        if infant.infant in made:
            records += made[infant.infant]
        elif infant.role != "reference":
            records += _of_infant(infant, None, models, at_risk)
    return records
