"""Robust trajectories: where a keypoint should be, and how far it may stray from there.

The running median and the running scale work on the values that are there, in their order.
A pause longer than the longest gap that is imputed ends a trajectory: what comes after it is
not judged by what came before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, percentile_filter

from fidgety.pose.gaps import present

#: A keypoint within this distance of its trajectory is never a jump (trunk lengths): about
#: the jitter of an estimator on a resting infant.
SMALLEST_SCALE = 0.01
#: Percentile of the speeds in the window that counts as "how fast it moves here". Above the
#: median, so that a kick shorter than the window is not taken for jumps.
SPEED_PERCENTILE = 75.0
#: Speeds are those of a running median this wide, which up to two outliers leave alone.
SPEED_WINDOW = 5


@dataclass(frozen=True)
class Trajectory:
    """A robust trajectory and the distances from it.

    Parameters
    ----------
    centre : ndarray of shape (frame, space, keypoint)
        Running median; NaN where the value is missing.
    scale : ndarray of shape (frame, keypoint)
        Distance that is usual here; NaN where the value is missing.
    deviation : ndarray of shape (frame, keypoint)
        Distance from the centre in units of ``scale``; NaN where the value is missing.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    deviation: NDArray[np.float64]


def _padding(lengths: NDArray[np.intp], half: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index that mirrors each of several joined segments at its ends, and how to undo it.

    One padded row of all segments lets one call of a one-dimensional filter (far faster than
    SciPy's along an axis) treat them all.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    padded = lengths + 2 * half
    padded_starts = np.concatenate([[0], np.cumsum(padded)[:-1]])
    offset = np.arange(padded.sum()) - np.repeat(padded_starts, padded) - half
    length = np.repeat(lengths, padded)
    folded = offset % (2 * length)
    folded = np.minimum(folded, 2 * length - 1 - folded)
    gather = np.repeat(starts, padded) + folded
    keep = (offset >= 0) & (offset < length)
    return gather, np.flatnonzero(keep)


def robust_trajectory(
    position: NDArray[np.floating],
    time_s: NDArray[np.floating],
    *,
    window_frames: int,
    longest_gap_s: float,
    body_length: float,
) -> Trajectory:
    """Fit a running median to every keypoint and measure the distances from it.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    time_s : ndarray of shape (frame,)
    window_frames
        Width of the window, in values that are there.
    longest_gap_s
        Time between two values that ends a trajectory.
    body_length
        Trunk length in the units of ``position``.

    Returns
    -------
    Trajectory
        Its scale is the largest of the 75th percentile of the robust steps in the window (how
        fast the keypoint moves here), the keypoint's robust standard deviation over the recording
        (1.4826 times the median distance), and 0.01 trunk lengths.
    """
    n, space, k = position.shape
    there = present(position)
    centre = np.full((n, space, k), np.nan)
    scale = np.full((n, k), np.nan)
    deviation = np.full((n, k), np.nan)
    times = np.asarray(time_s, dtype=np.float64)
    # One keypoint at a time: whole-array temporaries would be the peak of the stage's memory.
    for i in np.flatnonzero(there.any(axis=0)):
        frames = np.flatnonzero(there[:, i])
        values = position[frames, :, i].astype(np.float64)
        median, speed = _running(values, np.diff(times[frames]) > longest_gap_s, window_frames)
        distance = np.linalg.norm(values - median, axis=1)
        usual = max(1.4826 * float(np.median(distance)), SMALLEST_SCALE * body_length)
        centre[frames, :, i] = median
        scale[frames, i] = np.maximum(speed, usual)
        deviation[frames, i] = distance / scale[frames, i]
    return Trajectory(centre, scale, deviation)


def _running(
    values: NDArray[np.float64], pause: NDArray[np.bool_], window_frames: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return running median and robust speed of one keypoint's values.

    Parameters
    ----------
    values : ndarray of shape (value, space)
    pause : ndarray of bool, shape (value - 1,)
        Where a trajectory ends and the next one starts.
    window_frames
        Width of the window, in values.
    """
    breaks = np.flatnonzero(pause) + 1
    lengths = np.diff(np.concatenate([[0], breaks, [len(values)]])).astype(np.intp)
    gather, keep = _padding(lengths, window_frames // 2)

    def running_median(width: int) -> NDArray[np.float64]:
        columns = [median_filter(column[gather], size=width)[keep] for column in values.T]
        return np.stack(columns, axis=1)

    steps = np.zeros(len(values))
    steps[1:] = np.linalg.norm(np.diff(running_median(SPEED_WINDOW), axis=0), axis=1)
    # The first value of a segment has no step of its own: it takes the next one's.
    first = np.concatenate([[0], breaks])
    steps[first] = np.where(lengths > 1, steps[np.minimum(first + 1, len(values) - 1)], 0.0)
    speed = percentile_filter(steps[gather], SPEED_PERCENTILE, size=window_frames)[keep]
    return running_median(window_frames), speed
