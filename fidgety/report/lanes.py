"""Lanes below the timeline, on its axis: where values come from, what moves, limbs' trajectories.

A lane is drawn in seconds across and from 0 (top) to 1 down, so that every lane of a recording
has the timeline's axis whatever the page's width. What it shows stands in words, second by
second, beside its group (:attr:`Group.slots`): for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.pose.tracks import Origin, Pose
from fidgety.report.plots import (
    body_coordinates,
    every_frame,
    known_origin,
    origin_shares,
    shown_joints,
)
from fidgety.report.quality_plot import KINDS, ROWS, part_shares
from fidgety.report.wording import number, percent

#: What the lanes are called on the page: its texts in one place.
TEXTS = {
    "quality": "Quality of the tracks",
    "quality_note": "Where the keypoints' values come from, second by second, by part of the body; "
    "below, what else tells whether the recording is fit. Dashed lines are the limits of the "
    "configuration.",
    "quality_alt": "Quality of {recording} over time: {lanes}",
    "trajectories": "Joint trajectories",
    "trajectories_note": "Clean tracks seen from the pelvis: left blue, right orange and dashed. "
    "The strip at the upper edge marks what was not measured of the left side, the strip at the "
    "lower edge of the right; gaps are missing values.",
    "trajectories_alt": "Trajectories of {lanes} of {recording}, seen from the pelvis",
    "swaps": "left and right exchanged, put right",
    "others": "somebody else in view",
    "others_note": "share of each second",
    "x": "x (right)",
    "y": "y (down)",
    "all_measured": "measured",
    "nothing": "no values",
}
#: Origins in the legend.
ORIGINS = {kind.name.lower(): text for kind, text in KINDS}
#: Height of the strips at the upper (left) and lower (right) edge of a trajectory's lane that
#: say where the values come from.
RIBBON = 0.09
#: Origins that a ribbon shows; what was measured needs none.
MARKED = {
    Origin.CORRECTED: "corrected",
    Origin.MANUAL: "manual",
    Origin.IMPUTED: "imputed",
    Origin.MISSING: "missing",
}


@dataclass(frozen=True)
class Shape:
    """One path of a lane.

    Parameters
    ----------
    path
        SVG path, seconds across and 0 to 1 down.
    kind
        Class in the style sheet: an origin, or ``left``, ``right``, ``series``, ``limit``.
    filled
        Whether it is an area; a line otherwise.
    """

    path: str
    kind: str
    filled: bool = False


@dataclass(frozen=True)
class Lane:
    """A row.

    Parameters
    ----------
    name, note
        What it shows; its range and unit.
    shapes
        In the order in which they are drawn.
    low
        Whether a low row is enough.
    """

    name: str
    note: str
    shapes: tuple[Shape, ...]
    low: bool = False


@dataclass(frozen=True)
class Group:
    """Lanes that are one control: a click or a key goes to a place in the video.

    Parameters
    ----------
    heading, note, alt
        Title, what is said below it, and what stands for the lanes where they are not seen.
    lanes
        From above.
    slots
        From, to (seconds), and what is there in words.
    """

    heading: str
    note: str
    alt: str
    lanes: tuple[Lane, ...]
    slots: tuple[tuple[float, float, str], ...]


def _s(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _y(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def line_path(time_s: NDArray[np.floating], height: NDArray[np.float64]) -> str:
    """Draw a line; it stops where a value is missing.

    Parameters
    ----------
    time_s : ndarray of shape (point,)
    height : ndarray of shape (point,)
        0 is the upper edge, 1 the lower.
    """
    parts = []
    pen_down = False
    for t, y in zip(time_s, height, strict=True):
        if not np.isfinite(y):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{_s(t)} {_y(y)}")
        pen_down = True
    return "".join(parts)


def step_path(start_s: float, height: NDArray[np.float64]) -> str:
    """Draw a value a second as steps, a second wide each.

    Parameters
    ----------
    start_s
        Where the first second begins.
    height : ndarray of shape (second,)
        0 is the upper edge, 1 the lower; NaN leaves a gap.
    """
    parts = []
    pen_down = False
    for k, y in enumerate(height):
        if np.isfinite(y):
            parts.append(f"{'L' if pen_down else 'M'}{_s(start_s + k)} {_y(y)}")
            parts.append(f"H{_s(start_s + k + 1)}")
        pen_down = bool(np.isfinite(y))
    return "".join(parts)


def area_path(
    start_s: float, top: NDArray[np.float64], bottom: NDArray[np.float64], width_s: float = 1.0
) -> str:
    """Draw a bar a second between two heights; empty ones are left out, equal ones joined."""
    parts = []
    k = 0
    while k < top.size:
        n = 1
        while k + n < top.size and top[k + n] == top[k] and bottom[k + n] == bottom[k]:
            n += 1
        if bottom[k] - top[k] > 1e-9:
            left, right = start_s + k * width_s, start_s + (k + n) * width_s
            parts.append(f"M{_s(left)} {_y(top[k])}H{_s(right)}V{_y(bottom[k])}H{_s(left)}Z")
        k += n
    return "".join(parts)


def span_path(spans: Sequence[tuple[float, float]], top: float = 0.0, bottom: float = 1.0) -> str:
    """Draw spans of time as bars between two heights."""
    return "".join(
        f"M{_s(start)} {_y(top)}H{_s(stop)}V{_y(bottom)}H{_s(start)}Z" for start, stop in spans
    )


def runs(flags: NDArray[np.bool_], time_s: NDArray[np.floating]) -> list[tuple[float, float]]:
    """Return the spans of time in which flags are set; a frame reaches to the next one."""
    if not flags.any():
        return []
    step = float(np.median(np.diff(time_s))) if time_s.size > 1 else 0.0
    edges = np.append(time_s, time_s[-1] + step)
    change = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [
        (float(edges[a]), float(edges[b])) for a, b in zip(change[::2], change[1::2], strict=True)
    ]


def _part_lane(name: str, shares: NDArray[np.float64], start_s: float) -> Lane:
    """Stack the origins of a body part's values, a bar a second.

    Parameters
    ----------
    name
        Body part.
    shares : ndarray of shape (origin of :data:`KINDS`, second)
    start_s
        Where the first second begins.
    """
    # From below, as in the figure; to a thousandth, so that equal seconds join.
    above = np.round(1 - np.cumsum(shares, axis=0), 3)
    below = np.vstack([np.ones(shares.shape[1]), above[:-1]])
    shapes = tuple(
        Shape(path, kind.name.lower(), filled=True)
        for k, (kind, _) in enumerate(KINDS)
        if (path := area_path(start_s, above[k], below[k]))
    )
    return Lane(name, "", shapes, low=True)


def _scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    span = high - low if high > low else 1.0
    return 1 - (values - low) / span


def _series_lane(
    values: Sequence[float | None], title: str, unit: str, limit: float, what: str, start_s: float
) -> Lane:
    known = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    finite = np.append(known[np.isfinite(known)], [limit, 0.0])
    low, high = float(finite.min()), 1.1 * float(finite.max())
    at = float(_scaled(np.array([limit]), low, high)[0])
    end = start_s + known.size
    shapes = (
        Shape(step_path(start_s, _scaled(known, low, high)), "series"),
        Shape(f"M{_s(start_s)} {_y(at)}H{_s(end)}", "limit"),
    )
    note = f"{number(low)} to {number(high)} {unit}; {what} {limit:g}"
    return Lane(title, note, shapes)


def quality_group(recording: str, pose: Pose, record: Mapping[str, Any] | None) -> Group | None:
    """Show where values come from by body part, and what else tells whether a recording is fit.

    Parameters
    ----------
    recording
        Id.
    pose
        Clean pose.
    record
        Its record of quality, where there is one.
    """
    shares = part_shares(pose)
    if not shares or pose.n_frames == 0:
        return None
    start = float(pose.time_s[0])
    lanes = [_part_lane(part, values, start) for part, values in shares.items()]
    record = record or {}
    series, limits = record.get("series") or {}, record.get("limits") or {}
    swaps = pose.details.get("cleaning", {}).get("swaps", [])
    if swaps:
        spans = [(s["start_s"], max(s["end_s"], s["start_s"] + 0.2)) for s in swaps]
        lanes.append(
            Lane(TEXTS["swaps"], "", (Shape(span_path(spans), "corrected", True),), low=True)
        )
    others = np.array([v or 0.0 for v in series.get("others") or []], dtype=np.float64)
    if others.any():
        path = area_path(start, 1 - others, np.ones(others.size))
        lanes.append(
            Lane(TEXTS["others"], TEXTS["others_note"], (Shape(path, "series", True),), low=True)
        )
    lanes += [
        _series_lane(series[name], title, unit, float(limits[key]), what, start)
        for name, title, unit, key, what in ROWS
        if series.get(name) and limits.get(key) is not None
    ]
    alt = TEXTS["quality_alt"].format(
        recording=recording, lanes=", ".join(lane.name for lane in lanes)
    )
    return Group(TEXTS["quality"], TEXTS["quality_note"], alt, tuple(lanes), _quality_slots(pose))


def _quality_slots(pose: Pose) -> tuple[tuple[float, float, str], ...]:
    time_s, shares = origin_shares(pose)
    slots = []
    for k, second in enumerate(time_s):
        words = [
            f"{ORIGINS[name]} {percent(share[k])}" for name, share in shares.items() if share[k] > 0
        ]
        slots.append((float(second), float(second) + 1, ", ".join(words) or TEXTS["nothing"]))
    return tuple(slots)


def _ribbons(pose: Pose, joint: str) -> tuple[Shape, ...]:
    """Mark what was not measured: the left side's values at the upper edge, the right's below."""
    origin = known_origin(pose)
    shapes = []
    for side, top in (("left", 0.0), ("right", 1 - RIBBON)):
        own = origin[:, pose.keypoints.index(f"{side}_{joint}")]
        for kind, name in MARKED.items():
            spans = runs(own == int(kind), pose.time_s)
            if spans:
                shapes.append(Shape(span_path(spans, top, top + RIBBON), name, filled=True))
    return tuple(shapes)


def trajectory_group(recording: str, pose: Pose) -> Group | None:
    """Show the limbs' trajectories, and which of their values were not measured.

    Parameters
    ----------
    recording
        Id.
    pose
        Clean pose.
    """
    joints = shown_joints(pose)
    if not joints or pose.n_frames == 0:
        return None
    position, unit = body_coordinates(pose)
    every = every_frame(pose)
    time_s = pose.time_s[::every]
    lanes = []
    for joint in joints:
        ribbons = _ribbons(pose, joint)
        for axis in ("x", "y"):
            both = {
                side: position[::every, "xy".index(axis), pose.keypoints.index(f"{side}_{joint}")]
                for side in ("left", "right")
            }
            known = np.concatenate([v[np.isfinite(v)] for v in both.values()])
            low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
            room = (RIBBON + 0.03) * (high - low) / (1 - 2 * RIBBON - 0.06)
            shapes = []
            for side, values in both.items():
                scaled = _scaled(values, low - room, high + room)
                # x grows to the right, so upward is right; y grows downward in the picture.
                shapes.append(Shape(line_path(time_s, 1 - scaled if axis == "y" else scaled), side))
            lanes.append(
                Lane(
                    f"{joint}, {TEXTS[axis]}",
                    f"{number(low)} to {number(high)} {unit}",
                    (*ribbons, *shapes),
                )
            )
    alt = TEXTS["trajectories_alt"].format(recording=recording, lanes=", ".join(joints))
    return Group(
        TEXTS["trajectories"],
        TEXTS["trajectories_note"],
        alt,
        tuple(lanes),
        _trajectory_slots(pose, joints),
    )


def _trajectory_slots(pose: Pose, joints: Sequence[str]) -> tuple[tuple[float, float, str], ...]:
    origin = known_origin(pose)
    second = np.floor(pose.time_s - pose.time_s[0]).astype(int)
    names = [f"{side}_{joint}" for joint in joints for side in ("left", "right")]
    slots = []
    for s in np.unique(second):
        words = []
        for kind, text in MARKED.items():
            found = [
                name.replace("_", " ")
                for name in names
                if (origin[second == s, pose.keypoints.index(name)] == int(kind)).any()
            ]
            if found:
                words.append(f"{text}: {', '.join(found)}")
        left = float(pose.time_s[0]) + float(s)
        slots.append((left, left + 1, "; ".join(words) or TEXTS["all_measured"]))
    return tuple(slots)


def groups(recording: str, pose: Pose, record: Mapping[str, Any] | None) -> tuple[Group, ...]:
    """Return the groups of lanes of a recording; those that it has nothing for are left out."""
    found = (quality_group(recording, pose, record), trajectory_group(recording, pose))
    return tuple(group for group in found if group is not None)
