"""What is known of a recording's tracks in a few numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py

from fidgety.files import read_json
from fidgety.pose.quality_record import CLEANING
from fidgety.pose.tracks import POSE_SCHEMA
from fidgety.storage import number_of, read_outcome


@dataclass(frozen=True)
class TracksSummary:
    """What is known of a recording's tracks.

    Parameters
    ----------
    duration_s, fps
        Length and nominal frame rate; None where unknown.
    measures
        Values of :data:`~fidgety.pose.quality_record.CLEANING`; what is not known is absent.
    """

    duration_s: float | None = None
    fps: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, float | None]:
        """Return all of it by name, as it stands in a record of quality."""
        return {"duration_s": self.duration_s, "fps": self.fps, **self.measures}


def cleaning_measures(details: Mapping[str, Any]) -> dict[str, float]:
    """Take what cleaning measured out of a clean pose's ``details``."""
    cleaning = details.get("cleaning", {})
    flat = {**cleaning, **cleaning.get("shares", {})}
    if "swaps_undone" not in flat and "swaps" in flat:
        flat["swaps_undone"] = len(flat["swaps"])
    return {name: float(flat[name]) for name in CLEANING if flat.get(name) is not None}


def read_summary(path: str | os.PathLike[str]) -> TracksSummary:
    """Read duration, rate and quality of a clean pose file, without its positions.

    Raises
    ------
    StorageError
        If it is no pose file.
    """
    if not read_outcome(path, POSE_SCHEMA).ok:
        return TracksSummary()
    with h5py.File(path, "r") as file:
        fps = number_of(file, "fps")
        time = file["time"]
        duration = float(time[-1] - time[0]) + 1.0 / fps if time.shape[0] else 0.0
        details = json.loads(str(file.attrs.get("details", "{}")))
    return TracksSummary(duration, fps, cleaning_measures(details))


def read_video_summary(path: str | os.PathLike[str]) -> TracksSummary:
    """Read duration and rate from a video's record, for a recording without tracks."""
    record = read_json(path)
    duration, fps = record.get("duration_s"), record.get("fps")
    return TracksSummary(float(duration) if duration else None, float(fps) if fps else None)
