"""A recording's export: a folder with a file a format, and one that describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fidgety.errors import NotAssessable, Outcome
from fidgety.files import write_json
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.tracks import Pose
from fidgety.storage import Provenance

SCHEMA = "export/1"
#: Times that are this near to an even rate are described by it, in seconds.
EVEN_S = 1e-6


def export_folder(
    pose: Pose | NotAssessable,
    folder: Path,
    formats: Sequence[str],
    provenance: Provenance,
    made_by: dict[str, Any],
) -> None:
    """Fill a folder with the tracks in several formats.

    Parameters
    ----------
    pose
        The tracks, or why there are none: then the description alone is written.
    folder
        An empty folder.
    formats
        Names in :data:`~fidgety.pose.exporters.registry.EXPORTERS`.
    provenance
        Of the export.
    made_by
        Provenance of the tracks.
    """
    files: dict[str, str] = {}
    if isinstance(pose, Pose):
        outcome, about = Outcome(), describe(pose)
        for name in formats:
            exporter = EXPORTERS.get(name)()
            exporter.write(pose, folder / exporter.file_name, provenance)
            files[exporter.file_name] = name
    else:
        outcome, about = Outcome.of(pose), {}
    write_json(
        folder / "export.json",
        {
            "schema": SCHEMA,
            "recording": provenance.recording,
            "status": outcome.status.value,
            "reason": outcome.reason.value if outcome.reason else None,
            "reason_detail": outcome.detail,
            "files": files,
            **about,
            "tracks_made_by": made_by,
        },
    )


def describe(pose: Pose) -> dict[str, Any]:
    """Return what some of the formats cannot hold."""
    even = pose.time_s[0] + np.arange(pose.n_frames) / pose.fps
    regular = bool(np.abs(even - pose.time_s).max(initial=0.0) <= EVEN_S)
    about: dict[str, Any] = {
        "fps": pose.fps,
        "frames": pose.n_frames,
        "start_s": float(pose.time_s[0]),
        "skeleton": pose.skeleton,
        "keypoints": list(pose.keypoints),
        "units": pose.units,
        "source_software": pose.source_software,
    }
    return about if regular else about | {"time_s": pose.time_s}
