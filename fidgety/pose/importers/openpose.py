"""OpenPose: a folder (or a zip archive of it) with a JSON file a frame.

Written by ``--write_json``: ``clip_000000000012_keypoints.json`` with ``people``, each with
``pose_keypoints_2d`` (x, y, confidence; all zero where a keypoint was not found). Frames without
a person have an empty list. There are no names over time: persons are linked by distance. The
model is told by the number of keypoints: 18 (COCO) or 25 (BODY_25).

OpenPose moves the peaks of its heat maps by half a pixel of the input (``nmsOffset``), so that 0
is the outer corner of the first pixel, as here.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fidgety.pose.importers.assemble import Listing, assemble, triples
from fidgety.pose.importers.base import TrackImporter
from fidgety.pose.importers.content import (
    MAX_FRAMES,
    MAX_TABLE_BYTES,
    empty,
    parse_json,
    require_size,
    unreadable,
)
from fidgety.pose.importers.people import Sights
from fidgety.pose.tracks import Pose
from fidgety.skeletons import OPENPOSE_18, OPENPOSE_25

ZIP_MAGIC = b"PK\x03\x04"
#: The number stands last in the name, behind the clip's own.
NUMBER = re.compile(r"(\d+)(?:_keypoints)?\.json$", re.IGNORECASE)
SKELETONS = {len(s.keypoints): s for s in (OPENPOSE_18, OPENPOSE_25)}
#: Largest file of one frame.
MAX_FRAME_BYTES = 5_000_000


class OpenPoseFolder(TrackImporter):
    """Folders and archives of OpenPose."""

    name: ClassVar[str] = "openpose"
    description: ClassVar[str] = "folder of OpenPose JSON files, or a .zip of it"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim folders and zip archives."""
        return path.is_dir() or head.startswith(ZIP_MAGIC)

    def read(self, path: Path) -> Pose:
        """Read a folder; see :meth:`TrackImporter.read`."""
        files = _from_folder(path) if path.is_dir() else _from_archive(path)
        listing = frames_listing(files)
        return assemble(
            listing, self.name, fps=self.fps, skeletons=self.skeletons, names=self.keypoint_names
        )


def _from_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    names = sorted(e.name for e in os.scandir(path) if e.is_file() and NUMBER.search(e.name))
    if not names:
        unreadable("the folder has no file that is called like 000000000012_keypoints.json")
    _require_few(names)
    for name in names:
        require_size((path / name).stat().st_size, MAX_FRAME_BYTES)
        yield name, (path / name).read_bytes()


def _from_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        entries = sorted(
            (e for e in archive.infolist() if not e.is_dir() and NUMBER.search(e.filename)),
            key=lambda e: e.filename,
        )
        # Macs add hidden copies.
        entries = [e for e in entries if not e.filename.startswith("__MACOSX/")]
        if not entries:
            unreadable("the archive has no file that is called like 000000000012_keypoints.json")
        folders = {e.filename.rpartition("/")[0] for e in entries}
        if len(folders) > 1:
            unreadable(f"the archive has {len(folders)} folders; one archive is one recording")
        _require_few(entries)
        # What an archive says of its files' sizes is checked where they are unpacked.
        require_size(sum(e.file_size for e in entries), MAX_TABLE_BYTES)
        for entry in entries:
            with archive.open(entry) as file:
                data = file.read(MAX_FRAME_BYTES + 1)
            require_size(len(data), MAX_FRAME_BYTES)
            yield entry.filename.rpartition("/")[2], data


def _require_few(files: list[Any]) -> None:
    if len(files) > MAX_FRAMES:
        unreadable(f"{len(files)} files, more than {MAX_FRAMES}")


def frames_listing(files: Iterator[tuple[str, bytes]]) -> Listing:
    """Make a listing of the files of a folder.

    Parameters
    ----------
    files
        Name and content of each.
    """
    found: dict[int, list[np.ndarray]] = {}
    size: int | None = None
    for name, data in files:
        match = NUMBER.search(name)
        assert match is not None
        number = int(match[1])
        if number > MAX_FRAMES * 1000:
            unreadable(f"frame number {number} in a file's name")
        if number in found:
            unreadable(f"two files for frame {number}; one folder is one recording")
        found[number] = persons = []
        for values in _people(parse_json(data, MAX_FRAME_BYTES), number):
            points = triples(values, size, f"a person in frame {number}")
            size = len(points)
            persons.append(points)
    if size is None:
        empty(f"nobody in any of {len(found)} frames")
    if size not in SKELETONS:
        unreadable(f"{size} keypoints a person; the models with 18 and 25 are known")
    numbers = sorted(found)
    points = np.array([p for number in numbers for p in found[number]])
    seen = (points[:, :, 2] > 0) & np.isfinite(points).all(axis=2)
    if not seen.any():
        empty(f"no keypoint of any person in {len(found)} frames")
    if np.abs(points[:, :, :2][seen]).max() <= 1:
        unreadable("coordinates lie between -1 and 1: write them with --keypoint_scale 0")
    points[~seen] = np.nan
    return Listing(
        Sights(
            np.repeat(numbers, [len(found[number]) for number in numbers]).astype(np.int64),
            points[:, :, :2].transpose(0, 2, 1),
            np.nan_to_num(points[:, :, 2]),
        ),
        SKELETONS[size].keypoints,
        np.array(numbers, dtype=np.int64),
        join=True,
        software="OpenPose",
        centred=False,
    )


def _people(content: Any, number: int) -> list[Any]:
    """Return each person's list of numbers."""
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        unreadable(f"the file of frame {number} has no list 'people'")
    found = []
    for person in people:
        # The second is the name before version 1.3.
        values = (
            person.get("pose_keypoints_2d", person.get("pose_keypoints"))
            if isinstance(person, dict)
            else None
        )
        if values is None:
            unreadable(f"a person in frame {number} has no 'pose_keypoints_2d'")
        if values:  # an empty list: a face or a hand alone
            found.append(values)
    return found
