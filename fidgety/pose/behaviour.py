"""How the infant lies and moves, second by second.

General Movements are assessed in infants who are awake, calm, lying on their backs, seen from
above by a camera that stands still (Einspieler, Prechtl, Bos, Ferrari & Cioni 2004; Einspieler &
Prechtl 2005): not asleep, fussing or crying. Whether an infant cries is heard and seen in its
face; what movement tells of it is a suspicion, and is called one.

The figures here are this project's heuristics; the literature has no thresholds for them. Their
scale is from accelerometers: single leg movements last 0.23 to 0.33 s at a mean acceleration of
1.6 to 3.9 m/s2 (Trujillo-Priego & Smith 2017, J Rehabil Assist Technol Eng 4), so a kick moves at
some 0.2 to 0.6 m/s, one to four trunk lengths a second, for a third of a second. The median of all
hands and feet above two trunk lengths a second for five seconds is none of the movement that is
assessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable
from fidgety.pose.cleaning import LENGTH_UNITS
from fidgety.pose.normalisation import point, trunk_length, trunk_vectors
from fidgety.pose.tracks import Pose
from fidgety.skeletons import conversion_matrix

Floats = NDArray[np.float64]

LIMB_ENDS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
#: Speeds are of moves over this time, so that jitter does not count as speed.
SPEED_STEP_S = 0.2
#: Smallest share of a second's frames that must be known.
KNOWN = 0.5
#: Fewest limb ends for a median.
MIN_ENDS = 2


@dataclass(frozen=True)
class Movement:
    """How much the hands and feet move, second by second.

    Parameters
    ----------
    speed : ndarray of shape (second,)
        Of the median hand or foot, seen from the trunk, in trunk lengths a second; NaN where too
        little is known.
    extent : ndarray of shape (second,)
        Largest root mean square distance of a hand or foot from its mean place in that second,
        in trunk lengths.
    """

    speed: Floats
    extent: Floats


def seconds(time_s: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the second that each frame lies in, from the first frame on."""
    if len(time_s) == 0:
        return np.empty(0, dtype=np.intp)
    # Time stamps are sums of rounded durations: 0.99999999 s is the second second.
    return np.floor(np.asarray(time_s) - time_s[0] + 1e-6).astype(np.intp)


def by_second(values: NDArray[np.floating], second: NDArray[np.intp], n: int) -> Floats:
    """Average a frame's values over its second, NaN where less than half of them are known.

    Parameters
    ----------
    values : ndarray of shape (frame,)
        NaN is unknown.
    second : ndarray of int, shape (frame,)
    n
        Number of seconds.

    Returns
    -------
    ndarray of shape (n,)
    """
    known = np.isfinite(values)
    all_ = np.bincount(second, minlength=n)
    count = np.bincount(second[known], minlength=n)
    total = np.bincount(second[known], weights=values[known], minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((count >= KNOWN * all_) & (count > 0), total / count, np.nan)


def facing(pose: Pose) -> Floats | None:
    """Tell from which side the camera sees the trunk.

    The product of the trunk (up) and the line from the right to the left shoulder has one sign
    from the front and the other from the back, at any angle in the picture. (A mirrored video
    looks like a back.)

    Parameters
    ----------
    pose
        2D or 3D, in units of length; x right, y down.

    Returns
    -------
    ndarray of shape (frame,), optional
        Width of shoulders and hips (mean of those known) across the trunk, in median trunk
        lengths: positive from the front, negative from the back, near 0 from the side. NaN where
        a frame does not tell; None where nothing does.
    """
    names = tuple(f"{side}_{k}" for k in ("shoulder", "hip") for side in ("left", "right"))
    if pose.units not in LENGTH_UNITS or conversion_matrix(pose.anatomy, names)[1]:
        return None
    flat = pose.position[:, :2]
    try:
        length = trunk_length(flat, pose.anatomy)
    except NotAssessable:
        return None
    up = trunk_vectors(flat, pose.anatomy)
    widths = []
    for k in ("shoulder", "hip"):
        across = point(flat, pose.anatomy, f"left_{k}") - point(flat, pose.anatomy, f"right_{k}")
        with np.errstate(invalid="ignore", divide="ignore"):
            product = up[:, 0] * across[:, 1] - up[:, 1] * across[:, 0]
            widths.append(product / np.linalg.norm(up, axis=1) / length)
    both = np.stack(widths)
    known = np.isfinite(both)
    count = known.sum(axis=0)
    total = np.where(known, both, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def movement(pose: Pose) -> Movement | None:
    """Measure how much the hands and feet move.

    Parameters
    ----------
    pose
        2D or 3D, in units of length.

    Returns
    -------
    Movement, optional
        None where the units or the skeleton do not allow it.
    """
    ends = [k for k in LIMB_ENDS if not conversion_matrix(pose.anatomy, (k,))[1]]
    if pose.units not in LENGTH_UNITS or len(ends) < MIN_ENDS or pose.n_frames < 2:
        return None
    try:
        length = trunk_length(pose.position, pose.anatomy)
        centre = point(pose.position, pose.anatomy, "thorax") + point(
            pose.position, pose.anatomy, "pelvis"
        )
    except NotAssessable:
        return None
    second = seconds(pose.time_s)
    n = int(second[-1]) + 1
    step = max(1, round(SPEED_STEP_S * pose.fps))
    speeds, extents = [], []
    for name in ends:
        place = (point(pose.position, pose.anatomy, name) - centre / 2) / length
        speed = np.full(pose.n_frames, np.nan)
        if pose.n_frames > step:
            moved = np.linalg.norm(place[step:] - place[:-step], axis=1)
            # A move belongs to the frame in its middle; at the edges there is none.
            middle = slice((step + 1) // 2, (step + 1) // 2 + len(moved))
            speed[middle] = moved / (pose.time_s[step:] - pose.time_s[:-step])
        speeds.append(by_second(speed, second, n))
        mean = np.stack([by_second(axis, second, n) for axis in place.T])
        spread = ((place - mean.T[second]) ** 2).sum(axis=1)
        extents.append(np.sqrt(by_second(spread, second, n)))
    known = np.isfinite(speeds).sum(axis=0) >= MIN_ENDS
    speed, extent = np.full(n, np.nan), np.full(n, np.nan)
    speed[known] = np.nanmedian(np.stack(speeds)[:, known], axis=0)
    known &= np.isfinite(extents).sum(axis=0) >= MIN_ENDS
    extent[known] = np.nanmax(np.stack(extents)[:, known], axis=0)
    return Movement(speed, extent)


def lasting(high: NDArray[np.bool_], at_least: int) -> NDArray[np.bool_]:
    """Keep what lasts.

    Parameters
    ----------
    high : ndarray of bool, shape (second,)
    at_least
        Shortest run that is kept.
    """
    edges = np.diff(np.concatenate([[0], high.astype(np.int8), [0]]))
    out = np.zeros(len(high), dtype=bool)
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        out[start:stop] = stop - start >= at_least
    return out
