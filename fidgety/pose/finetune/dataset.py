"""From labelled frames to what mmpose trains on: split by infant, upright crops, COCO files.

A model is trained on what it will see: :mod:`fidgety.pose.estimate` shows an estimator square
crops in which the infant is upright, and the ``mmpose`` estimator tells the network that the body
takes the middle part of it. Labelled frames are turned and cut in the same way; those for
training have more of the picture around, so that turning and scaling them at random brings
picture and no black corners into view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable
from fidgety.files import write_json
from fidgety.pose.crop import Crop, crop_around, crop_whole
from fidgety.pose.finetune.labels import (
    LabelError,
    LabelledFrame,
    Labels,
    bones_of,
    pairs_of,
    reorder,
    to_coco,
)
from fidgety.pose.finetune.scoring import BOX_MARGIN, body_area, sigmas_of
from fidgety.pose.normalisation import upright_angle
from fidgety.progress import track
from fidgety.skeletons import identify, match

#: Share of the crop's side that the body's box takes: in training, and as the estimator sees it.
TRAINING_SHARE = 0.5
SEEN_SHARE = 0.72
#: From our pixels to mmpose's, which count from the centre of the first one.
HALF_PX = 0.5
#: How far crops for validation are off: degrees, shares of their side.
SHAKE_DEG, SHAKE_SHIFT, SHAKE_SCALE = 20.0, 0.05, 0.1
#: Marks that are needed to place a crop.
MIN_MARKS = 4
#: What mmpose weights a keypoint's loss by, as its COCO description does.
JOINT_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}


def name_infants(labels: Labels, infants: Mapping[str, str]) -> Labels:
    """Fill in whom each frame shows.

    Parameters
    ----------
    labels
        Frames with their recording, where it is known.
    infants
        Infant by recording, as tables say; it wins over what the labels' file says.

    Raises
    ------
    LabelError
        If neither infant nor recording of a frame is known.
    """
    frames = tuple(
        replace(f, infant=infants.get(f.recording, f.infant or f.recording)) for f in labels.frames
    )
    unknown = [f.file for f in frames if not f.group]
    if unknown:
        raise LabelError(
            f"whom {len(unknown)} pictures show is not known (first: {unknown[0]}), so they cannot "
            "be split by infant. Name pictures <recording>__f<frame>.png, or put those of a "
            "recording into a folder of its name, and name its infant in `pose_training.infants`."
        )
    return replace(labels, frames=frames)


def split(labels: Labels, share: float, seed: int) -> tuple[Labels, Labels]:
    """Split frames by infant: nobody is on both sides.

    Infants go in the order of a hash of seed and name, so that adding one moves few others.

    Returns
    -------
    training, validation

    Raises
    ------
    LabelError
        If the frames are of a single infant.
    """
    groups = sorted(labels.groups, key=lambda g: hashlib.sha256(f"{seed}/{g}".encode()).hexdigest())
    if len(groups) < 2:
        raise LabelError(
            f"all labelled frames are of one infant ({groups[0] if groups else 'none'}): label "
            "frames of at least two, so that one can be kept aside to judge the model."
        )
    n = min(max(round(share * len(groups)), 1), len(groups) - 1)
    kept = set(groups[:n])
    parts = [
        tuple(f for f in labels.frames if (f.group in kept) is aside) for aside in (False, True)
    ]
    return replace(labels, frames=parts[0]), replace(labels, frames=parts[1])


def known_names(labels: Labels) -> Labels:
    """Call keypoints as this project's skeletons do, where a tool spelled them differently."""
    try:
        skeleton, order = match(labels.keypoints)
    except NotAssessable:
        return labels
    names = list(labels.keypoints)
    for k, index in enumerate(order):
        names[index] = skeleton.keypoints[k]
    renamed = replace(labels, keypoints=tuple(names), bones=bones_of(names))
    return reorder(renamed, skeleton.keypoints)


def usable(labels: Labels) -> tuple[Labels, tuple[str, ...]]:
    """Leave out frames with too few marks; return the rest and the names of those left out."""
    kept = tuple(f for f in labels.frames if f.marked.sum() >= MIN_MARKS)
    left = tuple(f.file for f in labels.frames if f.marked.sum() < MIN_MARKS)
    return replace(labels, frames=kept), left


def frame_angle(frame: LabelledFrame, keypoints: tuple[str, ...]) -> float:
    """Return the clockwise turn, in degrees, that makes a labelled infant upright.

    Where hips or shoulders are not marked the picture stays as it is.
    """
    try:
        return float(np.rad2deg(upright_angle(frame.position.T[None], keypoints)))
    except NotAssessable:
        return 0.0


def frame_crop(
    frame: LabelledFrame, keypoints: tuple[str, ...], share: float, body_px: int
) -> Crop:
    """Return the upright square around a labelled infant.

    Parameters
    ----------
    frame
        Labelled.
    keypoints
        Names.
    share
        Share of its side that the body's box takes.
    body_px
        Side of the body's box in the crop's pixels.
    """
    angle = frame_angle(frame, keypoints)
    size = round(body_px / share)
    if not frame.marked.any():
        return crop_whole((frame.height_px, frame.width_px), angle, size)
    points = frame.position[frame.marked]
    # A body mask reaches beyond the keypoints: to the crown, the fingers, the toes.
    body = 1.0 + 2.0 * BOX_MARGIN
    return crop_around(points, angle, (body / share - 1.0) / 2.0, size)


def shake(crop: Crop, name: str, seed: int) -> Crop:
    """Move a crop as a video's crop is off, by an amount that its name and the seed decide.

    In a video nobody tells how the infant lies: the crop comes from a body mask and an estimated
    direction. Crops that were made from the labels themselves would tell a model where the
    keypoints are before it looks.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    shift = crop.side_px * rng.uniform(-SHAKE_SHIFT, SHAKE_SHIFT, 2)
    return Crop(
        crop.angle_deg + float(rng.uniform(-SHAKE_DEG, SHAKE_DEG)),
        (crop.centre_px[0] + float(shift[0]), crop.centre_px[1] + float(shift[1])),
        crop.side_px * float(rng.uniform(1 - SHAKE_SCALE, 1 + SHAKE_SCALE)),
        crop.size_px,
    )


@dataclass(frozen=True)
class Prepared:
    """Crops on disk, and how they lie in their pictures.

    Parameters
    ----------
    annotations
        COCO file, in mmpose's pixels.
    folder
        Of the crops.
    labels
        Marks in pixels of the pictures.
    crops
        One a frame.
    """

    annotations: Path
    folder: Path
    labels: Labels
    crops: tuple[Crop, ...]


def body_box_px(side_px: int, share: float) -> list[float]:
    """Return the body's box in a square crop: x, y, width and height in our pixels."""
    return [side_px * (1 - share) / 2, side_px * (1 - share) / 2, side_px * share, side_px * share]


def prepare(
    labels: Labels,
    pictures: Mapping[str, Path],
    folder: Path,
    *,
    share: float,
    body_px: int,
    name: str,
    shaken: int | None = None,
) -> Prepared:
    """Cut crops, and write them with their annotations.

    Parameters
    ----------
    labels
        Frames with marks.
    pictures
        File of each frame, by its name.
    folder
        To write into: ``<name>/`` with the crops and ``<name>.json``.
    share, body_px
        As for :func:`frame_crop`.
    name
        ``training`` or ``validation``.
    shaken
        Seed of :func:`shake`; None leaves the crops where the labels say.

    Raises
    ------
    LabelError
        If a picture is missing, cannot be decoded, or has another size than its labels say.
    """
    crops, cut = [], []
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for k, frame in enumerate(track(labels.frames, f"crops for {name}", len(labels.frames))):
        crop = frame_crop(frame, labels.keypoints, share, body_px)
        if shaken is not None:
            crop = shake(crop, frame.file, shaken)
        picture = crop.cut(read_picture(pictures[frame.file], frame))
        file = f"{k:06d}.png"
        if not cv2.imwrite(str(target / file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
            raise LabelError(f"{target / file} cannot be written: is the disk full?")
        position = crop.to_crop(frame.position.T[None])[0].T
        cut.append(
            replace(frame, file=file, width_px=crop.size_px, height_px=crop.size_px,
                    position=position, box=None)
        )  # fmt: skip
        crops.append(crop)
    content = to_coco(replace(labels, frames=tuple(cut)))
    for annotation, frame in zip(content["annotations"], cut, strict=True):
        _for_mmpose(annotation, frame, share)
    path = folder / f"{name}.json"
    write_json(path, content)
    return Prepared(path, target, labels, tuple(crops))


def _for_mmpose(annotation: dict[str, Any], frame: LabelledFrame, share: float) -> None:
    """Bring an annotation to mmpose's pixels, and the box to where the estimator puts it."""
    x, y, width, height = body_box_px(frame.width_px, share)
    annotation["bbox"] = [x - HALF_PX, y - HALF_PX, width, height]
    annotation["area"] = body_area(frame)
    values = np.asarray(annotation["keypoints"], dtype=np.float64).reshape(-1, 3)
    values[values[:, 2] > 0, :2] -= HALF_PX
    annotation["keypoints"] = values.ravel().round(4).tolist()


def read_picture(path: Path, frame: LabelledFrame) -> NDArray[np.uint8]:
    """Read a labelled picture, RGB.

    Raises
    ------
    LabelError
        If it is missing, is no picture, or has another size than the labels say.
    """
    # Turning by EXIF would move the picture away from its marks.
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        what = "cannot be read as a picture" if path.is_file() else "is missing"
        raise LabelError(f"the labelled picture {path} {what}.")
    height, width = picture.shape[:2]
    if (width, height) != (frame.width_px, frame.height_px):
        raise LabelError(
            f"{path} has {width} x {height} pixels, but was labelled with {frame.width_px} x "
            f"{frame.height_px}: label the very pictures that are trained on."
        )
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def metainfo(labels: Labels) -> dict[str, Any]:
    """Describe the keypoints as mmpose does (``configs/_base_/datasets``)."""
    partner = pairs_of(labels.keypoints)
    try:
        name = identify(labels.keypoints).name
    except NotAssessable:
        name = "labelled"
    return {
        "dataset_name": name,
        "paper_info": {},
        "keypoint_info": {
            k: {
                "name": keypoint,
                "id": k,
                "color": [51, 153, 255],
                "type": _half(keypoint),
                "swap": partner[keypoint] if partner[keypoint] != keypoint else "",
            }
            for k, keypoint in enumerate(labels.keypoints)
        },
        "skeleton_info": {
            k: {"link": list(bone), "id": k, "color": [51, 153, 255]}
            for k, bone in enumerate(labels.bones)
        },
        "joint_weights": [
            next((w for part, w in JOINT_WEIGHTS.items() if keypoint.endswith(part)), 1.0)
            for keypoint in labels.keypoints
        ],
        "sigmas": sigmas_of(labels.keypoints).tolist(),
    }


def _half(keypoint: str) -> str:
    lower = ("hip", "knee", "ankle", "heel", "foot", "toe", "pelvis")
    return "lower" if any(part in keypoint for part in lower) else "upper"


def find_pictures(
    labels: Labels, folders: Sequence[Path], where: str
) -> tuple[dict[str, Path], list[str]]:
    """Find the pictures of labelled frames.

    A picture is looked for by its name with folders, then by its name alone: tools add and drop
    folders on export.

    Returns
    -------
    found
        File by the frame's name.
    missing
        One line a picture that is in no folder (a few of them), naming the file of labels.
    """
    found, missing = {}, []
    for frame in labels.frames:
        for folder in folders:
            tries = (folder / frame.file, folder / Path(frame.file).name)
            if (path := next((p for p in tries if p.is_file()), None)) is not None:
                found[frame.file] = path
                break
        else:
            missing.append(frame.file)
    if not missing:
        return found, []
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    places = ", ".join(map(str, folders))
    return found, [f"{where}: the picture {missing[0]}{more} is not in {places}."]
