"""labelme's files: one JSON a picture, a point a keypoint.

A hidden keypoint carries the flag ``occluded``; a rectangle called like the category is the
infant's box. Files were compared with those of labelme 5 (github.com/wkentaro/labelme).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fidgety.errors import StorageError
from fidgety.files import read_json
from fidgety.pose.finetune.labels import (
    CATEGORY,
    HIDDEN,
    LabelError,
    LabelledFrame,
    Labels,
    bones_of,
    flags_of,
    source_of,
)
from fidgety.skeletons import SKELETONS

#: Version that the files name: labelme reads all of 5.
VERSION = "5.5.0"


def _shape(label: str, points: list[list[float]], kind: str, occluded: bool) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {"occluded": True} if occluded else {},
    }


def to_labelme(frame: LabelledFrame, keypoints: Sequence[str], picture: str) -> dict[str, Any]:
    """Lay one frame out as labelme does.

    Parameters
    ----------
    frame
        Marked or not.
    keypoints
        Names.
    picture
        Path of the picture, from the folder of the JSON file.
    """
    shapes = []
    if frame.box is not None:
        x, y, width, height = frame.box
        corners = [[round(x, 3), round(y, 3)], [round(x + width, 3), round(y + height, 3)]]
        shapes.append(_shape(CATEGORY, corners, "rectangle", False))
    for name, point, flag in zip(keypoints, frame.position, frame.flag, strict=True):
        if flag:
            at = [[round(float(point[0]), 3), round(float(point[1]), 3)]]
            shapes.append(_shape(name, at, "point", bool(flag == HIDDEN)))
    return {
        "version": VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": picture,
        "imageData": None,
        "imageHeight": frame.height_px,
        "imageWidth": frame.width_px,
    }


def read_labelme(folder: str | Path, keypoints: Sequence[str] | None = None) -> Labels:
    """Read a folder of labelme's files, all of them.

    Parameters
    ----------
    folder
        Folder of JSON files.
    keypoints
        Names to look for, in order; None takes the first known skeleton that has all that are
        marked anywhere, else the marked ones in alphabetical order.

    Returns
    -------
    Labels
        Pictures by their path from the folder of the JSON files.

    Raises
    ------
    LabelError
        If there is no such file, one is not labelme's, or a keypoint is marked twice.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.json"))
    if not files:
        raise LabelError(f"{folder}: there is no labelme file (*.json) in this folder.")
    contents = {}
    for file in files:
        try:
            content = read_json(file)
        except StorageError as error:
            raise LabelError(str(error)) from None
        if not isinstance(content, dict) or not {"shapes", "imagePath"} <= set(content):
            raise LabelError(
                f"{file}: is no labelme file (it has no 'shapes' and 'imagePath'). Keep other "
                "JSON files out of this folder."
            )
        contents[file] = content
    names = tuple(keypoints) if keypoints else _names(contents)
    frames = tuple(_frame(file, content, names) for file, content in contents.items())
    return Labels(names, frames, bones_of(names))


def _points(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [s for s in content["shapes"] if s.get("shape_type") == "point"]


def _names(contents: Mapping[Path, Mapping[str, Any]]) -> tuple[str, ...]:
    marked = {str(s["label"]) for content in contents.values() for s in _points(content)}
    for skeleton in sorted(SKELETONS.values(), key=lambda s: len(s.keypoints)):
        if marked and marked <= set(skeleton.keypoints):
            return skeleton.keypoints
    if not marked:
        raise LabelError(f"{next(iter(contents)).parent}: no point is marked in any file.")
    return tuple(sorted(marked))


def _frame(file: Path, content: Mapping[str, Any], names: Sequence[str]) -> LabelledFrame:
    position = np.full((len(names), 2), np.nan)
    hidden = np.zeros(len(names), dtype=bool)
    box = None
    try:
        for shape in content["shapes"]:
            points = np.asarray(shape["points"], dtype=np.float64).reshape(-1, 2)
            if shape["shape_type"] == "rectangle" and shape["label"] == CATEGORY:
                low, high = points.min(axis=0), points.max(axis=0)
                box = (*map(float, low), *map(float, high - low))
            if shape["shape_type"] != "point":
                continue
            if shape["label"] not in names:
                raise LabelError(
                    f"{file}: {shape['label']!r} is none of the keypoints {', '.join(names)}."
                )
            index = names.index(shape["label"])
            if np.isfinite(position[index]).all():
                raise LabelError(f"{file}: {shape['label']!r} is marked twice; keep one.")
            position[index] = points[0]
            hidden[index] = bool((shape.get("flags") or {}).get("occluded"))
        height, width = int(content["imageHeight"]), int(content["imageWidth"])
    except (KeyError, TypeError, ValueError) as error:
        raise LabelError(f"{file}: is no labelme file ({type(error).__name__}: {error}).") from None
    picture = str(content["imagePath"]).replace("\\", "/")
    recording, number = source_of(picture)
    return LabelledFrame(
        str(PurePosixPath(picture)),
        width,
        height,
        position,
        flags_of(position, hidden),
        box if box is None else (box[0], box[1], box[2], box[3]),
        recording=recording,
        frame=number,
    )
