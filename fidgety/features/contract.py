"""What a feature set is: its contract.

A feature set is a class with a ``name`` and a method ``build``; it is a module of this folder
and one line in :mod:`fidgety.features.registry`. Everything it may need of a recording comes
as :class:`Tracks`; what it gives is a :class:`FeatureSet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fidgety.config.pose import FeaturesConfig
from fidgety.errors import Outcome
from fidgety.pose.tracks import Pose
from fidgety.skeletons import opposite


@dataclass(frozen=True)
class Tracks:
    """What a recording has to build features from.

    Parameters
    ----------
    clean
        Clean pose: 2D, or 3D for a 3D track.
    lifted
        3D pose in Human3.6M-17, if there is one.
    lifted_outcome
        Why there is none.
    """

    clean: Pose
    lifted: Pose | None = None
    lifted_outcome: Outcome = field(default_factory=Outcome)


@dataclass(frozen=True)
class FeatureSet:
    """Features of one recording.

    Parameters
    ----------
    values : ndarray of float32, shape (time, feature)
        NaN is missing.
    names
        ``{keypoint}_{axis}``, the keypoints one after the other, or an angle's name.
    time_s : ndarray of shape (time,)
        Seconds.
    fps
        Nominal frame rate.
    units
        Of the values: ``trunk``, ``pixels``, ``rad``, ``trunk/s``, ...
    parameters
        How it was built: origin, scale, trunk length, angle.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    time_s: NDArray[np.floating]
    fps: float
    units: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.time_s), len(self.names)):
            raise ValueError(
                f"values have shape {self.values.shape}, expected "
                f"{(len(self.time_s), len(self.names))}"
            )


class FeatureSetBuilder(Protocol):
    """Builds one feature set."""

    name: str

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features.

        Raises
        ------
        NotAssessable
            ``feature_unavailable`` if the tracks do not give them, naming what is missing;
            ``no_3d`` if there is no 3D pose; ``pose_too_sparse`` if the trunk is never seen.
        """
        ...


def coordinate_names(keypoints: tuple[str, ...], n_space: int) -> tuple[str, ...]:
    """Name coordinates: the keypoints one after the other, each with its axes."""
    return tuple(f"{k}_{axis}" for k in keypoints for axis in "xyz"[:n_space])


def flatten(position: NDArray[np.floating]) -> NDArray[np.float32]:
    """Turn positions (frame, space, keypoint) into features (frame, keypoint and axis)."""
    return np.ascontiguousarray(
        position.transpose(0, 2, 1).reshape(position.shape[0], -1), dtype=np.float32
    )


def as_coordinates(
    values: NDArray[np.floating], names: tuple[str, ...]
) -> tuple[NDArray[np.floating], tuple[str, ...]]:
    """Turn coordinate features back into an array of keypoints.

    Parameters
    ----------
    values : ndarray of shape (..., feature)
    names
        As from :func:`coordinate_names`.

    Returns
    -------
    coordinates : ndarray of shape (..., keypoint, space)
        A view where NumPy can give one.
    keypoints
        Names.
    """
    axes = {name.rpartition("_")[2] for name in names}
    n_space = len(axes)
    if not axes <= {"x", "y", "z"} or len(names) % max(n_space, 1):
        raise ValueError("these features are no coordinates")
    keypoints = tuple(name.rpartition("_")[0] for name in names[::n_space])
    if names != coordinate_names(keypoints, n_space):
        raise ValueError("these features are no coordinates in keypoint order")
    return values.reshape(*values.shape[:-1], len(keypoints), n_space), keypoints


def mirror_features(values: NDArray[np.floating], names: tuple[str, ...]) -> NDArray[np.floating]:
    """Show the infant in a mirror: sides are swapped, x changes its sign.

    This is the left-right flip of Kaur 2025's augmentation. Angles and other features without
    an axis only swap sides. Mirroring twice gives the values back.

    Parameters
    ----------
    values : ndarray of shape (..., feature)
    names
        Names of the features; both sides of each sided one must be among them.

    Returns
    -------
    ndarray of shape (..., feature)

    Raises
    ------
    ValueError
        If a sided feature's partner is missing.
    """
    position = {name: i for i, name in enumerate(names)}
    lonely = [name for name in names if opposite(name) not in position]
    if lonely:
        raise ValueError(f"no other side of {', '.join(lonely)}")
    order = np.array([position[opposite(name)] for name in names], dtype=np.intp)
    sign = np.array([-1.0 if name.endswith("_x") else 1.0 for name in names], dtype=values.dtype)
    return np.asarray(values[..., order] * sign)
