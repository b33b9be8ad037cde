"""What is measured of tracks, with and without a truth; pure functions of arrays.

Lengths are in trunk lengths (pelvis to thorax, the median over a recording).

- *Agreement*: distance between two backends where both have a keypoint.
- *Jitter*: standard deviation of white noise that makes third differences as large. The third
  difference of white noise of variance s^2 has variance 20 s^2 (1 + 9 + 9 + 1); smooth movement
  hardly has one.
- *Fast movement*: root mean square of what is above 8 Hz (Welch 1967), where infants' own
  movements have next to nothing and white noise of variance s^2 has s^2 (1 - 16 / fps).
- *PCK@x*: share of keypoints within x trunk lengths of the truth (Yang and Ramanan 2013, IEEE
  TPAMI 35:2878, with the trunk for the box); a keypoint that was not found is not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Frequency above which movement is taken for noise.
FAST_HZ = 8.0
#: Length of the stretches whose spectrum is taken.
SPECTRUM_S = 2.0
#: Variance of the third difference of white noise of variance 1.
THIRD_DIFFERENCE = 20.0


def distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Return the distances between two sets of tracks.

    Parameters
    ----------
    a, b : ndarray of shape (frame, 2, keypoint)

    Returns
    -------
    ndarray of shape (frame, keypoint)
        NaN where one of them is missing.
    """
    return np.asarray(np.linalg.norm(np.asarray(a, float) - np.asarray(b, float), axis=1))


def jitter(position: NDArray[np.floating]) -> float:
    """Return the white noise a coordinate that third differences show, as a standard deviation.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)

    Returns
    -------
    float
        In the units of ``position``; NaN if no keypoint is there in four frames on end.
    """
    third = np.diff(np.asarray(position, dtype=np.float64), n=3, axis=0)
    third = third[np.isfinite(third)]
    return float(np.sqrt(np.mean(third**2) / THIRD_DIFFERENCE)) if third.size else float("nan")


def _stretches(there: Mask, shortest: int) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], there.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b - a >= shortest]


def fast_movement(position: NDArray[np.floating], fps: float, above_hz: float = FAST_HZ) -> float:
    """Return the root mean square a coordinate of what is above a frequency.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
    fps
    above_hz

    Returns
    -------
    float
        In the units of ``position``; NaN where no stretch is long enough, or the rate too low.
    """
    length = round(SPECTRUM_S * fps)
    if fps <= 2 * above_hz or length < 8:
        return float("nan")
    power, weight = 0.0, 0
    values = np.asarray(position, dtype=np.float64)
    there: Mask = np.asarray(np.isfinite(values).all(axis=1), dtype=np.bool_)
    for k in range(values.shape[2]):
        for start, end in _stretches(there[:, k], length):
            frequency, density = welch(  # type: ignore[call-overload]  # stubs lack "linear"
                values[start:end, :, k], fs=fps, nperseg=length, axis=0, detrend="linear"
            )
            # A bin stands for half a step on either side of its frequency.
            step = frequency[1] - frequency[0]
            share = np.clip((frequency + step / 2 - above_hz) / step, 0.0, 1.0)
            power += float((density * share[:, None]).sum(axis=0).mean() * step) * (end - start)
            weight += end - start
    return float(np.sqrt(power / weight)) if weight else float("nan")


def pck(error: Array, limit: float) -> float:
    """Return the share of keypoints within a distance.

    Parameters
    ----------
    error : ndarray
        Trunk lengths; NaN where there is no truth, infinite where nothing was found.
    limit
        Trunk lengths.
    """
    known = error[~np.isnan(error)]
    return float(np.mean(known <= limit)) if known.size else float("nan")
