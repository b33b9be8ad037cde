"""Joint angles in the picture: the twelve of Kaur 2025.

Kaur 2025 (section 3.1) names them - shoulders, elbows, wrists, hips, knees and ankles of both
sides - and leaves the vectors open. Here each is the inner angle at the joint between the vectors
to two neighbours (:data:`fidgety.skeletons.JOINTS`), between 0 (folded) and pi (straight):

=========  ==========  ========  =========
angle      from        at        to
=========  ==========  ========  =========
shoulder   hip         shoulder  elbow
elbow      shoulder    elbow     wrist
wrist      elbow       wrist     hand
hip        shoulder    hip       knee
knee       hip         knee      ankle
ankle      knee        ankle     foot
=========  ==========  ========  =========

All keypoints are of the same side. ``hand`` and ``foot`` are those of the 21-keypoint body
(for BlazePose the mean of index and little finger, and the tip of the foot). Where a tracker has
none, the set cannot be had, or with ``features: {missing_landmarks: leave_out}`` the angles that
need them are left out. Angles need no frame of reference: moving, turning and scaling the picture
leave them as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.config.features import FeaturesConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.features.contract import Tracks
from fidgety.features.coordinates import given_keypoints, picture_positions
from fidgety.features.store import FeatureSet
from fidgety.skeletons import BODY_21


def inner_angle(
    a: NDArray[np.floating], joint: NDArray[np.floating], b: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the angle at ``joint`` between the directions to ``a`` and to ``b``.

    Parameters
    ----------
    a, joint, b : ndarray of shape (frame, 2)

    Returns
    -------
    ndarray of shape (frame,)
        Radians in [0, pi]; NaN where a point is missing or falls onto the joint. The arc
        tangent keeps full precision near 0 and pi, where an arc cosine loses half of it.
    """
    u, v = a - joint, b - joint
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    dot = (u * v).sum(axis=1)
    angle = np.arctan2(np.abs(cross), dot)
    no_direction = (np.abs(u).sum(axis=1) == 0) | (np.abs(v).sum(axis=1) == 0)
    return np.where(no_direction, np.nan, angle)


class Angles2D:
    """The twelve joint angles of Kaur 2025, in radians."""

    name = "angles_2d"

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features; see :class:`~fidgety.features.contract.FeatureSetBuilder`."""
        wanted = tuple(dict.fromkeys(k for triple in BODY_21.angles.values() for k in triple))
        kept, _ = given_keypoints(tracks, wanted, config.missing_landmarks)
        position = picture_positions(tracks, kept)
        angles = {name: t for name, t in BODY_21.angles.items() if set(t) <= set(kept)}
        if not angles:
            raise NotAssessable(
                Reason.FEATURE_UNAVAILABLE,
                f"{tracks.clean.skeleton or 'the source'} gives the keypoints of no joint angle",
            )
        columns = [
            inner_angle(*(position[:, :, kept.index(k)] for k in triple))
            for triple in angles.values()
        ]
        left_out = [name for name in BODY_21.angles if name not in angles]
        return FeatureSet(
            np.stack(columns, axis=1).astype(np.float32),
            tuple(f"{name}_angle" for name in angles),
            tracks.clean.time_s,
            tracks.clean.fps,
            "rad",
            {"skeleton": BODY_21.name, "left_out": left_out},
        )
