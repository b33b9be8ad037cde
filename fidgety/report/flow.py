"""The flow chart of inclusion, role by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fidgety.errors import Reason, Status
from fidgety.evaluation.records import ROLES
from fidgety.inclusion_flow import FlowStep, inclusion_flow

ROLE_TEXTS = {
    "development": "Development (cross-validated)",
    "external": "External (tested, never trained on)",
    "new": "New (assessed, without a label)",
    "reference": "Reference (annotated clips)",
}
_STEP_TEXTS = {
    "registered": "In the sheet",
    "excluded": "Excluded",
    "included": "Included",
    "not assessable": "Not assessable",
    "assessed": "Ready for the models",
}
_OUT = ("excluded", "not assessable")


@dataclass(frozen=True)
class Box:
    """One box of the chart.

    Parameters
    ----------
    text
        What it is.
    recordings, infants
        How many; no recordings where only infants are counted.
    out
        Whether it leads out of the study; ``infants`` then are those wholly lost.
    reasons
        Reason in words to the number of recordings, or of infants where only they are counted.
    labels
        Label to the number of infants; empty where labels are not used.
    """

    text: str
    recordings: int | None
    infants: int
    out: bool
    reasons: Mapping[str, int]
    labels: Mapping[str, int]


@dataclass(frozen=True)
class Column:
    """One role's way through the study, from the sheet to the models."""

    role: str
    text: str
    boxes: tuple[Box, ...]


def _reason(code: str) -> str:
    return Reason(code).text if code in [r.value for r in Reason] else code


def _box(step: FlowStep, labelled: bool) -> Box:
    return Box(
        text=_STEP_TEXTS.get(step.name, step.name),
        recordings=step.recordings,
        infants=step.infants,
        out=step.name in _OUT,
        reasons={_reason(code): n for code, (n, _) in step.reasons.items()},
        labels=step.labels if labelled and step.name == "assessed" else {},
    )


def assessed_infants(cohort: pd.DataFrame) -> set[str]:
    """Return the infants with at least one recording that reached the models."""
    return set(cohort.loc[cohort["status"] == Status.OK.value, "infant"])


def _result_boxes(results: pd.DataFrame, labelled: bool) -> list[Box]:
    boxes = []
    for model, rows in results.groupby("model", sort=False):
        ok = rows["status"] == Status.OK.value
        labels = rows.loc[ok & (rows["label"] != ""), "label"].value_counts().sort_index()
        boxes.append(
            Box(
                text=f"With a result of {model}",
                recordings=None,
                infants=int(ok.sum()),
                out=False,
                reasons={
                    _reason(str(code)): int(n)
                    for code, n in rows.loc[~ok, "reason"].value_counts().sort_index().items()
                },
                labels={str(k): int(n) for k, n in labels.items()} if labelled else {},
            )
        )
    return boxes


def flow(cohort: pd.DataFrame, results: pd.DataFrame | None = None) -> list[Column]:
    """Arrange who came in, who was left out and why, and who was assessed.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    results
        The evaluation's table of infants, values as text: what became, model by model, of the
        infants that reached the models.

    Returns
    -------
    list of Column
        One a role that has recordings. New infants' labels are not shown.
    """
    columns = []
    for role in ROLES:
        rows = cohort[cohort["role"] == role]
        if rows.empty:
            continue
        boxes = [_box(step, role != "new") for step in inclusion_flow(rows)]
        if results is not None:
            reached = (results["role"] == role) & results["infant"].isin(assessed_infants(rows))
            boxes += _result_boxes(results[reached], role != "new")
        columns.append(Column(role, ROLE_TEXTS[role], tuple(boxes)))
    return columns
