"""Coordinates in the infant's own frame of reference, in 2D and in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.config.features import FeaturesConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.features.contract import Tracks
from fidgety.features.store import FeatureSet, coordinate_names, flatten
from fidgety.pose.normalisation import normalise
from fidgety.skeletons import (
    BODY_21,
    HUMAN36M_17,
    Skeleton,
    conversion_matrix,
    convert,
    opposite,
)


def given_keypoints(
    tracks: Tracks, wanted: Sequence[str], missing_landmarks: str = "refuse"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find which keypoints in the picture a track can give.

    Parameters
    ----------
    tracks
        Pose of a recording.
    wanted
        Keypoints, both sides of each sided one.
    missing_landmarks
        ``refuse``: all or nothing. ``leave_out``: one that is missing is left out with the other
        side's.

    Returns
    -------
    kept, left_out : tuple of str
        In the order wanted.

    Raises
    ------
    NotAssessable
        ``feature_unavailable`` if the track is 3D; if something is missing, which is named, and
        may not be left out; or if nothing remains.
    """
    pose = tracks.clean
    if pose.n_space != 2:
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE, "the track is 3D and has no positions in the picture"
        )
    missing = conversion_matrix(pose.anatomy, tuple(wanted))[1]
    left_out = tuple(k for k in wanted if k in missing or opposite(k) in missing)
    kept = tuple(k for k in wanted if k not in left_out)
    if (missing and missing_landmarks == "refuse") or not kept:
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE,
            f"{pose.skeleton or 'the source'} does not give {', '.join(missing)}",
        )
    return kept, left_out


def picture_positions(tracks: Tracks, keypoints: Sequence[str]) -> NDArray[np.float64]:
    """Return 2D positions of keypoints that the track gives.

    Returns
    -------
    ndarray of shape (frame, 2, keypoint)
        In the units of the clean pose.
    """
    pose = tracks.clean
    return convert(pose.position, pose.anatomy, Skeleton("", tuple(keypoints), ()))


def body_21(tracks: Tracks) -> NDArray[np.float64]:
    """Return the 2D positions in the skeleton of the 2D features.

    Returns
    -------
    ndarray of shape (frame, 2, 21)
        In the units of the clean pose.

    Raises
    ------
    NotAssessable
        ``feature_unavailable`` if the track is 3D, or lacks keypoints, which are named.
    """
    return picture_positions(tracks, given_keypoints(tracks, BODY_21.keypoints)[0])


def normalised_2d(
    tracks: Tracks, config: FeaturesConfig
) -> tuple[NDArray[np.float64], str, dict[str, Any]]:
    """Return 2D positions (frame, 2, 21), their units, and what was done."""
    position, parameters = normalise(
        body_21(tracks),
        BODY_21.keypoints,
        origin=config.origin,
        scale=config.scale,
        upright=config.upright,
    )
    units = "trunk" if config.scale == "trunk" else tracks.clean.units
    return position, units, {"skeleton": BODY_21.name, **parameters}


def normalised_3d(
    tracks: Tracks, config: FeaturesConfig
) -> tuple[NDArray[np.float64], str, dict[str, Any]]:
    """Return 3D positions (frame, 3, 17), their units, and what was done.

    The pelvis is at zero (Gao 2023) and the pose was turned when it was lifted. Units of
    z-scored tracks stay: they have one scale an axis, which one division would not change.
    """
    tracks.lifted_outcome.raise_if_not_ok()
    if tracks.lifted is None:
        raise NotAssessable(Reason.NO_3D, "no lifted pose")
    pose = tracks.lifted
    scale = config.scale if pose.units != "zscore" else "none"
    position, parameters = normalise(
        pose.position, pose.keypoints, origin="pelvis", scale=scale, upright=False
    )
    units = "trunk" if scale == "trunk" else pose.units
    return position, units, {"skeleton": HUMAN36M_17.name, **parameters}


class Coordinates2D:
    """Positions of the 21 body keypoints in the picture, normalised; 42 features."""

    name = "coordinates_2d"

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features; see :class:`~fidgety.features.contract.FeatureSetBuilder`."""
        position, units, parameters = normalised_2d(tracks, config)
        return FeatureSet(
            flatten(position),
            coordinate_names(BODY_21.keypoints, 2),
            tracks.clean.time_s,
            tracks.clean.fps,
            units,
            parameters,
        )


class Coordinates3D:
    """Positions of the 17 Human3.6M keypoints, the pelvis at zero; 51 features."""

    name = "coordinates_3d"

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features; see :class:`~fidgety.features.contract.FeatureSetBuilder`."""
        position, units, parameters = normalised_3d(tracks, config)
        return FeatureSet(
            flatten(position),
            coordinate_names(HUMAN36M_17.keypoints, 3),
            tracks.clean.time_s,
            tracks.clean.fps,
            units,
            parameters,
        )
