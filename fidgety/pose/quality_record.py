"""Files of quality (schema ``quality/2``, ``results/quality/{recording}.json``).

Beside the common fields ``status``, ``reason`` and ``reason_detail`` a record has

- ``reasons``: every reason with its figures, the first one being the recorded one;
- ``measures``: see :data:`MEASURES`; null where it cannot be told;
- ``tracks``: ``duration_s``, ``fps``, and what cleaning measured (see :data:`CLEANING`); of a
  recording without tracks the duration and rate of its video;
- ``series``: second by second, for the plot;
- ``limits``: the part of the configuration that it was judged by.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from fidgety import __version__
from fidgety.errors import Outcome
from fidgety.files import read_json_record, write_json
from fidgety.storage import Provenance

SCHEMA = "quality/2"
#: What cleaning measured: shares of all values by origin, the longest gap, swaps put right.
CLEANING = (
    "measured",
    "imputed",
    "corrected",
    "manual",
    "missing",
    "longest_gap_s",
    "swaps_undone",
)
#: What is measured, in words.
MEASURES = {
    "core_measured": "share of trunk, head and limbs measured or placed by hand",
    "confidence": "median confidence of trunk, head and limbs, as the pose's source gives it",
    "longest_gap_s": "longest time that one of their keypoints is missing",
    "persons": "most persons in view at once, if several can be told",
    "other_person": "share of the time with somebody else in view, if several can be told",
    "camera_speed": "95th percentile of the camera's motion, trunk lengths a second",
    "camera_moving": "share of the time in which the camera moves",
    "supine": "share of the time seen from the front, as lying on the back",
    "face_seen": "share of the time in which the nose is measured",
    "movement": "median speed of hands and feet, trunk lengths a second",
    "still": "share of still time (asleep, as a suspicion)",
    "fussing": "share of the time with suspected fussing or crying",
    "assessable_s": "total time in which pose, camera and infant are fit",
    "speed_2d": "mean speed of the keypoints in the picture, trunk lengths a second",
    "speed_3d": "mean speed of the keypoints in space, trunk lengths a second",
}


def write_quality(
    path: str | os.PathLike[str],
    outcome: Outcome,
    record: Mapping[str, Any],
    provenance: Provenance,
    tracks: Mapping[str, float | None] | None = None,
) -> None:
    """Write a record of quality, whole or not at all.

    Parameters
    ----------
    path
        File to write.
    outcome
        Fit, or why not.
    record
        Of :func:`fidgety.pose.verdict.quality_record`; empty where there is no pose to judge.
    provenance
        What makes it.
    tracks
        Duration, rate and what cleaning measured.
    """
    write_json(
        path,
        {
            "schema": SCHEMA,
            "status": outcome.status.value,
            "reason": outcome.reason.value if outcome.reason else None,
            "reason_detail": outcome.detail,
            "fidgety_version": __version__,
            "provenance": json.loads(provenance.to_json()),
            "tracks": dict(tracks or {}),
            "reasons": [],
            "series": {},
            "limits": {},
            **record,
            "measures": dict.fromkeys(MEASURES) | dict(record.get("measures", {})),
        },
    )


def read_quality_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record of quality.

    Raises
    ------
    StorageError
        If it is no record of this schema.
    """
    return read_json_record(path, SCHEMA)
