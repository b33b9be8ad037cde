"""The contract of a track importer.

An importer recognises its files by their name and first bytes, and reads one into a
:class:`~fidgety.pose.tracks.Pose`. It never executes anything that a file holds. What is wrong
with a file is an outcome (:class:`~fidgety.errors.NotAssessable`), not a crash.

To add one: a module in this folder with a subclass of :class:`TrackImporter`, and a line in
:mod:`fidgety.pose.importers.registry`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
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
    """

    name: ClassVar[str]
    description: ClassVar[str]

    def __init__(self, skeletons: Sequence[Skeleton] = ()) -> None:
        self.skeletons = tuple(skeletons)

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
