"""COCO keypoints: results and annotations; AlphaPose, which writes the former with names.

*Results* are a list with ``image_id``, ``keypoints`` (x, y, score) and ``score`` for each person;
*annotations* a dictionary of ``images``, ``annotations`` (visibility in place of a score: 0 is not
placed) and ``categories``, which name the keypoints. Frames are numbered by ``frame_id`` of the
images, by numbers in their file names, or by ``image_id`` itself. AlphaPose's ``image_id`` is a
file name (``12.jpg``), its ``idx`` a person's number over time.

COCO counts from 0 at the centre of the first pixel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fidgety.pose.importers.assemble import Listing, assemble, triples
from fidgety.pose.importers.base import TrackImporter
from fidgety.pose.importers.content import (
    empty,
    looks_like_json,
    read_json_file,
    unreadable,
)
from fidgety.pose.importers.people import Sights
from fidgety.pose.tracks import Pose
from fidgety.skeletons import COCO_17, HALPE_26

_NUMBERS = re.compile(r"\d+")
#: Keypoints of a person by their number, where a file does not name them. Halpe's full body has
#: face and hands behind the 26 of the body.
LAYOUTS: dict[int, tuple[str, ...]] = {
    17: COCO_17.keypoints,
    26: HALPE_26.keypoints,
    136: (*HALPE_26.keypoints, *(f"face_or_hand_{i}" for i in range(110))),
    133: (
        *COCO_17.keypoints,
        *(f"{s}_{k}" for s in ("left", "right") for k in ("big_toe", "small_toe", "heel")),
        *(f"face_or_hand_{i}" for i in range(110)),
    ),
}


class CocoKeypoints(TrackImporter):
    """Results and annotations of COCO's keypoints."""

    name: ClassVar[str] = "coco"
    description: ClassVar[str] = "COCO keypoints, results or annotations (.json)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim JSON that AlphaPose does not."""
        return not path.is_dir() and (looks_like_json(head) or path.suffix.lower() == ".json")

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        listing = keypoints_listing(read_json_file(path), self.software)
        return assemble(
            listing, self.name, fps=self.fps, skeletons=self.skeletons, names=self.keypoint_names
        )

    @property
    def software(self) -> str:
        """What makes such files."""
        return "COCO keypoints"


class AlphaPoseResults(CocoKeypoints):
    """Results of AlphaPose."""

    name: ClassVar[str] = "alphapose"
    description: ClassVar[str] = "AlphaPose results (.json)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim lists of persons whose images have names, or numbers that stay with them."""
        return super().claims(path, head) and bool(
            re.match(rb'\s*\[\s*\{[^{}]*("image_id"\s*:\s*"|"idx"\s*:)', head)
        )

    @property
    def software(self) -> str:
        """What makes such files."""
        return "AlphaPose"


def keypoints_listing(content: Any, software: str) -> Listing:
    """Make a listing of results (a list) or annotations (a dictionary)."""
    names: tuple[str, ...] | None = None
    listed: Sequence[int] = ()
    numbers: dict[Any, int] = {}
    annotated = isinstance(content, dict)
    if isinstance(content, dict):
        people = content.get("annotations")
        if not isinstance(people, list) or not isinstance(content.get("images"), list):
            unreadable("neither a list of persons nor a dictionary of 'images' and 'annotations'")
        names = _category_names(content.get("categories"))
        numbers = _image_numbers(content["images"])
        listed = list(numbers.values())
    elif isinstance(content, list):
        people = content
    else:
        unreadable("neither a list of persons nor a dictionary of 'images' and 'annotations'")
    people = [p for p in people if not (isinstance(p, dict) and p.get("iscrowd"))]
    if not people:
        empty("the list of persons is empty")
    frames, points, persons = [], [], []
    size = None if names is None else len(names)
    for i, person in enumerate(people):
        what = f"person {i + 1} of the list"
        if not isinstance(person, dict) or "keypoints" not in person or "image_id" not in person:
            unreadable(f"{what} has no 'keypoints' or no 'image_id'")
        found = triples(person["keypoints"], size, what)
        size = len(found)
        image = person["image_id"]
        if annotated and _key(image) not in numbers:
            unreadable(f"{what} is of image {image!r}, which is not among 'images'")
        frames.append(numbers[_key(image)] if annotated else _number(image, what))
        points.append(found)
        persons.append(_person(person))
    assert size is not None
    if names is None and size not in LAYOUTS:
        known = ", ".join(map(str, LAYOUTS))
        unreadable(f"{size} keypoints without names; numbers that are known: {known}")
    values = np.array(points)
    # Zero means not found: as a score, as a visibility, and as a place.
    seen = np.isfinite(values).all(axis=2) & (values[:, :, 2] > 0)
    values[~seen] = np.nan
    confidence = np.nan_to_num(values[:, :, 2])
    order = np.argsort(np.array(frames, dtype=np.int64), kind="stable")
    named = all(person is not None for person in persons)
    return Listing(
        Sights(
            np.array(frames, dtype=np.int64)[order],
            values[order, :, :2].transpose(0, 2, 1),
            # A visibility is no confidence: a person placed the point.
            (seen.astype(np.float64) if annotated else confidence)[order],
            [str(persons[i]) for i in order] if named else None,
        ),
        names or LAYOUTS[size],
        np.unique(np.array([*frames, *listed], dtype=np.int64)),
        every_frame=annotated,
        join=True,
        has_confidence=not annotated,
        software=software,
    )


def _category_names(categories: Any) -> tuple[str, ...] | None:
    found = [
        c["keypoints"]
        for c in (categories if isinstance(categories, list) else [])
        if isinstance(c, dict) and isinstance(c.get("keypoints"), list)
    ]
    if len(found) > 1:
        unreadable(f"{len(found)} categories with keypoints; export the persons' alone")
    return tuple(map(str, found[0])) if found else None


def _key(image: Any) -> str:
    return str(image)


def _image_numbers(images: list[Any]) -> dict[Any, int]:
    """Return the frame number of each image."""
    if not all(isinstance(image, dict) and "id" in image for image in images):
        unreadable("an entry of 'images' has no 'id'")
    for get in (
        lambda image: image.get("frame_id"),
        lambda image: image.get("file_name"),
        lambda image: image["id"],
    ):
        values = [get(image) for image in images]
        if all(value is not None for value in values):
            found = [_number_or_none(value) for value in values]
            whole = [number for number in found if number is not None]
            if len(whole) == len(images) and len(set(whole)) == len(images):
                return {
                    _key(image["id"]): number for image, number in zip(images, whole, strict=True)
                }
    unreadable("the images cannot be put in order: number them by frame_id or in file_name")


def _number_or_none(value: Any) -> int | None:
    """Return a number, or the last one in a name's own part."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if float(value).is_integer() else None
    stem = str(value).replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or str(value)
    found = _NUMBERS.findall(stem)
    return int(found[-1]) if found and len(found[-1]) < 16 else None


def _number(image: Any, what: str) -> int:
    number = _number_or_none(image)
    if number is None:
        unreadable(f"{what}: its image_id holds no frame number")
    return number


def _person(person: dict[str, Any]) -> str | None:
    """Return what names a person over time, None where the file does not say."""
    for key in ("idx", "track_id", "person_id"):
        value = person.get(key)
        # AlphaPose nests the number where it tracks by re-identification.
        while isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return str(value)
    return None
