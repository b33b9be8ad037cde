"""Corrections by hand: what a person says of single keypoints, put into a pose.

A correction names a keypoint and a frame (or a time) and either gives its place or says that it
cannot be seen. It is about the *clean* pose, which is what a person looks at: sides are those
after exchanges were undone, coordinates are pixels of the standard video (of an imported track: its
own units), (0, 0) the outer corner of the first pixel. Tables are read by
:mod:`fidgety.pose.corrections_table`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.gaps import Mask
from fidgety.pose.tracks import Pose
from fidgety.registry import nearest

Action = Literal["set", "missing"]
#: Problems of one recording's table that are told one by one.
TOLD = 10


@dataclass(frozen=True)
class Correction:
    """What a person says of one keypoint in one frame.

    Parameters
    ----------
    row
        Row of the table, as a spreadsheet counts; None for an edited file.
    keypoint
        Name.
    action
        ``set`` gives its position, ``missing`` says that it cannot be seen.
    frame
        From 0; None where only the time is given.
    time_s
        Time stamp; None where only the frame is given.
    x, y
        Position, with ``set``.
    rater, note
        Who says so, and why.
    """

    row: int | None
    keypoint: str
    action: Action
    frame: int | None = None
    time_s: float | None = None
    x: float | None = None
    y: float | None = None
    rater: str = ""
    note: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.keypoint} in frame {self.frame}" if self.row is None else f"row {self.row}"


@dataclass(frozen=True)
class Corrections:
    """All corrections of one recording.

    Parameters
    ----------
    entries
        In the order of the table.
    untouched
        Rows without an action: nobody said anything about them.
    """

    entries: tuple[Correction, ...] = ()
    untouched: int = 0


@dataclass(frozen=True)
class Placement:
    """Corrections as arrays.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        NaN where nothing was set.
    placed, removed : ndarray of bool, shape (frame, keypoint)
        What was given a place, and what was said to be missing.
    """

    position: NDArray[np.float64]
    placed: Mask
    removed: Mask

    @property
    def touched(self) -> Mask:
        """Values that a person decided on."""
        return self.placed | self.removed


def _frame(entry: Correction, pose: Pose) -> tuple[int, str]:
    """Return the frame that a correction is about, and what is wrong with it."""
    last = float(pose.time_s[-1])
    half = 0.5 / pose.fps + 1e-6
    if entry.frame is None:
        assert entry.time_s is not None
        frame = int(np.argmin(np.abs(pose.time_s - entry.time_s)))
        if abs(pose.time_s[frame] - entry.time_s) > half:
            return frame, f"no frame at {entry.time_s:g} s; the recording ends at {last:.2f} s"
        return frame, ""
    if not 0 <= entry.frame < pose.n_frames:
        return 0, f"frame {entry.frame} is outside the recording: frames are 0 to " + str(
            pose.n_frames - 1
        )
    time_s = float(pose.time_s[entry.frame])
    if entry.time_s is not None and abs(time_s - entry.time_s) > half:
        return entry.frame, (
            f"frame {entry.frame} is at {time_s:.2f} s, not at {entry.time_s:g} s; was the table "
            "made at another frame rate?"
        )
    return entry.frame, ""


def _raise(problems: Sequence[str]) -> None:
    if problems:
        more = f"; and {len(problems) - TOLD} more" if len(problems) > TOLD else ""
        raise NotAssessable(Reason.CORRECTIONS_INVALID, "; ".join(problems[:TOLD]) + more)


def place_corrections(corrections: Corrections, pose: Pose) -> Placement:
    """Find the frames and keypoints that corrections are about.

    Parameters
    ----------
    corrections
        Checked by themselves.
    pose
        2D pose that they are for.

    Raises
    ------
    NotAssessable
        With ``corrections_invalid`` and every problem: the pose is 3D, a keypoint that it does
        not have, a frame or time outside of it, a frame and a time that disagree, two
        corrections of one value.
    """
    n, k = pose.n_frames, len(pose.keypoints)
    position = np.full((n, 2, k), np.nan)
    placed, removed = np.zeros((n, k), dtype=bool), np.zeros((n, k), dtype=bool)
    if corrections.entries and pose.n_space != 2:
        _raise(["corrections are for 2D positions; correct a 3D track where it was made"])
    index = {name: i for i, name in enumerate(pose.keypoints)}
    first: dict[tuple[int, int], Correction] = {}
    problems: list[str] = []
    for entry in corrections.entries:
        column = index.get(entry.keypoint)
        if column is None:
            hint = nearest(entry.keypoint, list(pose.keypoints))
            problems.append(f"{entry.place}: no keypoint {entry.keypoint!r} in this pose.{hint}")
            continue
        frame, problem = _frame(entry, pose)
        if problem:
            problems.append(f"{entry.place}: {problem}")
            continue
        other = first.setdefault((frame, column), entry)
        if other is not entry:
            problems.append(
                f"{entry.place}: {entry.keypoint} in frame {frame} is corrected in {other.place} "
                "already"
            )
            continue
        if entry.action == "set":
            position[frame, :, column] = entry.x, entry.y
            placed[frame, column] = True
        else:
            removed[frame, column] = True
    _raise(problems)
    return Placement(position, placed, removed)


def require_inside(corrections: Corrections, width_px: float, height_px: float) -> None:
    """Refuse places outside the picture, where nobody can have seen anything.

    Such a number is a slip: a decimal point that a spreadsheet lost, or another size of the video.

    Raises
    ------
    NotAssessable
        With ``corrections_invalid`` and every such place.
    """
    _raise(
        [
            f"{entry.place}: x {entry.x:g}, y {entry.y:g} is outside the picture of {width_px:g} x "
            f"{height_px:g} pixels; what is not in it is 'missing'"
            for entry in corrections.entries
            if entry.x is not None
            and entry.y is not None
            and not (0 <= entry.x <= width_px and 0 <= entry.y <= height_px)
        ]
    )


def describe_corrections(corrections: Corrections, placement: Placement) -> dict[str, Any]:
    """Summarise for a pose's ``details``: counts, frames and raters."""
    return {
        "set": int(placement.placed.sum()),
        "missing": int(placement.removed.sum()),
        "frames": int(placement.touched.any(axis=1).sum()),
        "without_action": corrections.untouched,
        "raters": sorted({entry.rater for entry in corrections.entries if entry.rater}),
    }
