"""Frames with keypoints marked on them: the one form that every label format is read into.

Positions are in pixels of the picture with (0, 0) at the outer corner of its first pixel, as
CVAT and labelme count. COCO files are written and read in the same way (the format itself says
nothing finer than "0-indexed").

The COCO keypoint format (Lin et al. 2014, ECCV, "Microsoft COCO"; cocodataset.org, "Data format")
marks a keypoint by x, y and a flag: 0 not labelled, 1 labelled but hidden, 2 labelled and
visible.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import FidgetyError
from fidgety.files import read_json
from fidgety.skeletons import COCO_17, SKELETONS, opposite

#: What a picked frame's file is called: recording and frame number can be read from it.
FRAME_NAME = re.compile(r"(?P<recording>[A-Za-z0-9_-]+)__f(?P<frame>\d{6,})")
#: Name of the one category: what is marked.
CATEGORY = "infant"

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2


class LabelError(FidgetyError):
    """A file of labels is not what it should be; the message names it and the remedy."""


@dataclass(frozen=True)
class LabelledFrame:
    """One picture, and what is marked on one infant in it.

    Parameters
    ----------
    file
        Picture, relative to the folder of the pictures, with ``/`` between folders.
    width_px, height_px
        Size of the picture.
    position : ndarray of shape (keypoint, 2)
        x and y in pixels; NaN where nothing is marked.
    flag : ndarray of int, shape (keypoint,)
        0 not labelled, 1 hidden, 2 visible.
    box : (x, y, width, height), optional
        Around the whole infant, where somebody marked one or a body mask gave one.
    recording
        Recording that the frame is from, where it is known.
    infant
        Whom it shows, where that is known.
    frame
        Number of the frame in the recording.
    """

    file: str
    width_px: int
    height_px: int
    position: NDArray[np.float64]
    flag: NDArray[np.int64]
    box: tuple[float, float, float, float] | None = None
    recording: str = ""
    infant: str = ""
    frame: int | None = None

    @property
    def marked(self) -> NDArray[np.bool_]:
        """For each keypoint whether it is marked."""
        return np.asarray(self.flag > UNLABELLED)

    @property
    def group(self) -> str:
        """Whom frames must not be split from: the infant, else the recording; or nothing."""
        return self.infant or self.recording


@dataclass(frozen=True)
class Labels:
    """Labelled frames of one set of keypoints.

    Parameters
    ----------
    keypoints
        Names, in the order of the frames' arrays.
    frames
        Pictures with marks.
    bones
        Pairs of names to draw a line between.
    """

    keypoints: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    bones: tuple[tuple[str, str], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def groups(self) -> tuple[str, ...]:
        """Infants (or recordings), sorted."""
        return tuple(sorted({frame.group for frame in self.frames}))


def bones_of(keypoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the bones that known skeletons draw between keypoints of these names."""
    names = set(keypoints)
    for skeleton in (COCO_17, *SKELETONS.values()):
        bones = tuple(b for b in skeleton.bones if names.issuperset(b))
        if set(skeleton.keypoints) == names:
            return bones
    known = {b for s in SKELETONS.values() for b in s.bones if names.issuperset(b)}
    return tuple(sorted(known))


def frame_name(recording: str, frame: int) -> str:
    """Return the name of a picked frame's picture."""
    return f"{recording}__f{frame:06d}.png"


def source_of(file: str) -> tuple[str, int | None]:
    """Read recording and frame number from a picture's name.

    The folder serves as recording where the name has none: DeepLabCut keeps the frames of a
    video in a folder of the video's name. Folders that tools add on export (``images``,
    ``train``, ``default`` ...) are not videos.

    Returns
    -------
    recording
        Empty if nothing says it.
    frame
    """
    path = PurePosixPath(file)
    if found := FRAME_NAME.fullmatch(path.stem):
        return found["recording"], int(found["frame"])
    parts = [p for p in path.parts[:-1] if p not in _TOOL_FOLDERS]
    digits = re.search(r"(\d+)$", path.stem)
    return (parts[-1] if parts else ""), (int(digits[1]) if digits else None)


_TOOL_FOLDERS = frozenset(
    {
        "/",
        ".",
        "..",
        "images",
        "labeled-data",
        "train",
        "val",
        "test",
        "default",
        "data",
        "obj_data",
    }
)


def flags_of(position: NDArray[np.floating], hidden: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return COCO's flags: 0 where a position is missing, 1 where hidden, else 2."""
    there = np.isfinite(position).all(axis=1)
    return np.where(there, np.where(hidden, HIDDEN, VISIBLE), UNLABELLED).astype(np.int64)


def marked_box(frame: LabelledFrame, margin: float = 0.0) -> tuple[float, float, float, float]:
    """Return the box around what is marked on a frame.

    Parameters
    ----------
    frame
        With at least one mark.
    margin
        Added on every side, as a share of the longer side; the box stays inside the picture.

    Returns
    -------
    (x, y, width, height)
    """
    points = frame.position[frame.marked]
    low, high = points.min(axis=0), points.max(axis=0)
    more = margin * float((high - low).max())
    size = np.array([frame.width_px, frame.height_px], dtype=np.float64)
    low, high = np.clip(low - more, 0, size), np.clip(high + more, 0, size)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def to_coco(labels: Labels) -> dict[str, Any]:
    """Lay labels out as a COCO keypoints file does.

    Pictures carry ``recording``, ``infant`` and ``frame`` besides COCO's own keys; readers
    that do not know them pass them by.
    """
    bones = [
        [labels.keypoints.index(a) + 1, labels.keypoints.index(b) + 1] for a, b in labels.bones
    ]
    images, annotations = [], []
    for number, frame in enumerate(labels.frames, start=1):
        images.append(
            {
                "id": number,
                "file_name": frame.file,
                "width": frame.width_px,
                "height": frame.height_px,
                "recording": frame.recording,
                "infant": frame.infant,
                "frame": -1 if frame.frame is None else frame.frame,
            }
        )
        if not frame.marked.any():
            continue
        box = frame.box or marked_box(frame, 0.1)
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "keypoints": _triplets(frame),
                "num_keypoints": int(frame.marked.sum()),
                "bbox": [round(float(v), 3) for v in box],
                "area": round(float(box[2] * box[3]), 3),
                "iscrowd": 0,
                "segmentation": [],
            }
        )
    category = {
        "id": 1,
        "name": CATEGORY,
        "supercategory": "person",
        "keypoints": list(labels.keypoints),
        "skeleton": bones,
    }
    return {"images": images, "annotations": annotations, "categories": [category]}


def _triplets(frame: LabelledFrame) -> list[float]:
    values: list[float] = []
    for (x, y), flag in zip(frame.position, frame.flag, strict=True):
        known = flag > UNLABELLED
        values += [round(float(x), 3), round(float(y), 3), int(flag)] if known else [0.0, 0.0, 0]
    return values


def read_coco(path: str | os.PathLike[str]) -> Labels:
    """Read a COCO keypoints file, of this workflow, of CVAT or of any other tool.

    A picture without an annotation comes back without a mark. Of several annotated persons in a
    picture the one with the most keypoints counts (a labeller marks the infant, and perhaps
    an adult's hand).

    Raises
    ------
    LabelError
        If it is not such a file, names no keypoints, or contradicts itself.
    """
    content = read_json(path)
    try:
        return _from_coco(content, str(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise LabelError(
            f"{path}: is no COCO keypoints file ({type(error).__name__}: {error}). It needs "
            "images, annotations and categories; export 'COCO Keypoints' from the labelling tool."
        ) from None


def _from_coco(content: Mapping[str, Any], where: str) -> Labels:
    categories = [c for c in content["categories"] if c.get("keypoints")]
    if not categories:
        raise LabelError(
            f"{where}: no category has keypoints. Export 'COCO Keypoints', not plain 'COCO'."
        )
    by_id = {c["id"]: c for c in categories}
    used = sorted({a["category_id"] for a in content["annotations"] if a["category_id"] in by_id})
    kept = [by_id[i] for i in used] or categories[:1]
    keypoints = tuple(str(k) for k in kept[0]["keypoints"])
    if any(tuple(map(str, c["keypoints"])) != keypoints for c in kept):
        raise LabelError(
            f"{where}: annotations are of several categories with other keypoints "
            f"({', '.join(str(c.get('name')) for c in kept)}); keep one of them."
        )
    if len(set(keypoints)) != len(keypoints):
        raise LabelError(f"{where}: a keypoint's name stands twice: {', '.join(keypoints)}.")
    found: dict[Any, list[Mapping[str, Any]]] = {}
    images = {image["id"]: image for image in content["images"]}
    for annotation in content["annotations"]:
        if annotation["category_id"] not in used or annotation.get("iscrowd"):
            continue
        if annotation["image_id"] not in images:
            raise LabelError(
                f"{where}: annotation {annotation.get('id')} is of the image "
                f"{annotation['image_id']}, which is not among `images`."
            )
        found.setdefault(annotation["image_id"], []).append(annotation)
    bones = tuple(
        (keypoints[a - 1], keypoints[b - 1])
        for a, b in kept[0].get("skeleton") or ()
        if 1 <= a <= len(keypoints) and 1 <= b <= len(keypoints)
    )
    frames = [_frame(image, found.get(i, []), len(keypoints), where) for i, image in images.items()]
    return Labels(keypoints, tuple(frames), bones or bones_of(keypoints))


def _frame(
    image: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]], n: int, where: str
) -> LabelledFrame:
    file = str(image["file_name"]).replace("\\", "/")
    recording, number = source_of(file)
    position, flag, box = np.full((n, 2), np.nan), np.zeros(n, dtype=np.int64), None
    best = max(annotations, key=_n_marked, default=None)
    if best is not None:
        values = np.asarray(best["keypoints"], dtype=np.float64)
        if values.size != 3 * n:
            raise LabelError(
                f"{where}: {file}: {values.size} numbers for {n} keypoints; three a keypoint "
                "are needed."
            )
        triplets = values.reshape(n, 3)
        flag = np.where(np.isfinite(triplets).all(axis=1), triplets[:, 2], 0).astype(np.int64)
        if not np.isin(flag, (UNLABELLED, HIDDEN, VISIBLE)).all():
            raise LabelError(f"{where}: {file}: a keypoint's flag is none of 0, 1 and 2.")
        position = np.where((flag > UNLABELLED)[:, None], triplets[:, :2], np.nan)
        given = [float(v) for v in best.get("bbox") or ()]
        if len(given) == 4 and given[2] > 0 and given[3] > 0:
            box = (given[0], given[1], given[2], given[3])
    width, height = int(image["width"]), int(image["height"])
    if width <= 0 or height <= 0:
        raise LabelError(f"{where}: {file}: the picture's size is {width} x {height}.")
    frame = image.get("frame", number)
    return LabelledFrame(
        file,
        width,
        height,
        position,
        flag,
        box,
        recording=str(image.get("recording") or recording),
        infant=str(image.get("infant") or ""),
        frame=None if frame is None or int(frame) < 0 else int(frame),
    )


def _n_marked(annotation: Mapping[str, Any]) -> int:
    return int(np.count_nonzero(np.asarray(annotation.get("keypoints") or [])[2::3]))


def merge(parts: Iterable[Labels]) -> Labels:
    """Join the labels of several files.

    The first file's order of keypoints counts; the others may have another one.

    Raises
    ------
    LabelError
        If the files have other keypoints, or the same picture twice.
    """
    parts = [p for p in parts if len(p)]
    if not parts:
        raise LabelError("the files of labels hold no picture.")
    keypoints, bones = parts[0].keypoints, parts[0].bones
    frames: list[LabelledFrame] = []
    for part in parts:
        if set(part.keypoints) != set(keypoints):
            unlike = sorted(set(part.keypoints) ^ set(keypoints))
            raise LabelError(
                "the files of labels have different keypoints; only some of them have: "
                f"{', '.join(unlike)}. Mark the same ones everywhere, or train on one file."
            )
        frames += part.frames if part.keypoints == keypoints else reorder(part, keypoints).frames
    seen: set[str] = set()
    for frame in frames:
        if frame.file in seen:
            raise LabelError(f"{frame.file} is labelled twice; keep one of them.")
        seen.add(frame.file)
    return Labels(keypoints, tuple(frames), bones)


def reorder(labels: Labels, keypoints: Sequence[str]) -> Labels:
    """Bring labels into another order of the same keypoints, or into fewer of them.

    Raises
    ------
    LabelError
        If a keypoint is not there.
    """
    missing = sorted(set(keypoints) - set(labels.keypoints))
    if missing:
        raise LabelError(f"the labels have no {', '.join(missing)}.")
    order = [labels.keypoints.index(k) for k in keypoints]
    frames = tuple(
        LabelledFrame(
            f.file,
            f.width_px,
            f.height_px,
            f.position[order],
            f.flag[order],
            f.box,
            f.recording,
            f.infant,
            f.frame,
        )
        for f in labels.frames
    )
    kept = set(keypoints)
    return Labels(tuple(keypoints), frames, tuple(b for b in labels.bones if kept.issuperset(b)))


def pairs_of(keypoints: Sequence[str]) -> dict[str, str]:
    """Return for each keypoint its partner on the other side, itself where there is none."""
    names = set(keypoints)
    return {k: opposite(k) if opposite(k) in names else k for k in keypoints}
