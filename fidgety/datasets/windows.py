"""Windows: instances as indices into series, never copies.

A window is complete or it is dropped and counted: the models here take no mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidgety.datasets.series import Series


@dataclass(frozen=True)
class Windows:
    """Instances of several series.

    Parameters
    ----------
    series : ndarray of shape (instance,)
        Index of the series.
    start : ndarray of shape (instance,)
        First frame.
    length
        Frames of a window.
    dropped
        Number of windows of the grid that had a missing value.
    """

    series: NDArray[np.int64]
    start: NDArray[np.int64]
    length: int
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.start)

    def take(self, index: NDArray[np.int64] | slice) -> Windows:
        """Return some of the windows."""
        return Windows(self.series[index], self.start[index], self.length, self.dropped)


def window_starts(
    complete: NDArray[np.bool_], length: int, step: int
) -> tuple[NDArray[np.int64], int]:
    """Find the complete windows of a grid that starts at frame 0.

    Parameters
    ----------
    complete : ndarray of shape (frame,)
        Whether the frame has all its values.
    length, step
        In frames.

    Returns
    -------
    starts : ndarray of shape (window,)
    dropped : int
        Windows of the grid that miss a value.
    """
    if length < 1 or step < 1:
        raise ValueError(f"window of {length} frames with a step of {step}")
    grid = np.arange(0, len(complete) - length + 1, step, dtype=np.int64)
    missing = np.concatenate([[0], np.cumsum(~complete)])
    kept = grid[missing[grid + length] == missing[grid]]
    return kept, len(grid) - len(kept)


def cut_windows(
    series: Sequence[Series], length: int, step: int, most: int | None = None
) -> Windows:
    """Find the complete windows of several series, in order; of each ``most``, the first ones."""
    found = [window_starts(s.complete, length, step) for s in series]
    found = [(starts[:most], dropped) for starts, dropped in found]
    counts = [len(starts) for starts, _ in found]
    return Windows(
        np.repeat(np.arange(len(series), dtype=np.int64), counts),
        np.concatenate([starts for starts, _ in found] or [np.empty(0, dtype=np.int64)]),
        length,
        sum(dropped for _, dropped in found),
    )


def thin(owners: Sequence[str], most: int) -> NDArray[np.int64]:
    """Keep some of many items, in equal steps from every owner's.

    Parameters
    ----------
    owners
        Whose each item is.
    most
        How many are kept, at most; but one of every owner at least.

    Returns
    -------
    ndarray
        Indices, in order; of owners with more than their equal share, what others do not need is
        given to.
    """
    names = np.array(owners, dtype=object).astype(str)
    unique, count = np.unique(names, return_counts=True)
    # Fill up from the smallest owner: what it does not use is shared among the larger ones.
    left, share = max(most, len(unique)), {}
    for rank, k in enumerate(np.argsort(count, kind="stable")):
        share[unique[k]] = min(int(count[k]), left // (len(unique) - rank))
        left -= share[unique[k]]
    kept = []
    for name, n in share.items():
        own = np.flatnonzero(names == name)
        kept.append(own[(np.arange(n) * len(own)) // n])
    return np.sort(np.concatenate(kept or [np.empty(0, dtype=np.int64)]))


def in_intervals(
    start_s: float,
    stop_s: float,
    intervals: Sequence[tuple[float, float]],
    tolerance_s: float = 1e-6,
) -> float:
    """Return the share of a stretch of time that lies in any of some intervals.

    Parameters
    ----------
    start_s, stop_s
        The stretch.
    intervals
        (start, end), seconds; they may overlap each other.
    tolerance_s
        Gaps between intervals, and overhang, up to this long do not count.
    """
    covered, reached = 0.0, start_s
    for begin, end in sorted(intervals):
        begin, end = max(begin, reached), min(end, stop_s)
        if end > begin:
            covered += end - begin
            reached = end
    share = covered / (stop_s - start_s)
    slack = tolerance_s * (len(intervals) + 1) / (stop_s - start_s)
    if share <= slack:
        return 0.0
    return 1.0 if share >= 1 - slack else share
