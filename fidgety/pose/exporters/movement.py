"""netCDF in the layout of the movement library: the workflow's own pose file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from fidgety.pose.exporters.base import TrackExporter, without_names
from fidgety.pose.tracks import Pose, write_pose
from fidgety.storage import Provenance


class MovementFile(TrackExporter):
    """What movement, napari and xarray open; nothing is lost but the names of persons."""

    name: ClassVar[str] = "movement"
    file_name: ClassVar[str] = "pose.nc"
    libraries: ClassVar[tuple[str, ...]] = ("h5netcdf", "xarray")

    def write(self, pose: Pose, path: Path, provenance: Provenance) -> None:
        """Write a file; see :meth:`TrackExporter.write`."""
        write_pose(path, without_names(pose), provenance)
