"""Filters that take jitter away without reaching across gaps.

Every filter is symmetric in time (no delay). Beside a gap or an edge the window shrinks, on
both sides alike, until it fits: a missing value stays missing, nothing is smeared over it,
and constants and straight lines pass unchanged.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.signal import butter, savgol_coeffs, sosfiltfilt
from scipy.special import comb

from fidgety.pose.gaps import Positions

Method = Literal["moving_average", "savitzky_golay", "butterworth", "none"]
#: Order of the differences that noise is read from.
_NOISE_ORDER = 4


def _symmetric(values: Positions, kernels: list[NDArray[np.float64]]) -> Positions:
    """Apply the widest of several kernels that meets no missing value.

    ``kernels`` come narrow to wide; a value that no kernel fits around stays as it is.
    """
    out = np.array(values, dtype=np.float64)
    for kernel in kernels:
        # NaN times anything is NaN: a window that touches a gap marks itself.
        wide = correlate1d(values, kernel, axis=0, mode="constant", cval=np.nan)
        np.copyto(out, wide, where=np.isfinite(wide))
    return out


def moving_average(position: NDArray[np.floating], window_frames: int) -> Positions:
    """Average over a centred window (Gao 2023: 5 frames)."""
    widths = range(3, window_frames + 1, 2)
    return _symmetric(np.asarray(position, dtype=np.float64), [np.full(w, 1.0 / w) for w in widths])


def savitzky_golay(position: NDArray[np.floating], window_frames: int, order: int) -> Positions:
    """Fit a polynomial in a centred window (Savitzky and Golay 1964, Anal Chem 36:1627)."""
    # A window no wider than the order reproduces its centre: it would do nothing.
    widths = [w for w in range(3, window_frames + 1, 2) if w > order + (order % 2 == 0)]
    return _symmetric(
        np.asarray(position, dtype=np.float64),
        [savgol_coeffs(w, order, use="dot") for w in widths],
    )


def butterworth(
    position: NDArray[np.floating], fps: float, cutoff_hz: float, order: int
) -> Positions:
    """Low-pass forwards and backwards (no delay) in every stretch without gaps.

    Stretches too short for the filter's own start-up stay as they are, and so does everything
    when the cut-off is not below half of the frame rate: there is nothing to take away.
    """
    out = np.array(position, dtype=np.float64)
    if cutoff_hz >= fps / 2:
        return out
    sos = butter(order, cutoff_hz, fs=fps, output="sos")
    shortest = 3 * (2 * len(sos) + 1) + 1
    there = np.isfinite(out).all(axis=1)
    edges = np.diff(np.pad(there.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    for i in range(out.shape[2]):
        starts, ends = np.flatnonzero(edges[:, i] == 1), np.flatnonzero(edges[:, i] == -1)
        for start, end in zip(starts, ends, strict=True):
            if end - start >= shortest:
                # Taking the straight line between the ends out first keeps the filter's
                # start-up free of steps, and lines pass unchanged.
                piece = out[start:end, :, i]
                share = np.linspace(0.0, 1.0, end - start)[:, None]
                line = piece[0] + share * (piece[-1] - piece[0])
                out[start:end, :, i] = line + sosfiltfilt(sos, piece - line, axis=0)
    return out


def jitter(position: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate every keypoint's noise: the robust spread of its fourth differences.

    Movement at the pace of limbs nearly vanishes in fourth differences, independent noise
    does not (Gasser, Sroka and Jennen-Steinmetz 1986, Biometrika 73:625, with more
    differences).

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)

    Returns
    -------
    ndarray of shape (keypoint,)
        Standard deviation of one coordinate (root mean square over the axes), in the units
        of ``position``; 0 where there are no five values in a row.
    """
    weights = np.array([(-1) ** i * comb(_NOISE_ORDER, i) for i in range(_NOISE_ORDER + 1)])
    size = np.sqrt((weights**2).sum())
    out = np.zeros(position.shape[2])
    for k in range(position.shape[2]):
        known = np.diff(position[:, :, k], _NOISE_ORDER, axis=0) / size
        known = known[np.isfinite(known).all(axis=1)]
        if len(known):
            spread = 1.4826 * np.median(np.abs(known), axis=0)
            out[k] = np.sqrt(np.mean(spread**2))
    return out


def smooth(
    position: NDArray[np.floating],
    method: Method,
    *,
    fps: float,
    window_frames: int = 5,
    order: int = 2,
    cutoff_hz: float = 6.0,
) -> Positions:
    """Smooth positions with one of the filters.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        NaN is missing, and stays so.
    method
        Filter.
    fps
        Frame rate, for Butterworth.
    window_frames
        Width of the moving average's and Savitzky-Golay's window; an even one counts as the
        next smaller odd one, since windows are centred.
    order
        Polynomial order of Savitzky-Golay, order of Butterworth.
    cutoff_hz
        Cut-off of Butterworth.
    """
    if method == "moving_average":
        return moving_average(position, window_frames)
    if method == "savitzky_golay":
        return savitzky_golay(position, window_frames, order)
    if method == "butterworth":
        return butterworth(position, fps, cutoff_hz, order)
    return np.array(position, dtype=np.float64)
