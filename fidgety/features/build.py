"""Build the feature sets of a recording and keep them in one file.

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
from dataclasses import dataclass

import numpy as np
import xarray as xr

from fidgety import storage
from fidgety.config.pose import FeaturesConfig
from fidgety.errors import NotAssessable, Outcome, Reason, Status, StorageError
from fidgety.features.contract import FeatureSet, Tracks
from fidgety.features.registry import FEATURE_SETS

FEATURES_SCHEMA = "features/1"


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


def build_features(tracks: Tracks, config: FeaturesConfig) -> Features:
    """Build the configured feature sets.

    Parameters
    ----------
    tracks
        Clean and lifted pose.
    config
        The ``features`` section.

    Raises
    ------
    ConfigError
        If a set is unknown.
    """
    sets: dict[str, FeatureSet] = {}
    unavailable: dict[str, Outcome] = {}
    for name in config.sets:
        builder = FEATURE_SETS.get(name)()
        try:
            sets[name] = builder.build(tracks, config)
        except NotAssessable as error:
            unavailable[name] = Outcome.of(error)
    return Features(tracks.clean.fps, sets, unavailable)


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
            "parameters": storage.dumps(dict(features.parameters)),
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
    root = xr.Dataset(attrs={"fps": float(features.fps), "units": storage.dumps(units)})
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
        fps=float(root.attrs["fps"]),
        units=str(group.attrs["units"]),
        parameters=json.loads(str(group.attrs["parameters"])),
    )
