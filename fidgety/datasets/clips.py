"""Reference clips: windows whose movement is known from annotated intervals (Gao 2023).

A reference FM clip lies wholly in fidgety movements, a non-FM clip wholly outside of them
(Gao 2023, "Description of datasets"); clips on a border are not used. Where the table has a
consensus, it counts alone; otherwise a clip must satisfy every rater of its recording. A
recording without a single row was not rated, and gives no clip; nor does time that a rater could
not judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.datasets.series import Series
from fidgety.datasets.windows import Windows, cut_windows, in_intervals

FIDGETY = "fidgety"
#: What a rater could not judge.
UNJUDGED = "not_assessable"
CONSENSUS = "consensus"
#: Label of a clip: without fidgety movements, with them.
NON_FM, FM = 0, 1

#: Intervals, seconds.
Stretches = list[tuple[float, float]]


@dataclass(frozen=True)
class Rating:
    """One rater's intervals of a recording.

    Parameters
    ----------
    fidgety
        With fidgety movements; none if there are none.
    unjudged
        Which could not be judged.
    """

    fidgety: Stretches = field(default_factory=list)
    unjudged: Stretches = field(default_factory=list)


def ratings(intervals: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Rating]]:
    """Sort the rows of the interval table by recording and rater.

    Parameters
    ----------
    intervals
        Rows with recording, start_s, end_s, movement and rater.

    Returns
    -------
    dict
        Recording to rater to rating. A rater who saw no fidgety movements (rows of other movement
        alone) has an empty one.
    """
    by_rater: dict[str, dict[str, Rating]] = {}
    for row in intervals:
        raters = by_rater.setdefault(str(row["recording"]), {})
        own = raters.setdefault(str(row["rater"]), Rating())
        stretch = float(row["start_s"]), float(row["end_s"])
        if row["movement"] == FIDGETY:
            own.fidgety.append(stretch)
        elif row["movement"] == UNJUDGED:
            own.unjudged.append(stretch)
    return by_rater


def agreed(raters: Mapping[str, Rating]) -> list[Rating]:
    """Return the ratings that count: the consensus alone where there is one, or else all."""
    return [raters[CONSENSUS]] if CONSENSUS in raters else list(raters.values())


def clip_label(start_s: float, stop_s: float, raters: Sequence[Rating]) -> int | None:
    """Return a clip's label, None if it is neither wholly in nor wholly outside, or not judged."""
    if any(in_intervals(start_s, stop_s, rating.unjudged) > 0 for rating in raters):
        return None
    shares = {in_intervals(start_s, stop_s, rating.fidgety) for rating in raters}
    if shares == {1.0}:
        return FM
    return NON_FM if shares == {0.0} else None


def reference_clips(
    series: Sequence[Series], intervals: Iterable[Mapping[str, Any]], length: int, step: int
) -> tuple[Windows, NDArray[np.int64]]:
    """Cut the reference clips of several recordings.

    Returns
    -------
    clips : Windows
    labels : ndarray of shape (clip,)
        :data:`FM` or :data:`NON_FM`.
    """
    rated = {recording: agreed(raters) for recording, raters in ratings(intervals).items()}
    windows = cut_windows(series, length, step)
    labels = np.full(len(windows), -1, dtype=np.int64)
    for k, (index, start) in enumerate(zip(windows.series, windows.start, strict=True)):
        own = series[index]
        raters = rated.get(own.recording)
        if not raters:
            continue
        label = clip_label(own.second(int(start)), own.second(int(start) + length), raters)
        labels[k] = -1 if label is None else label
    kept = np.flatnonzero(labels >= 0)
    return windows.take(kept), labels[kept]


def clip_runs(
    clips: Windows, labels: NDArray[np.int64], longest: int
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Group the clips of a recording that have the same label into runs.

    Parameters
    ----------
    clips, labels
        From :func:`reference_clips`.
    longest
        Clips of a run, at most.

    Returns
    -------
    runs : list of ndarray
        Indices of clips; every clip stands in one run.
    run_labels : ndarray of shape (run,)
    """
    runs, run_labels = [], []
    for source in np.unique(clips.series):
        for label in (NON_FM, FM):
            own = np.flatnonzero((clips.series == source) & (labels == label))
            for k in range(0, len(own), longest):
                runs.append(own[k : k + longest])
                run_labels.append(label)
    return runs, np.array(run_labels, dtype=np.int64)
