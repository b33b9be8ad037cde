"""From the source's time stamps to a constant rate.

Phones record at a variable rate: the stamps say when each frame was taken. A standard video
has a frame every ``1 / rate`` seconds, and each shows the source frame nearest in time. All
of it streams: two frames are held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

T = TypeVar("T")

STANDARD_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (10, 1), (12, 1), (15, 1), (20, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001),
        (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (90, 1), (100, 1), (120000, 1001),
        (120, 1), (200, 1), (240, 1),
    )
)  # fmt: skip
"""Rates that cameras record at."""
SNAP = 0.005
"""Relative distance within which a measured rate is taken for a standard one."""
JUMP_S = 10.0
"""A step between frames longer than this is a broken clock, not a pause."""
RESTART_S = 1.0
"""A step backwards longer than this is a clock that started anew, not a stray frame."""


def snap_rate(rate_hz: float) -> Fraction:
    """Return the standard rate next to a measured one, or the rate itself as a fraction.

    None is below a frame in a thousand seconds.
    """
    nearest = min(STANDARD_RATES, key=lambda rate: abs(float(rate) - rate_hz))
    if abs(float(nearest) - rate_hz) <= SNAP * rate_hz:
        return nearest
    return max(Fraction(rate_hz).limit_denominator(1000), Fraction(1, 1000))


def nominal_rate(stamps_s: ArrayLike, default_hz: float = 25.0) -> Fraction:
    """Estimate the rate that a camera was set to, from the time stamps of its frames.

    Dropped and delayed frames of a variable-rate recording pull the mean rate down. So the
    interval is the mean of those within 30 % of the median one; of two in the middle the shorter
    is taken, as no frame was dropped in it.

    Parameters
    ----------
    stamps_s
        Time stamps (frame,) in seconds, in any order.
    default_hz
        What is returned when fewer than two stamps differ.

    Returns
    -------
    Fraction
        Frames a second.
    """
    intervals = np.diff(np.unique(np.asarray(stamps_s, dtype=float)))
    if not intervals.size:
        return snap_rate(default_hz)
    typical = np.quantile(intervals, 0.5, method="lower")
    near = intervals[np.abs(intervals - typical) <= 0.3 * typical]
    return snap_rate(1.0 / float(near.mean()))


def standard_rate(nominal: Fraction, max_rate_hz: float) -> Fraction:
    """Choose the rate of the standard video.

    The source's own rate where it is low enough; else every second, third, ... frame (60
    becomes 30, 50 becomes 25), because an even pick keeps the movement even; else, where
    that would lose more than a fifth, ``max_rate_hz`` itself.
    """
    if float(nominal) <= max_rate_hz * (1 + 1e-6):
        return nominal
    divided = nominal / math.ceil(float(nominal) / max_rate_hz * (1 - 1e-6))
    if float(divided) >= 0.8 * max_rate_hz:
        return divided
    return snap_rate(max_rate_hz)


class Clock:
    """Turns a source's time stamps, as they come, into increasing times from zero.

    Stray frames that run backwards are dropped. A clock that jumps (by more than
    :data:`JUMP_S`) or starts anew (by more than :data:`RESTART_S` backwards) is taken to
    run on: what follows comes one nominal interval later.

    Parameters
    ----------
    interval_s
        Nominal time between frames.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.start_s = 0.0
        self.n_backwards = 0
        self.n_without_stamp = 0
        self.gaps: list[tuple[float, float]] = []
        self.jumps: list[tuple[float, float]] = []
        self._shift_s = 0.0
        self._last_s: float | None = None

    def place(self, stamp_s: float | None) -> float | None:
        """Return the time of the next frame, None if it has to be dropped."""
        if self._last_s is None:
            self.start_s = stamp_s or 0.0
            self._shift_s = -self.start_s
            self._last_s = 0.0
            self.n_without_stamp += stamp_s is None
            return 0.0
        if stamp_s is None:
            self.n_without_stamp += 1
            self._last_s += self.interval_s
            return self._last_s
        time_s = stamp_s + self._shift_s
        step_s = time_s - self._last_s
        if step_s > JUMP_S or step_s < -RESTART_S:
            self.jumps.append((self._last_s, step_s))
            time_s = self._last_s + self.interval_s
            self._shift_s = time_s - stamp_s
        elif step_s <= 0:
            self.n_backwards += 1
            return None
        elif step_s > max(0.25, 4 * self.interval_s):
            self.gaps.append((self._last_s, step_s))
        self._last_s = time_s
        return time_s

    def warnings(self) -> list[str]:
        """Say what was odd about the stamps."""
        found = []
        if self.n_without_stamp:
            found.append(f"{self.n_without_stamp} frames have no time stamp: evenly placed")
        if self.n_backwards:
            found.append(f"{self.n_backwards} frames run backwards in time: left out")
        if self.gaps:
            at_s, longest_s = max(self.gaps, key=lambda gap: gap[1])
            found.append(
                f"{len(self.gaps)} gaps in time, the longest {longest_s:.2f} s at {at_s:.2f} s: "
                "the nearest frames are repeated"
            )
        found.extend(
            f"the clock jumps by {step_s:.2f} s at {at_s:.2f} s: taken to run on"
            for at_s, step_s in self.jumps[:5]
        )
        return found


def sample_nearest(
    items: Iterable[tuple[float, T]], rate: Fraction, last_interval_s: float = 0.0
) -> Iterator[T]:
    """Yield the item nearest in time to every point of an even grid that starts at zero.

    Parameters
    ----------
    items
        (time in seconds, item), times strictly increasing, the first at 0.
    rate
        Grid points a second.
    last_interval_s
        How long the last item lasts: the grid ends half of it after the last time, so an
        even source of N frames gives N.

    Yields
    ------
    item
        One a grid point; of two equally near ones the earlier.
    """
    index = 0
    previous: tuple[float, T] | None = None
    for time_s, item in items:
        if previous is not None:
            middle_s = (previous[0] + time_s) / 2 + 1e-9
            while float(index / rate) <= middle_s:
                yield previous[1]
                index += 1
        previous = (time_s, item)
    if previous is not None:
        end_s = previous[0] + last_interval_s / 2
        while index == 0 or float(index / rate) <= end_s + 1e-9:
            yield previous[1]
            index += 1
