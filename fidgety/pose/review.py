"""Which frames a person should look at, and what is prepared for putting them right.

A frame's score counts what is wrong in it: keypoints of trunk, head and limbs missing for longer
than is imputed count most, then impossible bones, joints and jumps, then values that the tracker
itself doubted and edges of exchanges of sides. Frames are taken by score, at least some time apart
(neighbours show the same), and further apart where much is wrong, so that the few that
are asked for are spread over all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.pose.cleaning import Cleaned
from fidgety.pose.corrections import Corrections, Placement
from fidgety.pose.corrections_table import HALF_PIXEL, format_number, row_of
from fidgety.pose.gaps import Mask, Positions
from fidgety.pose.quality import core_keypoints
from fidgety.pose.tracks import Origin, Pose, to_dataset

#: What can be wrong with a value: weight, and how it is said.
KINDS: dict[str, tuple[float, str]] = {
    "gap": (3.0, "missing"),
    "bone": (2.0, "impossible bone"),
    "joint": (2.0, "impossible joint"),
    "jump": (2.0, "jump"),
    "swap": (1.0, "sides exchanged and put right"),
    "confidence": (1.0, "low confidence"),
}
#: Weight of fingers, eyes and the like against trunk, head and limbs.
MINOR = 0.2
FRAME_COLUMNS = ("rank", "frame", "time_s", "score", "keypoints", "reason", "picture")


@dataclass(frozen=True)
class DoubtfulFrame:
    """A frame for a person to look at.

    Parameters
    ----------
    frame
        From 0.
    score
        How much is wrong in it.
    wrong
        Kind (of :data:`KINDS`) to the indices of the keypoints.
    """

    frame: int
    score: float
    wrong: Mapping[str, tuple[int, ...]]

    @property
    def keypoints(self) -> tuple[int, ...]:
        """Every keypoint with something wrong, in order."""
        return tuple(sorted({k for own in self.wrong.values() for k in own}))

    def reason(self, names: tuple[str, ...]) -> str:
        """Say in one line what is wrong."""
        return "; ".join(
            f"{KINDS[kind][1]}: {', '.join(names[k] for k in own)}"
            for kind, own in self.wrong.items()
        )


def doubts(cleaned: Cleaned) -> dict[str, Mask]:
    """Return what is wrong with every value, by kind; what a hand decided is right.

    Parameters
    ----------
    cleaned
        A pose with the findings of its cleaning.

    Returns
    -------
    dict
        Kind (of :data:`KINDS`) to a mask of shape (frame, keypoint). Of an exchange of sides its
        first and last frames alone: in between there is nothing to see.
    """
    pose = cleaned.pose
    assert pose.origin is not None
    by_hand = pose.origin == int(Origin.MANUAL)
    swapped = cleaned.findings.get("swap", np.zeros(pose.origin.shape, dtype=bool))
    inside = swapped.copy()
    inside[1:-1] &= swapped[:-2] & swapped[2:]
    inside[[0, -1]] = False
    found = {
        "gap": pose.origin == int(Origin.MISSING),
        "swap": swapped & ~inside,
    }
    for kind in ("bone", "joint", "jump", "confidence"):
        found[kind] = cleaned.findings.get(kind, np.zeros(pose.origin.shape, dtype=bool))
    return {kind: found[kind] & ~by_hand for kind in KINDS}


def doubtful_frames(
    cleaned: Cleaned, *, at_most: int, every_s: float, settled: Mask | None = None
) -> list[DoubtfulFrame]:
    """Choose the frames that a person should look at, the worst first.

    Parameters
    ----------
    cleaned
        A pose with the findings of its cleaning.
    at_most
        Most frames.
    every_s
        Shortest time between two.
    settled : ndarray of bool, shape (frame, keypoint), optional
        Values that a person has decided on already.
    """
    pose = cleaned.pose
    wrong = doubts(cleaned)
    if settled is not None:
        wrong = {kind: mask & ~settled for kind, mask in wrong.items()}
    weight = np.full(len(pose.keypoints), MINOR)
    weight[core_keypoints(pose.anatomy)] = 1.0
    score = np.zeros(pose.n_frames)
    for kind, mask in wrong.items():
        score += KINDS[kind][0] * (mask @ weight)
    doubtful = np.flatnonzero(score > 0)
    apart_s = max(every_s, len(doubtful) / pose.fps / at_most)
    taken: list[int] = []
    free = np.ones(pose.n_frames, dtype=bool)
    # The worst first, of equals the earliest: the order does not depend on the machine.
    for frame in doubtful[np.lexsort((doubtful, -score[doubtful].round(6)))]:
        if len(taken) == at_most:
            break
        if free[frame]:
            taken.append(int(frame))
            free[np.abs(pose.time_s - pose.time_s[frame]) < apart_s - 0.5 / pose.fps] = False
    return [
        DoubtfulFrame(
            frame,
            float(score[frame]),
            {
                kind: tuple(int(k) for k in np.flatnonzero(mask[frame]))
                for kind, mask in wrong.items()
                if mask[frame].any()
            },
        )
        for frame in taken
    ]


def picture_name(frame: int) -> str:
    """Name the picture of a frame."""
    return f"frame-{frame:06d}.png"


def frames_table(frames: list[DoubtfulFrame], pose: Pose) -> str:
    """Write the frames that need eyes as a tab-separated table."""
    lines = ["\t".join(FRAME_COLUMNS)]
    for rank, one in enumerate(frames, 1):
        names = ", ".join(pose.keypoints[k] for k in one.keypoints)
        cells = (
            str(rank),
            str(one.frame),
            f"{pose.time_s[one.frame]:.3f}",
            f"{one.score:.1f}",
            names,
            one.reason(pose.keypoints),
            f"frames/{picture_name(one.frame)}",
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def template_rows(
    frames: list[DoubtfulFrame], pose: Pose, corrections: Corrections
) -> list[dict[str, str]]:
    """Fill a table of corrections: those that there are, then one row a doubtful value.

    The new rows have no action: they say nothing until somebody gives them one.
    """
    rows = [row_of(entry, pose.time_s) for entry in corrections.entries]
    for one in sorted(frames, key=lambda f: f.frame):
        said = {k: kind for kind, own in reversed(list(one.wrong.items())) for k in own}
        for k in one.keypoints:
            x, y = (format_number(float(v)) for v in pose.position[one.frame, :2, k])
            rows.append(
                {
                    "frame": str(one.frame),
                    "time_s": format_number(float(pose.time_s[one.frame])),
                    "keypoint": pose.keypoints[k],
                    "x": x,
                    "y": y,
                    "note": KINDS[said[k]][1],
                    "present_x": x,
                    "present_y": y,
                }
            )
    return rows


def editable(pose: Pose, untouched: Pose, placement: Placement) -> xr.Dataset:
    """Lay a pose out for editing in napari by movement, with what it is compared with after.

    Parameters
    ----------
    pose
        Clean pose, corrections included.
    untouched
        The same cleaned without corrections.
    placement
        Where the corrections are.

    Returns
    -------
    xarray.Dataset
        As :func:`fidgety.pose.tracks.to_dataset`, with (0, 0) at the centre of the first pixel,
        and a variable ``reviewed``: the values that a difference from is a correction. Where there
        is one already, that is the value without it, so that it counts again.
    """
    shift = HALF_PIXEL if pose.units == "pixels" else 0.0
    position: Positions = np.array(pose.position, dtype=np.float64)
    position[np.broadcast_to(placement.removed[:, None, :], position.shape)] = np.nan
    touched: NDArray[np.bool_] = np.broadcast_to(placement.touched[:, None, :], position.shape)
    reviewed = np.where(touched, untouched.position, position)
    dataset = to_dataset(replace(pose, position=position - shift, world=None))
    dims = dataset["position"].dims
    dataset["reviewed"] = dims, (reviewed - shift)[..., None].astype(np.float32)
    dataset.attrs["first_pixel_centre"] = 0.0
    return dataset
