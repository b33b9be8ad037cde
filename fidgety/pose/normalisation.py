"""Frames of reference: where zero is, what a unit is, and which way is up.

All functions are pure and take positions of shape (frame, space, keypoint). Lengths are
measured in *trunk lengths*: the recording's median distance from pelvis (mean of the hips) to
thorax (mean of the shoulders). A median over the recording, not a length a frame, so that
turning towards the camera does not make the infant grow.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason
from fidgety.skeletons import Names, conversion_matrix

Positions = NDArray[np.float64]
OriginPoint = Literal["sternum", "pelvis", "none"]


def point(position: NDArray[np.floating], keypoints: Names, name: str) -> NDArray[np.float64]:
    """Take one keypoint, derived where the skeleton does not carry it.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    keypoints
        Names, or the skeleton with its own ways to derive others; so in all functions here.
    name
        Keypoint wanted: ``"pelvis"``, ``"thorax"``, ``"sternum"``.

    Returns
    -------
    ndarray of shape (frame, space)
        NaN where a part of it is missing.

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch`` if the keypoints do not give it.
    """
    weights, missing = conversion_matrix(keypoints, (name,))
    if missing:
        raise NotAssessable(Reason.SKELETON_MISMATCH, f"these keypoints do not give {name}")
    used = np.flatnonzero(weights[0])
    return np.asarray(position[:, :, used].astype(np.float64) @ weights[0, used])


def trunk_vectors(position: NDArray[np.floating], keypoints: Names) -> NDArray[np.float64]:
    """Return the vectors from pelvis to thorax, of shape (frame, space); NaN where missing."""
    return point(position, keypoints, "thorax") - point(position, keypoints, "pelvis")


def trunk_length(position: NDArray[np.floating], keypoints: Names) -> float:
    """Measure a recording's trunk: the median distance from pelvis to thorax.

    The median is left alone by missing frames, by up to half of outliers, and by exchanged
    sides (both ends are means of a left and a right keypoint).

    Raises
    ------
    NotAssessable
        With ``pose_too_sparse`` if shoulders and hips are never seen together.
    """
    lengths = np.linalg.norm(trunk_vectors(position, keypoints), axis=1)
    lengths = lengths[np.isfinite(lengths)]
    if lengths.size == 0 or not np.median(lengths) > 0:
        raise NotAssessable(
            Reason.POSE_TOO_SPARSE, "shoulders and hips are in no frame seen together"
        )
    return float(np.median(lengths))


def circular_median(angles: NDArray[np.floating]) -> float:
    """Return the angle with the smallest mean arc distance to all others.

    Robust, as a median is: less than half of the angles cannot move it far.

    Parameters
    ----------
    angles : ndarray of shape (n,)
        Radians; NaN is left out.

    Returns
    -------
    float
        Radians in (-pi, pi]; 0 if there is no angle.
    """
    known = np.asarray(angles, dtype=np.float64)
    known = known[np.isfinite(known)]
    if known.size == 0:
        return 0.0
    # Turning all angles so that their densest direction is zero makes the wrap-around lie
    # where the fewest are; there the ordinary median is the circular one.
    doubled = np.exp(1j * known)
    centre = float(np.angle(doubled.sum())) if abs(doubled.sum()) > 1e-9 else float(known[0])
    for _ in range(3):
        turned = np.angle(doubled * np.exp(-1j * centre))
        centre = float(np.angle(np.exp(1j * (centre + np.median(turned)))))
    return centre


def upright_angle(position: NDArray[np.floating], keypoints: Names) -> float:
    """Find the one turn of a recording that makes its trunk point up in the picture.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        The first two axes are the picture's: x right, y down.
    keypoints
        Names.

    Returns
    -------
    float
        Angle in radians for :func:`turn`: the circular median over the frames.
    """
    trunk = trunk_vectors(position, keypoints)
    # Up is -y. Turning by a moves a direction of angle b to b + a; wanted is -pi / 2.
    return circular_median(
        np.angle(np.exp(1j * (-np.pi / 2 - np.arctan2(trunk[:, 1], trunk[:, 0]))))
    )


def turn(position: NDArray[np.floating], angle: float) -> Positions:
    """Rotate all frames by one angle in the picture plane, about (0, 0).

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        2D or 3D; a third axis stays.
    angle
        Radians, from x towards y: clockwise as seen, since y points down.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    out = np.array(position, dtype=np.float64)
    out[:, 0] = cos * position[:, 0] - sin * position[:, 1]
    out[:, 1] = sin * position[:, 0] + cos * position[:, 1]
    return out


def move_origin(position: NDArray[np.floating], keypoints: Names, origin: OriginPoint) -> Positions:
    """Move a point of the body to zero in every frame.

    Frames in which that point is missing are missing as a whole: no position relative to it
    is known.
    """
    if origin == "none":
        return np.array(position, dtype=np.float64)
    return np.asarray(position - point(position, keypoints, origin)[:, :, None], dtype=np.float64)


def normalise(
    position: NDArray[np.floating],
    keypoints: Names,
    *,
    origin: OriginPoint = "sternum",
    scale: Literal["trunk", "none"] = "trunk",
    upright: bool = True,
) -> tuple[Positions, dict[str, float | str | bool]]:
    """Express positions in the infant's own frame of reference.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    keypoints
        Names.
    origin
        Point that is zero in every frame.
    scale
        ``"trunk"``: lengths in trunk lengths.
    upright
        Turn by one angle a recording so that the trunk points up.

    Returns
    -------
    position : ndarray of shape (frame, space, keypoint)
    parameters
        What was done: origin, scale, trunk length in the units given, angle in radians.

    Raises
    ------
    NotAssessable
        If the trunk is never seen.
    """
    trunk = trunk_length(position, keypoints)
    angle = upright_angle(position, keypoints) if upright else 0.0
    out = move_origin(position, keypoints, origin)
    if upright:
        out = turn(out, angle)
    if scale == "trunk":
        out /= trunk
    return out, {
        "origin": origin,
        "scale": scale,
        "upright": upright,
        "trunk_length": trunk,
        "angle_rad": angle,
    }
