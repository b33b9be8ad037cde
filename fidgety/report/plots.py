"""Figures of an infant's page."""

from __future__ import annotations

import re

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from fidgety.evaluation.plots import COLOURS, figure, to_svg
from fidgety.pose.tracks import Origin, Pose
from fidgety.report.language import mark, translate
from fidgety.skeletons import conversion_matrix

#: Joints whose tracks are shown, those that the skeleton has.
JOINTS = (mark("wrist"), mark("elbow"), mark("ankle"), mark("knee"))
#: Side, its colour and its line.
SIDES = ((mark("left"), COLOURS[0], "-"), (mark("right"), COLOURS[1], "--"))
MAX_POINTS = 1200
#: Colours of where values come from; what is missing is nearly black.
ORIGIN_COLOURS = {
    "measured": "#bcd9ea",
    "corrected": "#009e73",
    "manual": "#cc79a7",
    "imputed": "#e69f00",
}


def body_coordinates(pose: Pose) -> tuple[NDArray[np.float64], str]:
    """Express positions from the pelvis in trunk lengths where the skeleton allows it.

    Returns
    -------
    position : ndarray of shape (frame, 2, keypoint)
    unit : str
        ``trunk lengths``, or the pose's own.
    """
    flat = np.asarray(pose.position[:, :2], dtype=np.float64)
    (pelvis, thorax), missing = conversion_matrix(pose.anatomy, ("pelvis", "thorax"))
    if missing:
        return flat, pose.units
    used = np.flatnonzero((pelvis != 0) | (thorax != 0))
    origin = flat[:, :, used] @ pelvis[used]
    lengths = np.linalg.norm(flat[:, :, used] @ thorax[used] - origin, axis=1)
    if not np.isfinite(lengths).any():
        return flat, pose.units
    scale = float(np.nanmedian(lengths))
    if pose.units == "zscore" or scale <= 0:
        return flat - origin[:, :, None], mark("z-scores")
    return (flat - origin[:, :, None]) / scale, mark("trunk lengths")


def shown_joints(pose: Pose) -> list[str]:
    """Return the joints of :data:`JOINTS` that the skeleton has on both sides."""
    return [j for j in JOINTS if {f"left_{j}", f"right_{j}"} <= set(pose.keypoints)]


def every_frame(pose: Pose) -> int:
    """Return how many frames lie between two points of a track that is drawn."""
    return max(1, int(np.ceil(pose.n_frames / MAX_POINTS)))


def draw_trajectories(pose: Pose) -> str:
    """Draw the limbs' tracks over time as SVG; gaps stay gaps."""
    position, unit = body_coordinates(pose)
    joints = shown_joints(pose)
    if not joints:
        return ""
    every = every_frame(pose)
    time_s = pose.time_s[::every]
    with figure(9.0, 1.25 * len(joints) + 0.5, rows=len(joints), columns=2) as drawing:
        for row, joint in enumerate(joints):
            for axis, label in enumerate((translate("x (right)"), translate("y (down)"))):
                panel = drawing.axes[2 * row + axis]
                for side, colour, dash in SIDES:
                    index = pose.keypoints.index(f"{side}_{joint}")
                    panel.plot(
                        time_s,
                        position[::every, axis, index],
                        color=colour,
                        linestyle=dash,
                        linewidth=0.8,
                        label=translate(side),
                    )
                panel.set_title(f"{translate(joint)}, {label}", loc="left", fontsize=8)
                panel.margins(x=0)
                if row < len(joints) - 1:
                    panel.tick_params(labelbottom=False)
                else:
                    panel.set_xlabel(translate("seconds"))
        drawing.axes[0].legend(loc="upper right", fontsize=7, ncols=2)
        drawing.supylabel(translate("from the pelvis, %(unit)s", unit=translate(unit)), fontsize=8)
        return to_svg(drawing)


def known_origin(pose: Pose) -> NDArray[np.uint8]:
    """Return where each value comes from: of shape (frame, keypoint)."""
    if pose.origin is not None:
        return pose.origin
    present = np.isfinite(pose.position).all(axis=1)  # tracks that were never cleaned
    return np.where(present, Origin.MEASURED, Origin.MISSING).astype(np.uint8)


def origin_shares(pose: Pose) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Share of the values of every origin, a second at a time.

    Returns
    -------
    time_s : ndarray of shape (second,)
        Where each second begins.
    shares : dict
        measured, corrected, manual, imputed, missing: shares of shape (second,) that sum to 1.
    """
    origin = known_origin(pose)
    second = np.floor(pose.time_s - pose.time_s[0]).astype(int) if pose.n_frames else np.empty(0)
    seconds = np.unique(second)
    kinds = (
        Origin.MEASURED,
        Origin.CORRECTED,
        Origin.MANUAL,
        Origin.IMPUTED,
        Origin.MISSING,
    )
    shares = {
        kind.name.lower(): np.array([(origin[second == s] == kind).mean() for s in seconds])
        for kind in kinds
    }
    start = float(pose.time_s[0]) if pose.n_frames else 0.0
    return seconds + start, shares


_IDS = re.compile(r'\b(id="|url\(#|href="#)')


def inline(svg: str, prefix: str, label: str) -> Markup:
    """Make a figure fit for a page: alone its root element, own ids, a text alternative.

    Parameters
    ----------
    svg
        A whole SVG file made by this package (it is not escaped).
    prefix
        Put before every id: two figures on one page must not share any.
    label
        Text alternative; escaped here.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = _IDS.sub(lambda m: f"{m[1]}{prefix}-", body)
    return Markup(body.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1))
