"""Reading a track file of any known format."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fidgety.errors import NotAssessable, Reason, without_path
from fidgety.pose.importers.content import reasons_for
from fidgety.pose.importers.registry import IMPORTERS
from fidgety.pose.tracks import Pose
from fidgety.skeletons import Skeleton
from fidgety.text import with_marks

HEAD_BYTES = 4096
#: Most characters of a name that a file gives to a person, a keypoint or a program.
NAME_CHARACTERS = 100


def read_track(
    path: str | os.PathLike[str],
    skeletons: Sequence[Skeleton] = (),
    *,
    fps: float | None = None,
    keypoint_names: Mapping[str, str] | None = None,
) -> Pose:
    """Read the tracks of one infant from a file made elsewhere.

    Parameters
    ----------
    path
        A file (or folder) of one of the formats in :mod:`fidgety.pose.importers.registry`; it is
        told by its content.
    skeletons
        The user's own skeletons.
    fps
        Frame rate, for formats without times. A file's own times win.
    keypoint_names
        Name of a keypoint in the file to its name here, where spelling does not tell.

    Returns
    -------
    Pose
        Keypoints in the canonical order of their skeleton.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``, ``pose_empty`` or ``skeleton_mismatch``.
    ConfigError
        If the frame rate is needed and not given.

    Examples
    --------
    >>> read_track("baby-03.nc").keypoints[:2]  # doctest: +SKIP
    ('nose', 'left_eye_inner')
    """
    path = Path(path)
    head = b""
    if not path.is_dir():
        # Reading a device or a pipe may have no end.
        if path.exists() and not path.is_file():
            raise NotAssessable(Reason.POSE_UNREADABLE, "the track file is a device or a pipe")
        try:
            with open(path, "rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as error:
            text = without_path(error.strerror or str(error), path)
            raise NotAssessable(
                Reason.POSE_UNREADABLE, f"the track file cannot be read: {text}"
            ) from None
        if not head:
            raise NotAssessable(Reason.POSE_UNREADABLE, "the track file is empty")
    importers = [
        IMPORTERS.get(name)(skeletons, fps=fps, keypoint_names=keypoint_names) for name in IMPORTERS
    ]
    for importer in importers:
        if importer.claims(path, head):
            with reasons_for(path):
                pose = importer.read(path)
                return replace(
                    pose,
                    source_software=_plain(pose.source_software),
                    details=_plain(dict(pose.details)),
                )
    known = "; ".join(importer.description for importer in importers)
    raise NotAssessable(
        Reason.POSE_UNREADABLE, f"the track file is not of a known format. Known are: {known}"
    )


def _plain(value: Any) -> Any:
    """Return what a file says of itself as text that can be written, whatever its names are."""
    match value:
        case str():
            return with_marks(value)[:NAME_CHARACTERS]
        case Mapping():
            return {_plain(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value
