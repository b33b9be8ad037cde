"""The flow chart of who was registered, included and assessed, as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fidgety.errors import Reason, Status
from fidgety.inclusion import CRITERION_TEXTS


@dataclass(frozen=True)
class FlowStep:
    """One box of the flow chart.

    Parameters
    ----------
    name
        ``registered``, ``excluded``, ``included``, ``not assessable`` or ``assessed``.
    recordings, infants
        Counts. An infant is excluded or not assessable if all its recordings are.
    reasons
        Reason to (recordings, infants), most frequent first; for the two that take away. An
        infant counts under each reason of its recordings.
    labels
        Class to infants of this box.
    """

    name: str
    recordings: int
    infants: int
    reasons: Mapping[str, tuple[int, int]]
    labels: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON and templates."""
        return {
            "name": self.name,
            "recordings": self.recordings,
            "infants": self.infants,
            "reasons": {k: list(v) for k, v in self.reasons.items()},
            "labels": dict(self.labels),
        }


def _step(
    name: str, rows: pd.DataFrame, infants: set[str], reasons: Sequence[str] | None = None
) -> FlowStep:
    counts: dict[str, tuple[int, int]] = {}
    if reasons is not None:
        why = pd.Series(list(reasons), index=rows.index, dtype=object)
        for reason, group in rows.groupby(why):
            counts[str(reason)] = (len(group), len(set(group["infant"]) & infants))
        counts = dict(sorted(counts.items(), key=lambda item: (-item[1][0], item[0])))
    own = rows[rows["infant"].isin(infants)]
    labels = own[own["label"] != ""].groupby("label")["infant"].nunique()
    return FlowStep(
        name, len(rows), len(infants), counts, {str(k): int(v) for k, v in labels.items()}
    )


def inclusion_flow(table: pd.DataFrame) -> list[FlowStep]:
    """Count the boxes of the flow chart of one role's or several roles' recordings.

    Parameters
    ----------
    table
        Cohort table as text (``results/cohort/{role}.tsv``): ``infant``, ``label``,
        ``status``, ``reason`` and, where it exists, ``criterion``.

    Returns
    -------
    list of FlowStep
        registered, excluded, included, not assessable, assessed. Recordings add up: registered
        = excluded + included, included = not assessable + assessed; so do infants.
    """
    rows = table.fillna("").astype(str)
    excluded = rows["reason"] == Reason.EXCLUDED.value
    failed = (rows["status"] != Status.OK.value) & ~excluded
    assessed = ~excluded & ~failed
    everyone = set(rows["infant"])
    included_infants = set(rows.loc[~excluded, "infant"])
    assessed_infants = set(rows.loc[assessed, "infant"])
    criterion = rows["criterion"] if "criterion" in rows else pd.Series("", index=rows.index)
    why_out = [CRITERION_TEXTS.get(c, c or "excluded") for c in criterion[excluded]]
    why_failed = [r or "unknown" for r in rows.loc[failed, "reason"]]
    return [
        _step("registered", rows, everyone),
        _step("excluded", rows[excluded], everyone - included_infants, why_out),
        _step("included", rows[~excluded], included_infants),
        _step("not assessable", rows[failed], included_infants - assessed_infants, why_failed),
        _step("assessed", rows[assessed], assessed_infants),
    ]
