"""How good a track is: shares, gaps, what was taken out and what was put right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.pose.gaps import Mask, gap_lengths_s
from fidgety.pose.tracks import Origin
from fidgety.skeletons import HUMAN36M_17, Names, conversion_matrix, names_of


def core_keypoints(keypoints: Names) -> NDArray[np.intp]:
    """Return the keypoints that trunk, head and limbs are made of.

    Fingers, eyes and mouth come and go without harm; a recording is judged by what the
    Human3.6M-17 skeleton needs (by all keypoints where none of it is there).
    """
    weights, _ = conversion_matrix(keypoints, HUMAN36M_17.keypoints)
    used = np.flatnonzero((weights != 0).any(axis=0))
    return used if used.size else np.arange(len(names_of(keypoints)))


def frame_shares(origin: NDArray[np.uint8], what: Origin) -> NDArray[np.float64]:
    """Return for every frame the share of keypoints of one origin.

    Parameters
    ----------
    origin : ndarray of uint8, shape (frame, keypoint)
    what
        ``Origin.MISSING``, ``Origin.IMPUTED``, ...

    Returns
    -------
    ndarray of shape (frame,)
    """
    return np.asarray((origin == int(what)).mean(axis=1))


def origin_shares(origin: NDArray[np.uint8]) -> dict[str, float]:
    """Return the share of each origin among all values."""
    counts = np.bincount(origin.ravel(), minlength=len(Origin))
    return {o.name.lower(): float(counts[int(o)] / max(origin.size, 1)) for o in Origin}


def longest_gap_s(there: Mask, time_s: NDArray[np.floating], fps: float) -> float:
    """Return the longest time that one keypoint is missing, edges of the recording included.

    Parameters
    ----------
    there : ndarray of bool, shape (frame, keypoint)
    time_s : ndarray of shape (frame,)
    fps
        Nominal frame rate.
    """
    if there.shape[0] == 0:
        return 0.0
    longest = 0.0
    gap = gap_lengths_s(there, time_s, fps)
    finite = gap[np.isfinite(gap)]
    if finite.size:
        longest = float(finite.max())
    times = np.asarray(time_s, dtype=np.float64)
    for column in there.T:
        known = np.flatnonzero(column)
        if known.size == 0:
            return float(times[-1] - times[0] + 1.0 / fps)
        longest = max(longest, times[known[0]] - times[0], times[-1] - times[known[-1]])
    return float(longest)


def describe(
    origin: NDArray[np.uint8],
    keypoints: Names,
    time_s: NDArray[np.floating],
    fps: float,
) -> dict[str, Any]:
    """Summarise a clean track for the report.

    Parameters
    ----------
    origin : ndarray of uint8, shape (frame, keypoint)
    keypoints
        Names, or the skeleton.
    time_s : ndarray of shape (frame,)
    fps
        Nominal frame rate.

    Returns
    -------
    dict
        ``shares`` (of all values by origin), ``core_missing`` (share missing of the
        keypoints that decide), ``longest_gap_s`` (of those keypoints), ``keypoints`` (by name the
        share ``missing`` and ``imputed``).
    """
    core = core_keypoints(keypoints)
    missing = origin == int(Origin.MISSING)
    return {
        "shares": origin_shares(origin),
        "core_missing": float(missing[:, core].mean()) if origin.size else 1.0,
        "longest_gap_s": longest_gap_s(~missing[:, core], time_s, fps),
        "keypoints": {
            name: {
                "missing": float(missing[:, i].mean()),
                "imputed": float((origin[:, i] == int(Origin.IMPUTED)).mean()),
            }
            for i, name in enumerate(names_of(keypoints))
        },
    }
