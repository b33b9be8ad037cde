"""The plain baseline: how fast an infant moves on average.

If the mean speed alone told the groups apart, the task would be trivial; its area under the
curve stands beside the models'. Which direction means risk is chosen on the development
infants, so the development figure is 0.5 or more by construction; the external one is fair.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidgety.errors import NotAssessable
from fidgety.evaluation.metrics import auc
from fidgety.features.store import as_coordinates, read_feature_set
from fidgety.storage import groups

#: Feature sets that hold coordinates in trunk lengths. One is used for all infants: speeds in
#: the picture and in space are not the same thing.
COORDINATES = ("coordinates_2d", "coordinates_3d")


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


def recording_speed(path: str | os.PathLike[str], name: str) -> float:
    """Mean speed of a recording from one of its feature sets; NaN where it has none."""
    try:
        if name not in groups(path):
            return float("nan")
        found = read_feature_set(path, name)
    except NotAssessable:
        return float("nan")
    return mean_speed(as_coordinates(found.values, found.names)[0], found.time_s)


def infant_speeds(
    features: Iterable[str | os.PathLike[str]], owner: Mapping[str, str]
) -> tuple[str, dict[str, float]]:
    """Average the recordings' mean speeds by infant.

    Parameters
    ----------
    features
        Feature files, named by recording.
    owner
        Recording to infant; other recordings are not looked at.

    Returns
    -------
    name : str
        The one of :data:`COORDINATES` that most infants have, the first among equals.
    speed : dict
        Infant to mean speed, those who have it.
    """
    paths = [Path(p) for p in features if Path(p).stem in owner]
    candidates = []
    for name in COORDINATES:
        found = defaultdict(list)
        for path in paths:
            speed = recording_speed(path, name)
            if np.isfinite(speed):
                found[owner[path.stem]].append(speed)
        candidates.append((name, {i: float(np.mean(s)) for i, s in found.items()}))
    return max(candidates, key=lambda c: len(c[1]))


def direction(positive: ArrayLike, speed: ArrayLike) -> int:
    """Return 1 if faster means at risk among these infants, else -1.

    With a class absent, or no difference, less movement counts as risk.
    """
    return 1 if auc(positive, speed) > 0.5 else -1
