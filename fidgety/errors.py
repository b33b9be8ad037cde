"""What can go wrong, in two kinds that the workflow treats differently.

:class:`NotAssessable` says that *one recording's data* does not support a result. It is an
outcome: the stage writes its file with ``status = "not assessable"`` and the reason, later
stages hand it on, and the report names the recording and the reason.

:class:`FidgetyError` says that *the machine, the configuration or a table* is wrong. It stops
the job with its message alone: what, where, and what to do. A user never sees a traceback
for either.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fidgety import __version__
from fidgety.text import in_message, with_marks


class FidgetyError(Exception):
    """A mistake of the configuration, a table or the machine; the message tells the remedy.

    What it quotes from outside cannot write over the terminal that it is shown on.
    """

    def __init__(self, *parts: object) -> None:
        super().__init__(*(in_message(one) if isinstance(one, str) else one for one in parts))


class ConfigError(FidgetyError):
    """``config.yaml`` or one of the tables is wrong; the message lists every finding."""


class RefusedError(ConfigError):
    """A model cannot be trained on what there is: too much for the memory, or too little.

    It stops a job of the main line; a study of many models records it and goes on.
    """


class StorageError(FidgetyError):
    """A results file is not what it should be: other schema, damaged, or not one of ours."""


class DamagedError(StorageError):
    """The file itself is to blame, not the machine that it cannot be read on."""


class Status(enum.StrEnum):
    """Status of a record: every results file of a recording carries one."""

    OK = "ok"
    NOT_ASSESSABLE = "not assessable"


class Reason(enum.StrEnum):
    """Reason codes: the one list of why a recording has no result (docs/data-formats.md)."""

    VIDEO_EMPTY = "video_empty"
    VIDEO_UNREADABLE = "video_unreadable"
    VIDEO_NO_STREAM = "video_no_stream"
    VIDEO_TOO_SHORT = "video_too_short"
    VIDEO_RESOLUTION = "video_resolution"
    NO_BODY = "no_body"
    POSE_UNREADABLE = "pose_unreadable"
    POSE_EMPTY = "pose_empty"
    POSE_TOO_SPARSE = "pose_too_sparse"
    POSE_VIDEO_MISMATCH = "pose_video_mismatch"
    SKELETON_MISMATCH = "skeleton_mismatch"
    NO_3D = "no_3d"
    FEATURE_UNAVAILABLE = "feature_unavailable"
    UNITS_MISMATCH = "units_mismatch"
    CHARACTERISTICS_MISSING = "characteristics_missing"
    NO_COMPLETE_WINDOW = "no_complete_window"
    EXCLUDED = "excluded"
    CORRECTIONS_INVALID = "corrections_invalid"
    CAMERA_MOVES = "camera_moves"
    NOT_SUPINE = "not_supine"
    OTHER_PERSON = "other_person"
    INFANT_STILL = "infant_still"
    INFANT_FUSSING = "infant_fussing"
    ASSESSABLE_TOO_SHORT = "assessable_too_short"

    @property
    def text(self) -> str:
        """One sentence for people, in English."""
        return REASON_TEXTS[self]


REASON_TEXTS: dict[Reason, str] = {
    Reason.VIDEO_EMPTY: "The video file is empty.",
    Reason.VIDEO_UNREADABLE: "The file cannot be decoded as a video.",
    Reason.VIDEO_NO_STREAM: "The file has no picture in it.",
    Reason.VIDEO_TOO_SHORT: "The recording is shorter than the configured minimum.",
    Reason.VIDEO_RESOLUTION: "The picture is too small for an infant, or larger than any film.",
    Reason.NO_BODY: "No body was found in enough of the frames.",
    Reason.POSE_UNREADABLE: "The pose file cannot be read as tracks of a known format.",
    Reason.POSE_EMPTY: "The pose file holds no position.",
    Reason.POSE_TOO_SPARSE: "Too much of the pose is missing after cleaning.",
    Reason.POSE_VIDEO_MISMATCH: "The tracks and the video beside them do not belong together.",
    Reason.SKELETON_MISMATCH: "The keypoints do not form a skeleton that is known here.",
    Reason.NO_3D: "There is no 3D position for this recording.",
    Reason.FEATURE_UNAVAILABLE: "The features that the model needs cannot be had from this pose.",
    Reason.UNITS_MISMATCH: "The features are in other units than those the model learned from.",
    Reason.CHARACTERISTICS_MISSING: "The model reads characteristics that the sheet does not give.",
    Reason.NO_COMPLETE_WINDOW: "No window of the model's length is free of missing values.",
    Reason.EXCLUDED: "The recording does not meet the study's inclusion criteria.",
    Reason.CORRECTIONS_INVALID: "The corrections by hand do not fit the recording.",
    Reason.CAMERA_MOVES: "The camera moves too much, or somebody behind the infant does.",
    Reason.NOT_SUPINE: "The infant is not seen from the front, lying on its back, for long enough.",
    Reason.OTHER_PERSON: "Somebody else is in the picture for too much of the time.",
    Reason.INFANT_STILL: "The infant hardly moves: it may be asleep (a suspicion).",
    Reason.INFANT_FUSSING: "The infant may be fussing or crying, by its movement (a suspicion).",
    Reason.ASSESSABLE_TOO_SHORT: "Too little of the recording can be assessed.",
}


#: Longest detail: it stands in tables and on pages, and what is wrong with a file may be endless.
DETAIL_CHARACTERS = 500


def without_path(text: str, path: str | os.PathLike[str], instead: str = "the file") -> str:
    """Take a file's path and name out of a library's message.

    Details of :class:`NotAssessable` reach the report; the name of a user's own file may tell
    who the infant is.

    Parameters
    ----------
    text
        Message.
    path
        The file that it may name.
    instead
        What to say in its place.
    """
    path = Path(path)
    # The longest first: each contains the next.
    for own in (str(path.resolve()), str(path.absolute()), str(path), path.name):
        text = text.replace(own, instead)
    # By itself only as a whole word: a short name may be part of any.
    return re.sub(rf"(?<!\w){re.escape(path.stem)}(?!\w)", instead, text)


def texts_version() -> str:
    """Return a checksum of what pages print beside their inputs: reasons in words, version.

    Part of the page rules' parameters, so that pages are written again when it changes.
    """
    texts = {reason.value: text for reason, text in REASON_TEXTS.items()}
    content = json.dumps([__version__, texts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


class NotAssessable(Exception):
    """One recording's data does not support a result.

    Parameters
    ----------
    reason
        Code from the documented list.
    detail
        What was found in this recording, with figures, for a person; cut off behind
        :data:`DETAIL_CHARACTERS`, and with a mark for what is no text (names in a file of tracks
        may be anything).
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = Reason(reason)
        detail = with_marks(detail)
        if len(detail) > DETAIL_CHARACTERS:
            detail = detail[: DETAIL_CHARACTERS - 1] + "…"
        self.detail = detail
        super().__init__(f"{self.reason.value}: {detail or self.reason.text}")


@dataclass(frozen=True)
class Outcome:
    """Status of a record, and the reason where it has no result."""

    status: Status = Status.OK
    reason: Reason | None = None
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return self.status is Status.OK

    @classmethod
    def of(cls, error: NotAssessable) -> Outcome:
        """Turn the exception into the record that is written."""
        return cls(Status.NOT_ASSESSABLE, error.reason, error.detail)

    @classmethod
    def recorded(cls, record: Mapping[str, Any]) -> Outcome:
        """Read it from the fields or attributes of a file: status, reason, reason_detail."""
        reason, detail = record.get("reason"), record.get("reason_detail")
        return cls(Status(record["status"]), Reason(reason) if reason else None, str(detail or ""))

    def raise_if_not_ok(self) -> None:
        """Hand a recorded reason on to the next stage.

        Raises
        ------
        NotAssessable
            With the recorded reason, if there is no result.
        """
        if not self.ok:
            assert self.reason is not None
            raise NotAssessable(self.reason, self.detail)
