"""The plain baseline: how fast an infant moves on average.

If the mean speed alone told the groups apart, the task would be trivial; its area under the
curve stands beside the models'. Which direction means risk is chosen on the development
infants, so the development figure is 0.5 or more by construction; the external one is fair.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidgety.errors import NotAssessable
from fidgety.evaluation.metrics import auc
from fidgety.storage import groups, read_dataset

#: Feature sets that hold coordinates in trunk lengths, the first one present is used.
COORDINATES = ("coordinates_2d", "coordinates_3d")
_AXIS = re.compile(r"^(?P<point>.+)[_.](?P<axis>[xyz])$")


def mean_speed(
    values: NDArray[np.floating], names: Sequence[str], time_s: NDArray[np.floating]
) -> float:
    """Average speed over keypoints and time.

    Parameters
    ----------
    values : ndarray of shape (time, feature)
        Coordinates; NaN is missing.
    names
        ``<keypoint>_<axis>``.
    time_s : ndarray of shape (time,)
        Seconds.

    Returns
    -------
    float
        Units of ``values`` a second; NaN if no two neighbouring frames have a keypoint.
    """
    columns: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        match = _AXIS.match(str(name))
        if match:
            columns[match["point"]].append(index)
    step_s = np.diff(np.asarray(time_s, dtype=np.float64))
    if not columns or step_s.size == 0:
        return float("nan")
    moved = np.diff(np.asarray(values, dtype=np.float64), axis=0)
    speeds = np.stack(
        [np.linalg.norm(moved[:, own], axis=1) / step_s for own in columns.values()], axis=1
    )
    return float(np.nanmean(speeds)) if np.isfinite(speeds).any() else float("nan")


def recording_speed(path: str | os.PathLike[str]) -> float:
    """Mean speed of a recording from its feature file, in trunk lengths a second.

    NaN where the recording has no features or no coordinates among them.
    """
    try:
        present = groups(path)
        name = next((c for c in COORDINATES if c in present), None)
        if name is None:
            return float("nan")
        dataset = read_dataset(path, group=name)
    except NotAssessable:
        return float("nan")
    return mean_speed(
        dataset["values"].transpose("time", "feature").values,
        [str(n) for n in dataset["feature"].values],
        dataset["time"].values,
    )


def direction(positive: ArrayLike, speed: ArrayLike) -> int:
    """Return 1 if faster means at risk among these infants, else -1.

    With a class absent, or no difference, less movement counts as risk.
    """
    return 1 if auc(positive, speed) > 0.5 else -1
