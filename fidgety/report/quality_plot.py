"""One figure of how fit a recording is, on one time axis: tracks, persons, movement, camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fidgety.evaluation.plots import COLOURS, figure, to_svg
from fidgety.pose.behaviour import seconds
from fidgety.pose.tracks import Origin, Pose
from fidgety.report.plots import ORIGIN_COLOURS, known_origin

MISSING_COLOUR = "#3a3a3a"
#: Origins in the order in which they are stacked, and what they are called.
KINDS = (
    (Origin.MEASURED, "measured"),
    (Origin.CORRECTED, "side put right"),
    (Origin.MANUAL, "placed by hand"),
    (Origin.IMPUTED, "imputed"),
    (Origin.MISSING, "missing"),
)
_TRUNK = ("shoulder", "hip", "thorax", "spine", "pelvis", "sternum", "chest", "belly", "navel")
_ARM = ("elbow", "wrist", "hand", "index", "pinky", "thumb", "finger", "palm")
_LEG = ("knee", "ankle", "heel", "foot", "toe")
#: Height of a body part's band; the rest is space.
BAND = 0.85
#: Row of the series, its title, its unit, and key of the limit that is drawn with what it means.
ROWS = (
    ("speed", "speed of hands and feet", "trunk/s", "fussing_speed", "fussing suspected above"),
    ("extent", "spread of hands and feet", "trunk", "still_extent", "still below"),
    ("facing", "width of the trunk", "trunk", "side_width", "not from the front below"),
    ("camera", "camera", "trunk/s", "camera_speed", "moving above"),
)


def body_part(keypoint: str) -> str:
    """Name the part of the body that a keypoint belongs to."""
    for names, part in ((_LEG, "leg"), (_ARM, "arm")):
        # A foot's index is no finger: legs come first.
        if any(name in keypoint for name in names):
            side = next((s for s in ("left", "right") if s in keypoint), "")
            return f"{side} {part}".strip()
    return "trunk" if any(name in keypoint for name in _TRUNK) else "head"


def part_shares(pose: Pose) -> dict[str, NDArray[np.float64]]:
    """Share of the values of each origin, by body part and second.

    Returns
    -------
    dict
        Part to shares of shape (origin of :data:`KINDS`, second), which sum to 1. Parts are in
        the order head, trunk, arms, legs.
    """
    origin = known_origin(pose)
    second = seconds(pose.time_s)
    n = int(second[-1]) + 1 if second.size else 0
    parts: dict[str, list[int]] = {}
    for k, name in enumerate(pose.keypoints):
        parts.setdefault(body_part(name), []).append(k)
    ranks = {"head": 0, "trunk": 1, "arm": 2, "leg": 3}
    found = {}
    for part in sorted(parts, key=lambda p: (ranks[p.rpartition(" ")[2]], p)):
        own = origin[:, parts[part]]
        shares = np.stack(
            [
                np.bincount(second, weights=(own == int(kind)).mean(axis=1), minlength=n)
                for kind, _ in KINDS
            ]
        )
        # A second without a frame (a jump of the time stamps) has no values: all are missing.
        frames = np.bincount(second, minlength=n)
        shares = shares / np.maximum(frames, 1)
        shares[-1, frames == 0] = 1.0
        found[part] = shares
    return found


def _steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Repeat the last second, so that it is drawn a second wide."""
    return np.append(values, values[-1])


def _draw_parts(panel: Axes, shares: Mapping[str, NDArray[np.float64]], edges: Any) -> None:
    for row, values in enumerate(reversed(list(shares.values()))):
        tops = row + BAND * np.cumsum(values, axis=0)
        for (kind, _), top, own in zip(KINDS, tops, values, strict=True):
            # Where there is none of a kind nothing is drawn: a small file of a long recording.
            drawn = np.where(own > 0, top, np.nan)
            colour = ORIGIN_COLOURS.get(kind.name.lower(), MISSING_COLOUR)
            panel.stairs(
                drawn, edges, baseline=drawn - BAND * own, fill=True, color=colour, linewidth=0
            )
    panel.set_yticks(np.arange(len(shares)) + BAND / 2, list(reversed(list(shares))))
    panel.set_ylim(-0.1, len(shares))
    panel.tick_params(axis="y", length=0)
    handles = [
        Patch(color=ORIGIN_COLOURS.get(kind.name.lower(), MISSING_COLOUR), label=text)
        for kind, text in KINDS
    ]
    panel.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _name_strip(panel: Axes, title: str) -> None:
    panel.set_yticks([])
    panel.set_title(title, loc="left", fontsize=8)


def _draw_series(
    panel: Axes, values: Sequence[float | None], title: str, unit: str, limit: float, what: str
) -> None:
    known = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    edges = np.arange(known.size + 1)
    panel.step(edges, _steps(known), where="post", color=COLOURS[0], linewidth=1.2)
    panel.axhline(limit, color=COLOURS[1], linewidth=0.8, linestyle="--")
    panel.set_title(f"{title} ({unit})", loc="left", fontsize=8)
    highest = float(np.nanmax(np.append(known, limit)))
    lowest = float(min(np.nanmin(np.append(known, limit)), 0.0))
    panel.set_ylim(1.15 * lowest, 1.25 * highest)
    panel.text(
        1.005,
        limit,
        f"{what} {limit:g}",
        transform=panel.get_yaxis_transform(),
        fontsize=7,
        color=COLOURS[1],
        va="center",
    )


def draw_fitness(pose: Pose, record: Mapping[str, Any]) -> str:
    """Draw how fit a recording is as SVG.

    Parameters
    ----------
    pose
        Clean pose.
    record
        Its record of quality (schema ``quality/2``).
    """
    shares = part_shares(pose)
    if not shares or pose.n_frames == 0:
        return ""
    series, limits = record.get("series", {}), record.get("limits", {})
    rows = [row for row in ROWS if series.get(row[0]) and limits.get(row[3]) is not None]
    swaps = pose.details.get("cleaning", {}).get("swaps", [])
    others = np.array([v or 0.0 for v in series.get("others") or []], dtype=np.float64)
    strips = bool(swaps) + bool(others.any())
    heights = [0.24 * len(shares) + 0.2, *[0.25] * strips, *[0.55] * len(rows)]
    n = next(iter(shares.values())).shape[1]
    with figure(9.0, 1.1 * sum(heights) + 0.35 * len(heights) + 0.3) as drawing:
        drawing.clear()
        panels = list(
            drawing.subplots(
                len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
            )[:, 0]
        )
        _draw_parts(panels[0], shares, np.arange(n + 1))
        if swaps:
            start = float(pose.time_s[0])
            spans = [(s["start_s"] - start, max(s["end_s"] - s["start_s"], 0.2)) for s in swaps]
            panels[1].broken_barh(spans, (0, 1), color=ORIGIN_COLOURS["corrected"])
            _name_strip(panels[1], "left and right exchanged, put right")
        if others.any():
            strip = panels[strips]
            strip.fill_between(
                np.arange(others.size + 1), _steps(others), step="post", color=COLOURS[0]
            )
            strip.set_ylim(0, 1)
            _name_strip(strip, "somebody else in view (share of each second)")
        for panel, (name, title, unit, key, what) in zip(
            panels[len(panels) - len(rows) :], rows, strict=True
        ):
            _draw_series(panel, series[name], title, unit, float(limits[key]), what)
        panels[-1].set_xlabel("seconds")
        panels[-1].set_xlim(0, n)
        return to_svg(drawing)
