"""The flow chart of inclusion, computed from the cohort tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from fidgety.errors import Reason, Status
from fidgety.evaluation.records import LABELLED, ROLES, infants

ROLE_TEXTS = {
    "development": "Development (cross-validated)",
    "external": "External (tested, never trained on)",
    "new": "New (assessed, without a label)",
    "reference": "Reference (annotated clips)",
}


@dataclass(frozen=True)
class Column:
    """One role's way through the study.

    Parameters
    ----------
    role, text
        Role, and its name for people.
    recordings, infants
        In the sheet.
    excluded, not_assessable
        What was found to the number of recordings, most frequent first.
    included_recordings, included_infants
        That are left.
    by_class
        Label to the number of infants left; empty for roles without labels.
    """

    role: str
    text: str
    recordings: int
    infants: int
    excluded: tuple[tuple[str, int], ...]
    not_assessable: tuple[tuple[str, int], ...]
    included_recordings: int
    included_infants: int
    by_class: tuple[tuple[str, int], ...]


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def flow(cohort: pd.DataFrame, classes: Sequence[str]) -> list[Column]:
    """Count who came in, who was left out and why, and who was assessed.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    classes
        Names of the classes, in the order wanted.

    Returns
    -------
    list of Column
        One a role that has recordings. In each, the recordings in the sheet are the sum of
        those excluded, those not assessable and those left.
    """
    columns = []
    for role in ROLES:
        rows = cohort[cohort["role"] == role]
        if rows.empty:
            continue
        failed = rows["status"] == Status.NOT_ASSESSABLE.value
        out = failed & (rows["reason"] == Reason.EXCLUDED.value)
        excluded = Counter(
            str(detail) or Reason.EXCLUDED.text for detail in rows[out]["reason_detail"]
        )
        failures = Counter(Reason(str(r)).text for r in rows[failed & ~out]["reason"])
        left = rows[~failed]
        labels = Counter(i.label for i in infants(left) if i.label)
        order = [*classes, *sorted(set(labels) - set(classes))]
        columns.append(
            Column(
                role=role,
                text=ROLE_TEXTS[role],
                recordings=len(rows),
                infants=rows["infant"].nunique(),
                excluded=_ranked(excluded),
                not_assessable=_ranked(failures),
                included_recordings=len(left),
                included_infants=left["infant"].nunique(),
                by_class=tuple((c, labels.get(c, 0)) for c in order) if role in LABELLED else (),
            )
        )
    return columns
