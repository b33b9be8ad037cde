"""Neurodata Without Borders (pynwb with ndx-pose), by the movement library.

A file needs a time at which the session began, which the workflow does not know: it is 1970, and
the description says so. NWB files carry a date of creation and random identifiers; here the one
is fixed as well, the others are made of the recording and each part's place in the file.
"""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fidgety import __version__
from fidgety.pose.exporters.base import TrackExporter, movement_dataset
from fidgety.pose.tracks import INDIVIDUAL, Pose
from fidgety.storage import Provenance

UNKNOWN_TIME = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
#: Identifiers derive from it; of no other meaning.
NAMESPACE = uuid.UUID("7b0c9f6e-6f2d-5c55-9a53-0c1f9d1f7c11")


class NwbFile(TrackExporter):
    """Positions, confidences and time stamps of each keypoint, and the skeleton."""

    name: ClassVar[str] = "nwb"
    file_name: ClassVar[str] = "pose.nwb"
    libraries: ClassVar[tuple[str, ...]] = ("movement", "ndx-pose", "pynwb")

    def write(self, pose: Pose, path: Path, provenance: Provenance) -> None:
        """Write a file; see :meth:`TrackExporter.write`."""
        import pynwb
        from movement.io import save_poses
        from movement.io.nwb import NWBFileSaveConfig

        name = provenance.recording or INDIVIDUAL
        place = (
            "(0, 0) is the outer corner of the first pixel; x right, y down"
            if pose.units == "pixels"
            else "that of the tracks' source"
        )
        anatomy = pose.anatomy
        config = NWBFileSaveConfig(
            nwbfile_kwargs={
                "identifier": name,
                "session_description": "pose of an infant; the time of the session is not known",
                "session_start_time": UNKNOWN_TIME,
                "file_create_date": [UNKNOWN_TIME],
                "notes": provenance.to_json(),
            },
            subject_kwargs={"subject_id": name, "species": "Homo sapiens"},
            pose_estimation_series_kwargs={
                "unit": pose.units,
                "reference_frame": place,
                "confidence_definition": "between 0 and 1; 0 where nothing was found",
            },
            pose_estimation_kwargs={
                # The name that readers look for.
                "name": "PoseEstimation",
                "source_software": pose.source_software or "fidgety",
                "source_software_version": __version__,
            },
            skeleton_kwargs={
                "name": f"{INDIVIDUAL}_skeleton",
                "edges": anatomy.bone_indices.astype(np.uint8).reshape(-1, 2),
            },
        )
        file = save_poses.to_nwb_file(movement_dataset(pose), config)
        _fix_identifiers(file, name)
        with pynwb.NWBHDF5IO(str(path), mode="w") as io:
            io.write(file)


def _fix_identifiers(container: Any, place: str) -> None:
    """Give every part an identifier that follows from its place."""
    # hdmf makes a random one and has no way to choose it.
    container._AbstractContainer__object_id = str(uuid.uuid5(NAMESPACE, place))
    for child in container.children:
        _fix_identifiers(child, f"{place}/{child.name}")
