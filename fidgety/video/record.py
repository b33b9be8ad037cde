"""The record of a standard video: ``results/video/{recording}.json``, schema ``video/1``.

The record says what the source was, what was done to it, and when, in the source, every
frame of the standard video was taken. A recording without a usable video has a record too:
its status is ``not assessable``, it carries the reason, and the file beside it is empty.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fidgety import __version__
from fidgety.errors import NotAssessable, Outcome, Reason, Status, StorageError
from fidgety.files import atomic_path, read_json_record, write_json
from fidgety.storage import Provenance

SCHEMA = "video/1"


class VideoRecord(BaseModel):
    """What a standard video is and where it comes from.

    Sizes are 0 and lists are empty where the recording is not assessable.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    status: Status = Status.OK
    """``ok`` or ``not assessable``."""
    reason: Reason | None = None
    """Reason code of a recording that is not assessable."""
    reason_detail: str = ""
    """What was found, with figures."""
    source_sha256: str = ""
    """Checksum of the source file."""
    source_width_px: int = 0
    """Width of the source as displayed: turned, and with square pixels."""
    source_height_px: int = 0
    """Height of the source as displayed."""
    source_fps: float = 0.0
    """Nominal rate of the source, frames a second."""
    source_codec: str = ""
    """Codec of the source: ``h264``, ``hevc``, ..."""
    width_px: int = 0
    """Width of the standard video."""
    height_px: int = 0
    """Height of the standard video."""
    crop_px: tuple[int, int, int, int] | None = None
    """x, y, width and height of what was kept, in pixels of the source as displayed."""
    scale: float = 1.0
    """Pixels of the standard video for one of the source (``width_px / crop_px[2]`` and
    ``height_px / crop_px[3]`` may differ from it by the rounding to even sizes)."""
    fps: float = 0.0
    """Rate of the standard video, frames a second."""
    n_frames: int = 0
    """Frames of the standard video."""
    duration_s: float = 0.0
    """``n_frames / fps``."""
    source_time_s: tuple[float, ...] = ()
    """Time of the source frame behind every standard frame, from the first one on; frame ``k``
    stands for the time ``k / fps``."""
    source_frame: tuple[int, ...] = ()
    """Number of the source frame behind every standard frame, counted from 0 as decoded."""
    source_start_s: float = 0.0
    """Time stamp of the first frame in the source file."""
    n_source_frames: int = 0
    """Source frames that were decoded."""
    n_repeated: int = 0
    """Standard frames that show the same source frame as the one before them."""
    rotation_deg: int = 0
    """Degrees by which the picture was turned clockwise, as its rotation flag asks."""
    mirrored: bool = False
    """Whether the picture was mirrored left to right before it was turned."""
    deinterlaced: bool = False
    """Whether frames were deinterlaced."""
    tone_mapped: bool = False
    """Whether high dynamic range was mapped to standard dynamic range."""
    warnings: tuple[str, ...] = ()
    """What is odd about the source but did not stop the work."""

    @property
    def outcome(self) -> Outcome:
        """Status and reason in the form that all stages share."""
        return Outcome(self.status, self.reason, self.reason_detail)

    @classmethod
    def of(cls, error: NotAssessable, source_sha256: str = "") -> VideoRecord:
        """Make the record of a recording that is not assessable."""
        return cls(
            status=Status.NOT_ASSESSABLE,
            reason=error.reason,
            reason_detail=error.detail,
            source_sha256=source_sha256,
        )


def write_video_record(path: Path | str, record: VideoRecord, provenance: Provenance) -> None:
    """Write a record, whole or not at all."""
    write_json(
        path,
        {
            "schema": SCHEMA,
            "fidgety_version": __version__,
            "provenance": json.loads(provenance.to_json()),
            **record.model_dump(mode="json"),
        },
    )


def read_video_record(path: Path | str) -> VideoRecord:
    """Read a record.

    Raises
    ------
    StorageError
        If it is no record of this schema.
    """
    values = read_json_record(path, SCHEMA)
    try:
        return VideoRecord.model_validate(values)
    except ValidationError as error:
        raise StorageError(f"{path}: is damaged: {error}. Delete it and run again.") from None


def write_not_assessable_video(
    video: Path | str,
    record: Path | str,
    error: NotAssessable,
    provenance: Provenance,
) -> None:
    """Write the files of a recording without a usable video: an empty one, and the reason."""
    with atomic_path(video) as temporary:
        temporary.touch()
    write_video_record(record, VideoRecord.of(error, provenance.input_sha256), provenance)
