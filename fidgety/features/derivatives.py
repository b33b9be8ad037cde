"""Velocities and accelerations of the normalised coordinates, by time stamps.

Differences are central and of second order for uneven time stamps too (as in
:func:`numpy.gradient`). They never reach across a missing value: beside a gap or an edge the
difference is one-sided, and where there are too few neighbours the result is missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.config.features import FeaturesConfig
from fidgety.features.contract import Tracks
from fidgety.features.coordinates import normalised_2d, normalised_3d
from fidgety.features.store import FeatureSet, coordinate_names, flatten
from fidgety.skeletons import BODY_21, HUMAN36M_17


def velocity(position: NDArray[np.floating], time_s: NDArray[np.floating]) -> NDArray[np.float64]:
    """Differentiate once.

    Parameters
    ----------
    position : ndarray of shape (frame, ...)
    time_s : ndarray of shape (frame,)

    Returns
    -------
    ndarray of shape (frame, ...)
        Per second. Exact for parabolas inside a stretch and for lines at its ends; NaN for a
        value without a neighbour.
    """
    x = np.asarray(position, dtype=np.float64)
    out = np.full(x.shape, np.nan)
    if x.shape[0] < 2:
        return out
    step = np.diff(np.asarray(time_s, dtype=np.float64)).reshape(-1, *[1] * (x.ndim - 1))
    slope = np.diff(x, axis=0) / step
    forward = np.concatenate([slope, np.full((1, *x.shape[1:]), np.nan)])
    backward = np.concatenate([np.full((1, *x.shape[1:]), np.nan), slope])
    before, after = step[:-1], step[1:]
    out = np.where(np.isfinite(forward), forward, backward)
    central = (after * slope[:-1] + before * slope[1:]) / (before + after)
    np.copyto(out[1:-1], central, where=np.isfinite(central))
    return out


def acceleration(
    position: NDArray[np.floating], time_s: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Differentiate twice.

    Parameters
    ----------
    position : ndarray of shape (frame, ...)
    time_s : ndarray of shape (frame,)

    Returns
    -------
    ndarray of shape (frame, ...)
        Per second squared, from three values in a row; the first and the last of a stretch
        take their neighbour's. Exact for parabolas; NaN in stretches of fewer than three.
    """
    x = np.asarray(position, dtype=np.float64)
    out = np.full(x.shape, np.nan)
    if x.shape[0] < 3:
        return out
    step = np.diff(np.asarray(time_s, dtype=np.float64)).reshape(-1, *[1] * (x.ndim - 1))
    slope = np.diff(x, axis=0) / step
    out[1:-1] = 2 * np.diff(slope, axis=0) / (step[:-1] + step[1:])
    known, there = np.isfinite(out), np.isfinite(x)
    first = there[:-1] & ~known[:-1] & known[1:]
    last = there[1:] & ~known[1:] & known[:-1]
    inner = out.copy()
    np.copyto(out[:-1], inner[1:], where=first)
    np.copyto(out[1:], inner[:-1], where=last)
    return out


class _Derivative:
    """A derivative of normalised coordinates."""

    order: int
    space: int

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features; see :class:`~fidgety.features.contract.FeatureSetBuilder`."""
        normalised = normalised_2d if self.space == 2 else normalised_3d
        skeleton = BODY_21 if self.space == 2 else HUMAN36M_17
        position, units, parameters = normalised(tracks, config)
        time_s = tracks.clean.time_s
        values = (velocity if self.order == 1 else acceleration)(position, time_s)
        return FeatureSet(
            flatten(values),
            coordinate_names(skeleton.keypoints, self.space),
            time_s,
            tracks.clean.fps,
            f"{units}/s" if self.order == 1 else f"{units}/s^2",
            parameters,
        )


class Velocities2D(_Derivative):
    """Velocities of the 2D coordinates."""

    name, order, space = "velocities_2d", 1, 2


class Velocities3D(_Derivative):
    """Velocities of the 3D coordinates."""

    name, order, space = "velocities_3d", 1, 3


class Accelerations2D(_Derivative):
    """Accelerations of the 2D coordinates."""

    name, order, space = "accelerations_2d", 2, 2


class Accelerations3D(_Derivative):
    """Accelerations of the 3D coordinates."""

    name, order, space = "accelerations_3d", 2, 3
