"""The contract of a track importer.

An importer recognises its files by their name and first bytes, and reads one into a
:class:`~fidgety.pose.tracks.Pose`. It never executes anything that a file holds. What is wrong
with a file is an outcome (:class:`~fidgety.errors.NotAssessable`), not a crash.

To add one: a module in this folder with a subclass of :class:`TrackImporter`, and a line in
:mod:`fidgety.pose.importers.registry`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from fidgety.pose.tracks import Pose
from fidgety.skeletons import Skeleton


class TrackImporter(abc.ABC):
    """Reads tracks of one file format.

    Attributes
    ----------
    name
        Name in the registry.
    description
        The format in a few words, for messages.

    Parameters
    ----------
    skeletons
        The user's own skeletons, tried before those that are known
        (:func:`fidgety.skeletons.match`).
    fps
        Frame rate of the recording, where a format has no times of its own.
    keypoint_names
        The user's translation of keypoints: name in the file to name here.
    """

    name: ClassVar[str]
    description: ClassVar[str]

    def __init__(
        self,
        skeletons: Sequence[Skeleton] = (),
        *,
        fps: float | None = None,
        keypoint_names: Mapping[str, str] | None = None,
    ) -> None:
        self.skeletons = tuple(skeletons)
        self.fps = fps
        self.keypoint_names = dict(keypoint_names or {})

    @abc.abstractmethod
    def claims(self, path: Path, head: bytes) -> bool:
        """Tell whether a file is of this format, by its name and its first bytes.

        Parameters
        ----------
        path
            A file, or a folder for formats with a file a frame.
        head
            The file's first bytes; nothing for a folder.
        """

    @abc.abstractmethod
    def read(self, path: Path) -> Pose:
        """Read a file's tracks of one individual, in the canonical order of its skeleton.

        Raises
        ------
        NotAssessable
            With ``pose_unreadable``, ``pose_empty`` or ``skeleton_mismatch``.
        ConfigError
            If the format has no times and :attr:`fps` is not given.
        """
