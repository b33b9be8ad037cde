"""The contract of a track importer.

An importer recognises its files by their name and first bytes, and reads one into a
:class:`~fidgety.pose.tracks.Pose`. It never executes anything that a file holds. What is wrong
with a file is an outcome (:class:`~fidgety.errors.NotAssessable`), not a crash.

To add one: a module in this folder with a subclass of :class:`TrackImporter`, and a line in
:mod:`fidgety.pose.importers.registry`.
"""

from __future__ import annotations

import abc
from pathlib import Path
from typing import ClassVar

from fidgety.pose.tracks import Pose


class TrackImporter(abc.ABC):
    """Reads tracks of one file format.

    Attributes
    ----------
    name
        Name in the registry.
    description
        The format in a few words, for messages.
    """

    name: ClassVar[str]
    description: ClassVar[str]

    @abc.abstractmethod
    def claims(self, path: Path, head: bytes) -> bool:
        """Tell whether a file is of this format, by its name and its first bytes."""

    @abc.abstractmethod
    def read(self, path: Path) -> Pose:
        """Read a file's tracks of one individual, in the canonical order of its skeleton.

        Raises
        ------
        NotAssessable
            With ``pose_unreadable``, ``pose_empty`` or ``skeleton_mismatch``.
        """
