"""Values that cannot be: bones too long, joints bent too far, jumps.

Each function gives a mask (frame, keypoint) of the values to take out. A bone or a joint that
cannot be has two or three ends, of which one is wrong: the blame goes to the end that most of
the impossible bones share, then to the one further from its own trajectory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.pose.gaps import Mask

#: Smallest angle between the two bones of an elbow or a knee, in degrees. Flexion ends where
#: the soft parts meet, at 150 to 160 degrees from straight; 15 leaves room for measurement.
SMALLEST_JOINT_ANGLE_DEG = 15.0
JOINTS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
#: Percentile of a bone's length in the picture that stands for its full length: a bone is as
#: long as it looks when it lies flat, and outliers must not reach this percentile.
FLAT_PERCENTILE = 90.0
#: No bone in the picture is judged against less than this (trunk lengths), about an infant's
#: thigh: legs are drawn up towards the camera for minutes, and stretching one is no outlier.
SHORTEST_FLAT = 0.6


def bone_lengths(position: NDArray[np.floating], bones: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the bones' lengths, of shape (frame, bone); NaN where an end is missing."""
    return np.linalg.norm(position[:, :, bones[:, 0]] - position[:, :, bones[:, 1]], axis=1)


def _column_percentile(values: NDArray[np.float64], percentile: float) -> NDArray[np.float64]:
    """Percentile of each column without its missing values; NaN where all are missing."""
    out = np.full(values.shape[1], np.nan)
    known = np.isfinite(values)
    for i in np.flatnonzero(known.any(axis=0)):
        out[i] = np.percentile(values[known[:, i], i], percentile)
    return out


def _trust(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map distances from the trajectory to a suspicion between 0 and 1."""
    known = np.nan_to_num(deviation, nan=0.0)
    return known / (3.0 + known)


def bone_outliers(
    position: NDArray[np.floating],
    bones: NDArray[np.intp],
    deviation: NDArray[np.float64],
    tolerance: float,
    body_length: float,
    trusted: Mask | None = None,
) -> Mask:
    """Find the keypoints that make bones impossible.

    A bone's own length is its median over the recording in 3D, and in 2D, where a bone that
    points at the camera is short, the 90th percentile of its length in the picture (0.6 trunk
    lengths if that is more); so in 2D only bones that are too long count.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    bones : ndarray of int, shape (bone, 2)
    deviation : ndarray of shape (frame, keypoint)
        Distance of each value from its robust trajectory, in robust standard deviations.
    tolerance
        Share of its own length by which a bone may differ from it.
    body_length
        Trunk length in the units of ``position``.
    trusted : ndarray of bool, shape (frame, keypoint), optional
        Values that are right whatever they make of a bone: the other end takes the blame.

    Returns
    -------
    ndarray of bool, shape (frame, keypoint)
    """
    n, space, k = position.shape
    out = np.zeros((n, k), dtype=bool)
    if len(bones) == 0:
        return out
    lengths = bone_lengths(position, bones)
    reference = _column_percentile(lengths, FLAT_PERCENTILE if space == 2 else 50.0)
    if space == 2:
        reference = np.maximum(reference, SHORTEST_FLAT * body_length)
    with np.errstate(invalid="ignore"):
        bad = lengths > reference * (1 + tolerance)
        if space == 3:
            bad |= lengths < reference * (1 - tolerance)
    fixed = np.zeros((n, k), dtype=bool) if trusted is None else trusted
    bad &= ~(fixed[:, bones[:, 0]] & fixed[:, bones[:, 1]])
    known = np.isfinite(lengths)
    ends = np.zeros((len(bones), k))
    ends[np.arange(len(bones)), bones[:, 0]] = ends[np.arange(len(bones)), bones[:, 1]] = 1
    suspicion = _trust(deviation)
    rows = np.flatnonzero(bad.any(axis=1))
    # Each round takes the most blamed keypoint out of every frame that still has a bad bone.
    for _ in range(k):
        if rows.size == 0:
            break
        n_bad = bad[rows].astype(float) @ ends
        n_known = np.maximum(known[rows].astype(float) @ ends, 1)
        blame = np.where(
            (n_bad > 0) & ~fixed[rows], n_bad + 0.5 * n_bad / n_known + suspicion[rows], -1.0
        )
        worst = np.argmax(blame, axis=1)
        out[rows, worst] = True
        gone = ends[:, worst].T > 0
        bad[rows] &= ~gone
        known[rows] &= ~gone
        rows = rows[bad[rows].any(axis=1)]
    return out


def joint_outliers(
    position: NDArray[np.floating],
    keypoints: tuple[str, ...],
    deviation: NDArray[np.float64],
) -> Mask:
    """Find the keypoints that bend an elbow or a knee beyond anatomy (3D only).

    Parameters
    ----------
    position : ndarray of shape (frame, 3, keypoint)
    keypoints
        Names.
    deviation : ndarray of shape (frame, keypoint)
        Distance of each value from its robust trajectory.

    Returns
    -------
    ndarray of bool, shape (frame, keypoint)
        Of the joint's three keypoints the one furthest from its trajectory (the distal one
        where none is).
    """
    out = np.zeros((position.shape[0], len(keypoints)), dtype=bool)
    if position.shape[1] != 3:
        return out
    largest_cosine = np.cos(np.deg2rad(SMALLEST_JOINT_ANGLE_DEG))
    for side in ("left", "right"):
        for names in JOINTS:
            full = [f"{side}_{name}" for name in names]
            if not set(full) <= set(keypoints):
                continue
            a, b, c = (keypoints.index(name) for name in full)
            u = position[:, :, a] - position[:, :, b]
            v = position[:, :, c] - position[:, :, b]
            product = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                bent = np.einsum("ij,ij->i", u, v) > largest_cosine * product
            rows = np.flatnonzero(bent & (product > 0))
            if rows.size:
                # Distal first, so that a tie goes there.
                order = np.array([c, a, b])
                worst = order[np.argmax(_trust(deviation[np.ix_(rows, order)]), axis=1)]
                out[rows, worst] = True
    return out


def jump_outliers(deviation: NDArray[np.float64], threshold: float) -> Mask:
    """Find values too far from their robust trajectory.

    Parameters
    ----------
    deviation : ndarray of shape (frame, keypoint)
        In robust standard deviations; NaN where there is no value.
    threshold
        Largest distance that is no jump.
    """
    return np.nan_to_num(deviation, nan=0.0) > threshold
