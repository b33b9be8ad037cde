"""How fast an infant moves on average: the plainest thing that features tell.

It stands in the record of quality, so that the baseline which models are compared with needs
no feature file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.features.store import Features, as_coordinates

#: Feature sets that hold coordinates in trunk lengths, by the measure that is taken of them.
#: One is used for all infants: speeds in the picture and in space are not the same thing.
SPEEDS = {"speed_2d": "coordinates_2d", "speed_3d": "coordinates_3d"}


def mean_speed(coordinates: NDArray[np.floating], time_s: NDArray[np.floating]) -> float:
    """Average speed over keypoints and time.

    Parameters
    ----------
    coordinates : ndarray of shape (time, keypoint, space)
        NaN is missing.
    time_s : ndarray of shape (time,)
        Seconds.

    Returns
    -------
    float
        Units of the coordinates a second; NaN if no keypoint is there in two neighbouring
        frames.
    """
    step_s = np.diff(np.asarray(time_s, dtype=np.float64))
    moved = np.diff(np.asarray(coordinates, dtype=np.float64), axis=0)
    speed = np.linalg.norm(moved, axis=2) / step_s[:, None]
    return float(np.nanmean(speed)) if np.isfinite(speed).any() else float("nan")


def mean_speeds(features: Features) -> dict[str, float]:
    """Return a recording's mean speeds by measure; without coordinates there is none."""
    found = {}
    for measure, name in SPEEDS.items():
        one = features.sets.get(name)
        if one is None:
            continue
        speed = mean_speed(as_coordinates(one.values, one.names)[0], one.time_s)
        if np.isfinite(speed):
            found[measure] = speed
    return found
