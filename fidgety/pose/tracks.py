"""Pose in memory and on disk.

File (schema ``pose/1``): the dataset layout of the ``movement`` library, so that its tools,
napari and notebooks open it unchanged.

=================  =========================================  ================================
variable           dimensions                                 content
=================  =========================================  ================================
position           time, space, keypoints, individuals        float32; NaN = missing
confidence         time, keypoints, individuals               float32 in [0, 1]
position_3d        time, space_3d, keypoints, individuals     optional; metres, x right, y down,
                                                              z away from the camera
origin             time, keypoints, individuals               optional, uint8: :class:`Origin`
time               time                                       seconds, from the time stamps
=================  =========================================  ================================

Attributes: ``fps``, ``source_software``, ``ds_type = "poses"``, ``skeleton``, ``units``
(``pixels``, ``metres``, ``trunk``, ``zscore`` or ``unknown``), ``details`` (JSON: what the
stage did, quality measures), and where the skeleton is the user's own ``skeleton_definition``
(JSON: so that no later stage needs its file).
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import NotAssessable
from fidgety.files import dumps
from fidgety.skeletons import SKELETONS, Skeleton, as_dict, from_dict, identify
from fidgety.storage import Provenance, read_dataset, reading, write_dataset

POSE_SCHEMA = "pose/1"
INDIVIDUAL = "infant"
UNITS = ("pixels", "metres", "trunk", "zscore", "unknown")


class Origin(enum.IntEnum):
    """Where a value comes from.

    ``CORRECTED`` is measured, with its side put right by the workflow; ``MANUAL`` was placed by a
    person's hand.
    """

    MISSING = 0
    MEASURED = 1
    IMPUTED = 2
    CORRECTED = 3
    MANUAL = 4


@dataclass(frozen=True)
class Pose:
    """Tracks of one infant.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        2 or 3 coordinates; NaN is missing.
    confidence : ndarray of shape (frame, keypoint)
        Between 0 and 1.
    time_s : ndarray of shape (frame,)
        Time stamps in seconds, increasing.
    keypoints
        Names.
    fps
        Nominal frame rate.
    units
        One of :data:`UNITS`.
    world : ndarray of shape (frame, 3, keypoint), optional
        3D positions in metres beside 2D ones.
    origin : ndarray of shape (frame, keypoint), optional
        :class:`Origin` of each value; absent before cleaning.
    source_software
        What made the tracks.
    skeleton
        Name of the skeleton.
    details
        What was done, and quality measures.
    own_skeleton
        The user's skeleton that the keypoints form; it travels with the tracks.
    """

    position: NDArray[np.floating]
    confidence: NDArray[np.floating]
    time_s: NDArray[np.floating]
    keypoints: tuple[str, ...]
    fps: float
    units: str = "pixels"
    world: NDArray[np.floating] | None = None
    origin: NDArray[np.uint8] | None = None
    source_software: str = "fidgety"
    skeleton: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    own_skeleton: Skeleton | None = None

    def __post_init__(self) -> None:
        n, space, k = self.position.shape
        if space not in (2, 3):
            raise ValueError(f"position has {space} coordinates, expected 2 or 3")
        if self.confidence.shape != (n, k) or self.time_s.shape != (n,):
            raise ValueError("position, confidence and time_s disagree in shape")
        if len(self.keypoints) != k:
            raise ValueError(f"{len(self.keypoints)} names for {k} keypoints")
        if self.world is not None and self.world.shape != (n, 3, k):
            raise ValueError(f"world has shape {self.world.shape}, expected {(n, 3, k)}")
        if self.units not in UNITS:
            raise ValueError(f"unknown units {self.units!r}")

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.position.shape[0])

    @property
    def n_space(self) -> int:
        """Number of coordinates: 2 or 3."""
        return int(self.position.shape[1])

    @property
    def anatomy(self) -> Skeleton:
        """The keypoints in the order of the arrays, with bones and ways to derive others.

        Keypoints that form no known skeleton have no bones.
        """
        skeleton = self.own_skeleton or SKELETONS.get(self.skeleton)
        if skeleton is None or set(skeleton.keypoints) != set(self.keypoints):
            try:
                skeleton = identify(self.keypoints)
            except NotAssessable:
                skeleton = Skeleton(self.skeleton, self.keypoints, ())
        return replace(skeleton, keypoints=self.keypoints)

    @property
    def duration_s(self) -> float:
        """Time covered, the last frame's own duration included."""
        if self.n_frames == 0:
            return 0.0
        return float(self.time_s[-1] - self.time_s[0] + 1.0 / self.fps)


def to_dataset(pose: Pose) -> xr.Dataset:
    """Lay a pose out as ``movement`` does."""
    dims = ("time", "space", "keypoints", "individuals")
    variables: dict[str, Any] = {
        "position": (dims, pose.position[..., None].astype(np.float32)),
        "confidence": (
            ("time", "keypoints", "individuals"),
            pose.confidence[..., None].astype(np.float32),
        ),
    }
    coords: dict[str, Any] = {
        "time": ("time", pose.time_s.astype(np.float64)),
        "space": ("space", list("xyz")[: pose.n_space]),
        "keypoints": ("keypoints", list(pose.keypoints)),
        "individuals": ("individuals", [INDIVIDUAL]),
    }
    if pose.world is not None:
        variables["position_3d"] = (
            ("time", "space_3d", "keypoints", "individuals"),
            pose.world[..., None].astype(np.float32),
        )
        coords["space_3d"] = ("space_3d", list("xyz"))
    if pose.origin is not None:
        variables["origin"] = (
            ("time", "keypoints", "individuals"),
            pose.origin[..., None].astype(np.uint8),
            {
                "flag_values": np.array([int(o) for o in Origin], dtype=np.uint8),
                "flag_meanings": " ".join(o.name.lower() for o in Origin),
            },
        )
    attrs: dict[str, Any] = {
        "fps": float(pose.fps),
        "time_unit": "seconds",
        "source_software": pose.source_software,
        "ds_type": "poses",
        "skeleton": pose.skeleton,
        "units": pose.units,
        "details": dumps(dict(pose.details)),
    }
    if pose.own_skeleton is not None:
        attrs["skeleton_definition"] = dumps(as_dict(pose.own_skeleton))
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def from_dataset(dataset: xr.Dataset) -> Pose:
    """Take a pose out of the layout of :func:`to_dataset`."""
    one = dataset.isel(individuals=0)
    world = one["position_3d"].values if "position_3d" in one else None
    origin = one["origin"].values.astype(np.uint8) if "origin" in one else None
    definition = dataset.attrs.get("skeleton_definition")
    return Pose(
        position=one["position"].transpose("time", "space", "keypoints").values.astype(np.float64),
        confidence=one["confidence"].values.astype(np.float64),
        time_s=one["time"].values.astype(np.float64),
        keypoints=tuple(str(k) for k in one["keypoints"].values),
        fps=float(dataset.attrs["fps"]),
        units=str(dataset.attrs.get("units", "unknown")),
        world=None if world is None else world.astype(np.float64),
        origin=origin,
        source_software=str(dataset.attrs.get("source_software", "")),
        skeleton=str(dataset.attrs.get("skeleton", "")),
        details=json.loads(str(dataset.attrs.get("details", "{}"))),
        own_skeleton=None if definition is None else from_dict(json.loads(str(definition))),
    )


def write_pose(path: str | os.PathLike[str], pose: Pose, provenance: Provenance) -> None:
    """Write a pose file, whole or not at all."""
    write_dataset(path, to_dataset(pose), schema=POSE_SCHEMA, provenance=provenance)


def read_pose(path: str | os.PathLike[str]) -> Pose:
    """Read a pose file of the workflow.

    Raises
    ------
    NotAssessable
        If the file records a reason instead of a pose.
    StorageError
        If it is not such a file.
    """
    dataset = read_dataset(path, schema=POSE_SCHEMA)
    with reading(path):
        return from_dataset(dataset)
