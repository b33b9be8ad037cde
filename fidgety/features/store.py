"""Feature sets in memory and on disk.

Reading and using features needs nothing of how they are built: what trains on them does not
rerun because a builder changed.

File (schema ``features/1``): one group a feature set.

========  ===============  ==================================================
variable  dimensions       content
========  ===============  ==================================================
values    time, feature    float32; NaN = missing
time      time             seconds
feature   feature          names: ``{keypoint}_{axis}``, or an angle's name
========  ===============  ==================================================

A group's attributes: ``set``, ``units``, ``status``, ``reason``, ``reason_detail``,
``parameters`` (JSON: origin, trunk length, angle). A set that cannot be had of this recording
is a group with the reason and no variables. The root's attributes ``fps`` and ``units``
(JSON: units by set).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety import files, storage
from fidgety.errors import NotAssessable, Outcome, Reason, Status, StorageError
from fidgety.skeletons import opposite

FEATURES_SCHEMA = "features/1"


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


@dataclass(frozen=True)
class Features:
    """All feature sets of a recording.

    Parameters
    ----------
    fps
        Nominal frame rate.
    sets
        Those that could be built, by name.
    unavailable
        Why the others could not.
    """

    fps: float
    sets: Mapping[str, FeatureSet]
    unavailable: Mapping[str, Outcome]


def _group(name: str, features: FeatureSet) -> xr.Dataset:
    return xr.Dataset(
        {"values": (("time", "feature"), features.values.astype(np.float32))},
        coords={
            "time": ("time", np.asarray(features.time_s, dtype=np.float64), {"units": "seconds"}),
            "feature": ("feature", list(features.names)),
        },
        attrs={
            "set": name,
            "units": features.units,
            "status": Status.OK.value,
            "reason": "",
            "reason_detail": "",
            "parameters": files.dumps(dict(features.parameters)),
        },
    )


def _empty_group(name: str, outcome: Outcome) -> xr.Dataset:
    return xr.Dataset(
        attrs={
            "set": name,
            "units": "",
            "status": outcome.status.value,
            "reason": outcome.reason.value if outcome.reason else "",
            "reason_detail": outcome.detail,
            "parameters": "{}",
        }
    )


def write_features(
    path: str | os.PathLike[str], features: Features, provenance: storage.Provenance
) -> None:
    """Write a features file, whole or not at all."""
    groups = {name: _group(name, one) for name, one in features.sets.items()}
    groups |= {name: _empty_group(name, why) for name, why in features.unavailable.items()}
    units = {name: one.units for name, one in features.sets.items()}
    root = xr.Dataset(attrs={"fps": float(features.fps), "units": files.dumps(units)})
    storage.write_dataset(path, root, schema=FEATURES_SCHEMA, provenance=provenance, groups=groups)


def read_feature_set(path: str | os.PathLike[str], name: str) -> FeatureSet:
    """Read one feature set of a recording.

    Parameters
    ----------
    path
        Features file.
    name
        Feature set.

    Raises
    ------
    NotAssessable
        With the recorded reason if the recording has no features; ``feature_unavailable`` if
        it has none of this set, saying why.
    StorageError
        If it is not such a file, or was built without this set.
    """
    root = storage.read_dataset(path, schema=FEATURES_SCHEMA)
    known = storage.groups(path)
    if name not in known:
        raise StorageError(
            f"{path}: holds no feature set {name!r}, only {', '.join(known)}. "
            "Add it to features.sets in config.yaml."
        )
    group = storage.read_dataset(path, schema=FEATURES_SCHEMA, group=name)
    with storage.reading(path):
        return _of_group(name, group, float(root.attrs["fps"]))


def _of_group(name: str, group: xr.Dataset, fps: float) -> FeatureSet:
    """Take a feature set out of the layout of :func:`_group`."""
    if group.attrs["status"] != Status.OK.value:
        why = Reason(group.attrs["reason"])
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE,
            f"{name}: {group.attrs['reason_detail'] or why.text}",
        )
    return FeatureSet(
        values=group["values"].values.astype(np.float32),
        names=tuple(str(n) for n in group["feature"].values),
        time_s=group["time"].values.astype(np.float64),
        fps=fps,
        units=str(group.attrs["units"]),
        parameters=json.loads(str(group.attrs["parameters"])),
    )


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
