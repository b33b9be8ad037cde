"""Missing values: where they are and how long they last.

A keypoint is either there or not: where one coordinate is missing, all are. Positions have
the shape (frame, space, keypoint) and masks (frame, keypoint), as everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Positions = NDArray[np.float64]


def present(position: NDArray[np.floating]) -> Mask:
    """Tell where a keypoint has all of its coordinates.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)

    Returns
    -------
    ndarray of bool, shape (frame, keypoint)
    """
    return np.asarray(np.isfinite(position).all(axis=1))


def blank(position: NDArray[np.floating], mask: Mask) -> Positions:
    """Return a copy of the positions that is missing where ``mask`` is set.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    mask : ndarray of bool, shape (frame, keypoint)
    """
    out = np.array(position, dtype=np.float64)
    out[np.broadcast_to(mask[:, None, :], out.shape)] = np.nan
    return out


def neighbours(there: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the nearest frame with a value at or before, and at or after, every frame.

    Parameters
    ----------
    there : ndarray of bool, shape (frame, keypoint)

    Returns
    -------
    before, after : ndarray of int, shape (frame, keypoint)
        ``-1`` and the number of frames where there is none.
    """
    n = there.shape[0]
    frame = np.arange(n)[:, None]
    before = np.maximum.accumulate(np.where(there, frame, -1), axis=0)
    after = np.minimum.accumulate(np.where(there, frame, n)[::-1], axis=0)[::-1]
    return before, after


def gap_lengths_s(there: Mask, time_s: NDArray[np.floating], fps: float) -> NDArray[np.float64]:
    """Measure the gap that each missing value lies in.

    Parameters
    ----------
    there : ndarray of bool, shape (frame, keypoint)
    time_s : ndarray of shape (frame,)
    fps
        Nominal frame rate: a gap is the time between its neighbours less one frame, so that
        one missing frame is a gap of one frame's duration.

    Returns
    -------
    ndarray of shape (frame, keypoint)
        Seconds; 0 where there is a value, infinite for gaps at an edge of the recording,
        which nothing bounds on one side.
    """
    n = there.shape[0]
    before, after = neighbours(there)
    inside = (before >= 0) & (after < n)
    times = np.asarray(time_s, dtype=np.float64)
    gap = times[np.minimum(after, n - 1)] - times[np.maximum(before, 0)] - 1.0 / fps
    return np.where(there, 0.0, np.where(inside, gap, np.inf))
