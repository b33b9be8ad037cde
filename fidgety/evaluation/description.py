"""The study beside the models' figures: whom it is about, its recordings, how often FMs are.

An infant counts once. Measures are medians with quartiles; a share of infants has Wilson's
interval, a median one by resampling infants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.config.evaluation import EvaluationConfig
from fidgety.datasets.characteristics import SEXES
from fidgety.errors import Reason, Status
from fidgety.evaluation.fms import group_contrasts, median_interval, spread
from fidgety.evaluation.intervals import proportion
from fidgety.evaluation.records import EVERYBODY, LABELLED, LOST, Assessment
from fidgety.files import job_seed

#: Roles that are described.
DESCRIBED = (*LABELLED, "new")
COHORT_COLUMNS = (
    "set", "label", "characteristic", "category", "unit", "n", "missing", "count", "share",
    "median", "q1", "q3",
)  # fmt: skip
FREQUENCY_COLUMNS = (
    "set", "model", "label", "n", "median", "q1", "q3", "low", "high", "auc", "auc_low",
    "auc_high", "auc_n",
)  # fmt: skip
QUALITY_COLUMNS = ("set", "measure", "n", "missing", "median", "q1", "q3", "lowest", "highest")
REASON_COLUMNS = (
    "set", "reason", "recordings", "all_recordings", "infants", "n", "share", "low", "high",
)  # fmt: skip
#: Characteristics that are counted, with their categories, and those that are measured.
COUNTED = {"sex": tuple(sorted(SEXES))}
MEASURED = ("gestational_age_weeks", "birth_weight_g", "corrected_age_weeks")
#: Measures of recordings in the overview.
OVERVIEW = (
    "measured",
    "imputed",
    "missing",
    "longest_gap_s",
    "confidence",
    "fps",
    "duration_s",
    "assessable_s",
)


def numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column's values as numbers; NaN where there is none, or no such column."""
    if column not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)


def _first_known(rows: pd.DataFrame, column: str) -> str:
    known = [str(value) for value in rows[column] if str(value)] if column in rows else []
    return known[0] if known else ""


def _youngest(rows: pd.DataFrame) -> float:
    ages = numbers(rows, "corrected_age_weeks")
    return float(np.nanmin(ages)) if np.isfinite(ages).any() else float("nan")


def one_row_an_infant(cohort: pd.DataFrame) -> pd.DataFrame:
    """Describe the infants with a recording that was assessed, a row each.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.

    Returns
    -------
    DataFrame
        ``infant``, ``set``, ``label`` (empty for new infants, whatever the sheet says),
        ``recordings``, the characteristics as text, the corrected age at the first recording.
    """
    used = cohort[(cohort["status"] == Status.OK.value) & cohort["role"].isin(DESCRIBED)]
    rows = []
    for infant, own in used.groupby("infant", sort=True):
        # As everywhere: the first role in the order counts where recordings differ.
        role = min(own["role"], key=DESCRIBED.index)
        own = own[own["role"] == role]
        labelled = role in LABELLED
        rows.append(
            {
                "infant": infant,
                "set": role,
                "label": _first_known(own, "label") if labelled else "",
                "fm_type": _first_known(own, "fm_type") if labelled else "",
                "recordings": len(own),
                "sex": _first_known(own, "sex"),
                "gestational_age_weeks": _first_known(own, "gestational_age_weeks"),
                "birth_weight_g": _first_known(own, "birth_weight_g"),
                "corrected_age_weeks": _youngest(own),
            }
        )
    columns = ["infant", "set", "label", "fm_type", "recordings", "sex", *MEASURED]
    return pd.DataFrame(rows, columns=columns)


def cohort_table(cohort: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Tabulate the cohorts' characteristics by set and label (a paper's Table 1).

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    classes
        Labels in the order wanted.

    Returns
    -------
    DataFrame
        Columns :data:`COHORT_COLUMNS`. ``n`` infants (``unit`` ``infant``) or recordings are known
        and ``missing`` are not; a counted characteristic has ``count`` and its ``share`` of the
        known, a measured one ``median`` and quartiles. New infants are described together.
    """
    infants = one_row_an_infant(cohort)
    used = cohort[cohort["status"] == Status.OK.value]
    rows: list[dict[str, Any]] = []
    for role in DESCRIBED:
        here = infants[infants["set"] == role]
        if here.empty:
            continue
        labels = [c for c in classes if (here["label"] == c).any()] if role in LABELLED else []
        types = sorted({t for t in here["fm_type"] if t})
        for label in (*labels, EVERYBODY):
            own = here if label == EVERYBODY else here[here["label"] == label]
            recordings = used[(used["role"] == role) & used["infant"].isin(own["infant"])]
            rows += [
                {"set": role, "label": label, **row} for row in _described(own, recordings, types)
            ]
    return pd.DataFrame(rows, columns=list(COHORT_COLUMNS))


def _described(
    infants: pd.DataFrame, recordings: pd.DataFrame, types: Sequence[str]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        _count("infants", "", len(infants), len(infants), 0),
        _count("recordings", "", len(recordings), len(infants), 0),
        _measure("recordings_an_infant", "infant", infants["recordings"].to_numpy(np.float64)),
        _measure("duration_s", "recording", numbers(recordings, "duration_s")),
    ]
    for name, categories in {**COUNTED, **({"fm_type": types} if types else {})}.items():
        known = int((infants[name] != "").sum())
        rows += [
            _count(name, c, int((infants[name] == c).sum()), known, len(infants) - known, True)
            for c in categories
        ]
    rows += [_measure(name, "infant", numbers(infants, name)) for name in MEASURED]
    return rows


def _count(
    name: str, category: str, count: int, n: int, missing: int, share: bool = False
) -> dict[str, Any]:
    return {
        "characteristic": name,
        "category": category,
        "unit": "infant",
        "n": n,
        "missing": missing,
        "count": count,
        "share": count / n if share and n else np.nan,
    }


def _measure(name: str, unit: str, values: NDArray[np.float64]) -> dict[str, Any]:
    found = spread(values)
    return {
        "characteristic": name,
        "category": "",
        "unit": unit,
        "missing": int(values.size - found["n"]),
        **found,
    }


def infant_frequencies(records: Sequence[Assessment]) -> pd.DataFrame:
    """Return how often models see fidgety movements in labelled infants, a row an infant and model.

    Returns
    -------
    DataFrame
        ``infant``, ``set``, ``label``, ``model``, ``frequency`` (share of instances): of results
        of models that find fidgety movements.
    """
    rows = [
        {
            "infant": r.infant,
            "set": r.role,
            "label": r.label,
            "model": r.model,
            "frequency": r.fms_frequency,
        }
        for r in records
        if r.outcome.ok and r.label and r.role in LABELLED and np.isfinite(r.fms_frequency)
    ]
    return pd.DataFrame(rows, columns=["infant", "set", "label", "model", "frequency"])


def frequency_table(
    frequencies: pd.DataFrame, classes: Mapping[str, bool], config: EvaluationConfig, seed: int
) -> pd.DataFrame:
    """Tabulate the frequency of fidgety movements by set, model and label (Gao 2023, Figure 3c).

    Parameters
    ----------
    frequencies
        Of :func:`infant_frequencies`.
    classes
        Class to whether it is at risk.
    config, seed
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`FREQUENCY_COLUMNS`: median, quartiles, and the median's interval by infant.
        ``auc`` is how well the frequency alone tells the infants at risk from the others (Figure
        3d), the same in all rows of a set and model.
    """
    risk = [name for name, at_risk in classes.items() if at_risk]
    rows: list[dict[str, Any]] = []
    for (role, model), own in frequencies.groupby(["set", "model"], sort=False):
        how: dict[str, Any] = {
            "resamples": config.bootstrap,
            "confidence": config.confidence,
            "seed": job_seed(seed, "frequency", str(role), str(model)),
        }
        auc = next(c.auc for c in group_contrasts(own, risk, **how) if c.set == role)
        for label in classes:
            values = own.loc[own["label"] == label, "frequency"]
            if values.empty:
                continue
            low, high = median_interval(values, **how)
            rows.append(
                {
                    "set": role,
                    "model": model,
                    "label": label,
                    **spread(values),
                    "low": low,
                    "high": high,
                    "auc": auc.value,
                    "auc_low": auc.low,
                    "auc_high": auc.high,
                    "auc_n": auc.n,
                }
            )
    return pd.DataFrame(rows, columns=list(FREQUENCY_COLUMNS))


def included(cohort: pd.DataFrame) -> pd.DataFrame:
    """Return the described roles' recordings that the inclusion criteria let in."""
    return cohort[cohort["role"].isin(DESCRIBED) & (cohort["reason"] != Reason.EXCLUDED.value)]


def quality_table(cohort: pd.DataFrame) -> pd.DataFrame:
    """Tabulate how good the included recordings are, by set: :data:`QUALITY_COLUMNS`.

    ``n`` recordings have the measure, ``missing`` (those without tracks, for most) have not.
    """
    rows: list[dict[str, Any]] = []
    for role in DESCRIBED:
        own = included(cohort)
        own = own[own["role"] == role]
        for name in OVERVIEW:
            values = numbers(own, name)
            known = values[np.isfinite(values)]
            if not known.size:
                continue
            rows.append(
                {
                    "set": role,
                    "measure": name,
                    **spread(known),
                    "missing": int(values.size - known.size),
                    "lowest": float(known.min()),
                    "highest": float(known.max()),
                }
            )
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))


def reason_table(cohort: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Tabulate why included recordings could not be assessed, by set: :data:`REASON_COLUMNS`.

    ``infants`` of ``n`` have at least one such recording; the last row of a set, :data:`LOST`,
    has those of whom no recording is left. The interval is Wilson's.
    """
    rows: list[dict[str, Any]] = []
    for role in DESCRIBED:
        own = included(cohort)
        own = own[own["role"] == role]
        if own.empty:
            continue
        failed = own[own["status"] != Status.OK.value]
        everybody = set(own["infant"])
        left = set(own.loc[own["status"] == Status.OK.value, "infant"])
        groups = [(str(r), rows_) for r, rows_ in failed.groupby("reason", sort=True)]
        groups.append((LOST, failed[~failed["infant"].isin(left)]))
        for reason, here in groups:
            infants = here["infant"].nunique()
            found = proportion(infants, len(everybody), confidence)
            rows.append(
                {
                    "set": role,
                    "reason": reason,
                    "recordings": len(here),
                    "all_recordings": len(own),
                    "infants": infants,
                    "n": len(everybody),
                    "share": found.value,
                    "low": found.low,
                    "high": found.high,
                }
            )
    return pd.DataFrame(rows, columns=list(REASON_COLUMNS))
