"""What the line measures on phantoms, put beside its targets: a table and a page of text.

The targets are those of the project: keypoints of visible joints within 0.2 trunk lengths for
at least 95 % and within 0.1 for at least 80 %; masks with an intersection over union of at
least 0.90; an area under the ROC curve of at least 0.9 on external phantoms whose amount of
movement is balanced between the groups, which the mean-speed baseline shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fidgety.phantom.check import RecordingCheck, summarise_errors, summarise_overlaps

TARGETS = {
    "joints within 0.2 trunk lengths": 0.95,
    "joints within 0.1 trunk lengths": 0.80,
    "mask IoU (mean)": 0.90,
    "external AUC": 0.90,
}
CAVEAT = (
    "These are digital phantoms: the figures prove that the machinery works, and nothing about\n"
    "infants."
)


@dataclass(frozen=True)
class Measure:
    """One figure.

    Parameters
    ----------
    measure
        What was measured: a key of :data:`TARGETS`, or a figure without a target.
    of
        On what: the rendered phantoms, a model.
    value, low, high
        The figure and its interval; NaN where there is none.
    n
        How many were measured, and of what.
    """

    measure: str
    of: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    n: str = ""

    @property
    def target(self) -> float | None:
        """Smallest value wanted."""
        return TARGETS.get(self.measure)

    @property
    def verdict(self) -> str:
        """Say whether the target is met; empty without one."""
        if self.target is None:
            return ""
        return "met" if self.value >= self.target else "MISSED"


def picture_measures(checks: Sequence[RecordingCheck]) -> list[Measure]:
    """Pool what was measured on the rendered phantoms; those without a result count as wrong."""
    pose = summarise_errors([c.errors for c in checks])
    mask = summarise_overlaps([c.overlaps for c in checks])
    of = f"{len(checks)} rendered phantoms"
    points, frames = f"{pose.n} keypoints", f"{mask.n_frames} frames"
    joints = f"{pose.n_joints} joints"
    return [
        Measure("joints within 0.2 trunk lengths", of, pose.joints_far, n=joints),
        Measure("joints within 0.1 trunk lengths", of, pose.joints_near, n=joints),
        Measure("all keypoints within 0.2 trunk lengths", of, pose.share_far, n=points),
        Measure("all keypoints within 0.1 trunk lengths", of, pose.share_near, n=points),
        Measure("keypoint error, median (trunk lengths)", of, pose.median, n=points),
        Measure("keypoint error, 95th percentile", of, pose.p95, n=points),
        Measure("mask IoU (mean)", of, mask.iou_mean, n=frames),
        Measure("mask IoU (5th percentile)", of, mask.iou_p05, n=frames),
    ]


def model_measures(metrics: Sequence[Mapping[str, Any]], models: Sequence[str]) -> list[Measure]:
    """Take the areas under the curve out of an evaluation: models, then the baseline."""
    measures = []
    for row in metrics:
        if row["metric"] != "auc":
            continue
        is_model = row["model"] in models
        name = f"{row['set']} AUC" if is_model else f"{row['set']} AUC, no model"
        value, low, high = (
            float("nan") if row[k] is None else float(row[k]) for k in ("value", "low", "high")
        )
        measures.append(Measure(name, str(row["model"]), value, low, high, f"{row['n']} infants"))
    return measures


def to_table(measures: Sequence[Measure]) -> pd.DataFrame:
    """Lay the figures out, one a row."""
    return pd.DataFrame(
        [
            {
                "measure": m.measure,
                "of": m.of,
                "value": m.value,
                "low": m.low,
                "high": m.high,
                "n": m.n,
                "target": m.target,
                "verdict": m.verdict,
            }
            for m in measures
        ]
    )


def to_text(measures: Sequence[Measure], notes: Sequence[str] = ()) -> str:
    """Write the figures as a person reads them on a terminal."""
    lines = []
    for m in measures:
        interval = "" if m.low != m.low else f" [{m.low:.3f}, {m.high:.3f}]"
        target = "" if m.target is None else f"  (target {m.target:.2f}: {m.verdict})"
        lines.append(f"{m.measure:<40}{m.of:<24}{m.value:.3f}{interval}, {m.n}{target}")
    return "\n".join(["", *lines, "", *notes, CAVEAT, ""])
