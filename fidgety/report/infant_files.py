"""An infant's figures as files, each with its data: for papers and talks.

The page shows the same, drawn by itself so that all of it has the video's axis.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import NotAssessable
from fidgety.evaluation.plots import COLOURS, GREY, figure, to_svg
from fidgety.pose.tracks import Origin, Pose, read_pose
from fidgety.report.pages import to_tsv
from fidgety.report.plots import (
    body_coordinates,
    draw_trajectories,
    every_frame,
    known_origin,
    shown_joints,
)
from fidgety.report.quality_plot import KINDS, ROWS, draw_fitness, part_shares
from fidgety.report.timeline import Mark, Strip

#: Ends of the files' names, and what they are in words.
FILES = {
    "timeline.svg": "timeline as a figure",
    "timeline.tsv": "its data",
    "quality.svg": "quality as a figure",
    "quality.tsv": "its data",
    "trajectories.svg": "trajectories as a figure",
    "trajectories.tsv": "their data",
}
TIMELINE_COLUMNS = (
    "row", "what", "start_s", "stop_s", "probability", "attention", "movement",
)  # fmt: skip
FIDGETY, AT_RISK, ANNOTATED = "fidgety movements", "at risk", "annotated"


def timeline_table(
    strips: Sequence[Strip], annotated: Mapping[str, Sequence[Mark]]
) -> pd.DataFrame:
    """Tabulate the timeline, a row an instance or annotated interval: :data:`TIMELINE_COLUMNS`."""
    rows: list[dict[str, Any]] = [
        {
            "row": strip.name,
            "what": FIDGETY if strip.fidgety else AT_RISK,
            "start_s": cell.start_s,
            "stop_s": cell.stop_s,
            "probability": cell.probability,
            "attention": cell.attention,
        }
        for strip in strips
        for cell in strip.cells
    ]
    rows += [
        {
            "row": rater,
            "what": ANNOTATED,
            "start_s": mark.start_s,
            "stop_s": mark.stop_s,
            "movement": mark.movement,
        }
        for rater, marks in annotated.items()
        for mark in marks
    ]
    return pd.DataFrame(rows, columns=list(TIMELINE_COLUMNS))


def draw_timeline(strips: Sequence[Strip], annotated: Mapping[str, Sequence[Mark]]) -> str:
    """Draw the timeline as SVG: a row a model, and one a rater; empty without either."""
    n = len(strips) + len(annotated)
    if not n:
        return ""
    with figure(9.0, 0.75 * n + 0.6, rows=n) as drawing:
        for axes, strip in zip(drawing.axes, strips, strict=False):
            for cell in strip.cells:
                axes.bar(
                    cell.left_s,
                    cell.probability,
                    cell.right_s - cell.left_s,
                    align="edge",
                    color=COLOURS[2] if strip.fidgety else COLOURS[1],
                    edgecolor="white",
                )
            axes.axhline(0.5, color=GREY, linewidth=0.7, linestyle="--")
            axes.set_ylim(0, 1)
            what = FIDGETY if strip.fidgety else AT_RISK
            axes.set_title(f"{strip.name}: probability, {what}", loc="left", fontsize=8)
        rest = drawing.axes[len(strips) :]
        for axes, (rater, marks) in zip(rest, annotated.items(), strict=True):
            for mark in marks:
                fidgety = mark.movement == "fidgety"
                axes.broken_barh(
                    [(mark.start_s, mark.stop_s - mark.start_s)],
                    (0, 1),
                    facecolor=COLOURS[2] if fidgety else "#b9c0c9",
                    edgecolor=GREY,
                    hatch="" if fidgety else "//",
                )
            axes.set_ylim(0, 1)
            axes.set_yticks([])
            who = f"{ANNOTATED} ({rater})" if rater else ANNOTATED
            axes.set_title(
                f"{who}: fidgety movements plain, others hatched", loc="left", fontsize=8
            )
        end = max(
            [c.stop_s for s in strips for c in s.cells]
            + [m.stop_s for marks in annotated.values() for m in marks],
            default=1.0,
        )
        for axes in drawing.axes:
            axes.set_xlim(0, end)
        drawing.axes[-1].set_xlabel("seconds")
        return to_svg(drawing)


def quality_table(pose: Pose, record: Mapping[str, Any]) -> pd.DataFrame:
    """Tabulate the quality, a row a second.

    Returns
    -------
    DataFrame
        ``start_s``; for each body part and origin its share (``left_arm_imputed``);
        ``sides_exchanged`` (1 where left and right were put right), and the series of the record.
    """
    shares = part_shares(pose)
    start = float(pose.time_s[0])
    n = next(iter(shares.values())).shape[1]
    seconds = start + np.arange(n)
    columns: dict[str, Any] = {"start_s": seconds}
    for part, values in shares.items():
        for k, (kind, _) in enumerate(KINDS):
            columns[f"{part.replace(' ', '_')}_{kind.name.lower()}"] = values[k]
    swaps = pose.details.get("cleaning", {}).get("swaps", [])
    columns["sides_exchanged"] = [
        int(any(s["start_s"] < t + 1 and s["end_s"] >= t for s in swaps)) for t in seconds
    ]
    series = record.get("series") or {}
    for name in (*(row[0] for row in ROWS), "others"):
        if given := series.get(name):
            columns[name] = pd.Series(given, dtype=float).reindex(range(n))
    return pd.DataFrame(columns)


def trajectory_table(pose: Pose) -> pd.DataFrame:
    """Tabulate the trajectories as they are drawn, a row a point.

    Returns
    -------
    DataFrame
        ``time_s``; for each joint and side ``x``, ``y`` (from the pelvis, right and down, in the
        unit ``unit``) and ``origin``: ``left_wrist_x`` and so on.
    """
    position, unit = body_coordinates(pose)
    origin = known_origin(pose)
    every = every_frame(pose)
    names = np.array([Origin(k).name.lower() for k in sorted(int(o) for o in Origin)])
    columns: dict[str, Any] = {"time_s": pose.time_s[::every], "unit": unit}
    for joint in shown_joints(pose):
        for side in ("left", "right"):
            k = pose.keypoints.index(f"{side}_{joint}")
            for axis, letter in enumerate("xy"):
                columns[f"{side}_{joint}_{letter}"] = position[::every, axis, k]
            columns[f"{side}_{joint}_origin"] = names[origin[::every, k]]
    return pd.DataFrame(columns)


def recording_files(
    strips: Sequence[Strip],
    annotated: Mapping[str, Sequence[Mark]],
    pose: Pose | None,
    record: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Return a recording's figures and their data: end of the name, of :data:`FILES`, to text."""
    found = {}
    if strips or annotated:
        found["timeline.svg"] = draw_timeline(strips, annotated)
        found["timeline.tsv"] = to_tsv(timeline_table(strips, annotated))
    if pose is None or not pose.n_frames:
        return found
    found["quality.svg"] = draw_fitness(pose, record or {})
    found["quality.tsv"] = to_tsv(quality_table(pose, record or {}))
    if shown_joints(pose):
        found["trajectories.svg"] = draw_trajectories(pose)
        found["trajectories.tsv"] = to_tsv(trajectory_table(pose))
    return found


def read_clean(path: str | os.PathLike[str]) -> Pose | None:
    """Read a clean pose; None of a recording that is not assessable."""
    try:
        return read_pose(path)
    except NotAssessable:
        return None
