"""The flow chart of inclusion, role by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fidgety.errors import Reason
from fidgety.evaluation.records import ROLES
from fidgety.inclusion import FlowStep, inclusion_flow

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
        How many.
    out
        Whether it leads out of the study; ``infants`` then are those wholly lost.
    reasons
        Reason in words to the number of recordings.
    labels
        Label to the number of infants; empty where labels are not used.
    """

    text: str
    recordings: int
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


def flow(cohort: pd.DataFrame) -> list[Column]:
    """Arrange who came in, who was left out and why, and who was assessed.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.

    Returns
    -------
    list of Column
        One a role that has recordings. New infants' labels are not shown.
    """
    return [
        Column(
            role,
            ROLE_TEXTS[role],
            tuple(_box(step, role != "new") for step in inclusion_flow(rows)),
        )
        for role in ROLES
        if not (rows := cohort[cohort["role"] == role]).empty
    ]
