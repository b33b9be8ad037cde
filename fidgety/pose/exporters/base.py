"""The contract of a track exporter.

An exporter writes one recording's tracks as another program reads them. Coordinates are those of
the standard video (``results/video/{recording}.mp4``), or of the source where tracks came without
a video. Equal tracks give equal bytes: no dates, no random identifiers.

To add one: a module in this folder with a subclass of :class:`TrackExporter`, and a line in
:mod:`fidgety.pose.exporters.registry`.
"""

from __future__ import annotations

import abc
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr

from fidgety.pose.tracks import INDIVIDUAL, Pose
from fidgety.storage import Provenance


class TrackExporter(abc.ABC):
    """Writes tracks in one file format.

    Attributes
    ----------
    name
        Name in the registry.
    file_name
        What the file is called.
    libraries
        Distributions that write it.
    """

    name: ClassVar[str]
    file_name: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def write(self, pose: Pose, path: Path, provenance: Provenance) -> None:
        """Write a file.

        Parameters
        ----------
        pose
            The tracks.
        path
            File to write; the caller puts it in its place.
        provenance
            What made the tracks; ``recording`` names them.
        """


def without_names(pose: Pose) -> Pose:
    """Return tracks without what their file called persons and labellers.

    Whoever gave the infant its name in another program may not have meant it to leave the house.
    """
    details = {k: v for k, v in pose.details.items() if k not in ("individual", "scorer")}
    if isinstance(persons := details.get("persons"), dict):
        details["persons"] = {k: v for k, v in persons.items() if k != "known_keypoints"}
    return replace(pose, details=details)


def movement_dataset(pose: Pose, *, shift: float = 0.0) -> xr.Dataset:
    """Make the movement library's own dataset, in double precision.

    Parameters
    ----------
    pose
        The tracks.
    shift
        Added to coordinates in pixels: -0.5 for programs with 0 at the centre of the first one.
    """
    # Heavy, and needed for exports alone.
    from movement.io import load_poses

    position = pose.position + (shift if pose.units == "pixels" else 0.0)
    dataset: Any = load_poses.from_numpy(
        position[..., None],
        pose.confidence[..., None],
        individual_names=[INDIVIDUAL],
        keypoint_names=list(pose.keypoints),
        fps=pose.fps,
        source_software=pose.source_software or "fidgety",
    )
    found: xr.Dataset = dataset.assign_coords(time=pose.time_s)
    return found
