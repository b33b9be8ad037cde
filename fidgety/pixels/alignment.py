"""The pose adjuster of Hashimoto et al. 2022: one similarity transform a recording.

Hashimoto Y, Furui A, Shimatani K, et al. (2022). Automated classification of General Movements
in infants using two-stream spatiotemporal fusion network. MICCAI 2022, 753-762.

Shoulders and hips of some frames give the neck (mean of the shoulders), the crotch (mean of the
hips), the centre (mean of the four) and the trunk's length. Of the frames ordered by length the
middle half is averaged, so that single mistakes of the tracker and a trunk that bends have no say.
The crop is a square around the centre, ``3 / 0.8`` trunks wide, with the head up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.tracks import Pose
from fidgety.skeletons import conversion_matrix

JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
#: Seconds between the frames that are looked at: every 30th of 30 a second.
STEP_S = 1.0
#: Side of the square, in trunk lengths.
SIDE = 3 / 0.8
#: A trunk shorter than this, in pixels, cannot be aligned by.
SHORTEST_PX = 4.0


@dataclass(frozen=True)
class Alignment:
    """Where the infant lies in the picture, how large it is, and which way round.

    Parameters
    ----------
    centre_px
        Mean of shoulders and hips, x right, y down.
    length_px
        From the crotch to the neck.
    angle_deg
        By which the picture is turned, clockwise as it is seen, so that the head is up.
    frames
        Number of frames that are averaged.
    """

    centre_px: tuple[float, float]
    length_px: float
    angle_deg: float
    frames: int

    def matrix(self, size_px: int) -> NDArray[np.float64]:
        """Return the affine map from the picture's pixels to those of a square crop.

        Parameters
        ----------
        size_px
            Side of the crop.

        Returns
        -------
        ndarray of shape (2, 3)
        """
        scale = size_px / (SIDE * self.length_px)
        angle = np.deg2rad(self.angle_deg)
        # Rows of pixels run down: a turn clockwise is the usual matrix.
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        # Centres of pixels are at whole numbers: the middle of the crop lies between two.
        middle = np.full(2, (size_px - 1) / 2)
        return np.column_stack([turn, middle - turn @ np.array(self.centre_px)])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file's attributes."""
        return {
            "centre_x_px": self.centre_px[0],
            "centre_y_px": self.centre_px[1],
            "length_px": self.length_px,
            "angle_deg": self.angle_deg,
            "frames": self.frames,
        }


def trunk_joints(pose: Pose) -> NDArray[np.float64]:
    """Return shoulders and hips in pixels, of shape (frame, 2, 4).

    Raises
    ------
    NotAssessable
        If the skeleton does not supply them, or the tracks are not in pixels.
    """
    weights, missing = conversion_matrix(pose.anatomy, JOINTS)
    if missing:
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE, f"the tracks have no {', '.join(missing)} to align by"
        )
    if pose.units != "pixels":
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE, f"the tracks are in {pose.units!r}, not in pixels"
        )
    flat = np.asarray(pose.position[:, :2], dtype=np.float64)
    found = np.empty((pose.n_frames, 2, len(JOINTS)))
    for k, row in enumerate(weights):
        used = np.flatnonzero(row)
        found[:, :, k] = flat[:, :, used] @ row[used]
    return found


def fit_alignment(pose: Pose, step_s: float = STEP_S) -> Alignment:
    """Find a recording's transform.

    Parameters
    ----------
    pose
        Clean, in pixels of the standard video.
    step_s
        Seconds between the frames that are looked at. Where these show no trunk, all frames are.

    Raises
    ------
    NotAssessable
        If shoulders and hips are never seen together.
    """
    joints = trunk_joints(pose)
    step = max(1, round(step_s * pose.fps))
    seen = np.isfinite(joints).all(axis=(1, 2))
    chosen = np.zeros(len(joints), dtype=bool)
    chosen[::step] = True
    used = seen & chosen if (seen & chosen).any() else seen
    some = joints[used]
    neck, crotch = some[:, :, :2].mean(axis=2), some[:, :, 2:].mean(axis=2)
    trunk = neck - crotch
    length = np.linalg.norm(trunk, axis=1)
    real = length >= SHORTEST_PX
    if not real.any():
        raise NotAssessable(
            Reason.NO_BODY,
            "shoulders and hips are never seen together, or lie on one spot "
            f"({len(joints)} frames)",
        )
    some, trunk, length = some[real], trunk[real], length[real]
    order = np.argsort(length, kind="stable")
    n = len(order)
    middle = order[n // 4 : n - n // 4]
    x, y = some[middle].mean(axis=(0, 2))
    # Angles are averaged as directions: 359 and 1 degrees are 0, not 180.
    x_up, y_up = (trunk[middle] / length[middle, None]).sum(axis=0)
    angle = np.rad2deg(np.arctan2(-x_up, -y_up))
    return Alignment((float(x), float(y)), float(length[middle].mean()), float(angle), len(middle))
