"""What tracks are compared with: marks by hand, or a phantom's truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import FidgetyError
from fidgety.pose.corrections import Corrections
from fidgety.pose.finetune.labels import LabelledFrame, Labels
from fidgety.pose.finetune.scoring import AREA_SHARE, BOX_MARGIN
from fidgety.skeletons import COCO_17, plain_name

Kind = Literal["phantom", "labels", "corrections"]


@dataclass(frozen=True)
class Reference:
    """Where keypoints really are, in some frames of one recording.

    Parameters
    ----------
    frame : ndarray of int, shape (n,)
        Frames of the standard video.
    position : ndarray of shape (n, 2, keypoint)
        Pixels of the standard video; NaN is unknown.
    keypoints
        Names.
    area : ndarray of shape (n,)
        Of the body in square pixels, from its mask or its box; NaN where unknown.
    kind
        Where it is from.
    trunk_px
        The recording's trunk length; None where the marks do not tell it.
    """

    frame: NDArray[np.intp]
    position: NDArray[np.float64]
    keypoints: tuple[str, ...]
    area: NDArray[np.float64]
    kind: Kind
    trunk_px: float | None = None


def keypoint_box_area(position: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the body's area from the box around its keypoints.

    Parameters
    ----------
    position : ndarray of shape (n, 2, keypoint)

    Returns
    -------
    ndarray of shape (n,)
        53 % of the box with a tenth of its longer side around it, as mmpose does where no
        outline is known; NaN with fewer than two keypoints.
    """
    out = np.full(len(position), np.nan)
    for i, points in enumerate(position):
        there = points[:, np.isfinite(points).all(axis=0)]
        if there.shape[1] >= 2:
            sides = np.ptp(there, axis=1)
            sides = sides + 2 * BOX_MARGIN * sides.max()
            out[i] = max(AREA_SHARE * sides[0] * sides[1], 1.0)
    return out


def from_labels(labels: Labels, sizes: dict[str, tuple[int, int]]) -> dict[str, Reference]:
    """Sort labelled frames by recording.

    Parameters
    ----------
    labels
        Read from a labelling tool's file.
    sizes
        Width and height of the standard video of each recording compared.

    Raises
    ------
    FidgetyError
        If no frame is of one of these recordings, a frame's number is unknown, or a picture
        is of another size than the video.
    """
    names = tuple(COCO_17.canonical(k) for k in labels.keypoints)
    found: dict[str, list[LabelledFrame]] = {}
    for labelled in labels.frames:
        if labelled.recording not in sizes or not labelled.marked.any():
            continue
        if labelled.frame is None:
            raise FidgetyError(
                f"compare_pose.annotations: {labelled.file}: which frame it is cannot be told; "
                "name pictures <recording>__f<frame>.png, as `snakemake pick_frames` does."
            )
        width, height = sizes[labelled.recording]
        if (labelled.width_px, labelled.height_px) != (width, height):
            raise FidgetyError(
                f"compare_pose.annotations: {labelled.file} is {labelled.width_px} x "
                f"{labelled.height_px} pixels, the standard video {width} x {height}: label frames "
                "of the standard video (results/video)."
            )
        found.setdefault(labelled.recording, []).append(labelled)
    if not found:
        raise FidgetyError(
            f"compare_pose.annotations: no marked picture is of {', '.join(sorted(sizes))}. "
            "Pictures are named <recording>__f<frame>.png."
        )
    out = {}
    for recording, frames in found.items():
        frames = sorted(frames, key=lambda f: f.frame or 0)
        position = np.stack([np.where(f.marked[:, None], f.position, np.nan).T for f in frames])
        area = keypoint_box_area(position)
        for i, labelled in enumerate(frames):
            if labelled.box is not None:
                area[i] = max(AREA_SHARE * labelled.box[2] * labelled.box[3], 1.0)
        out[recording] = Reference(
            np.array([f.frame for f in frames], dtype=np.intp), position, names, area, "labels"
        )
    return out


def from_corrections(corrections: Corrections, time_s: NDArray[np.floating]) -> Reference | None:
    """Take the places that a person set in a recording.

    They are not a sample of all frames: people correct where tracks are wrong.

    Parameters
    ----------
    corrections
        Of one recording.
    time_s : ndarray of shape (frame,)
        Time stamps of its tracks.

    Returns
    -------
    Reference, or None where nothing was set
    """
    places: dict[tuple[int, str], tuple[float, float]] = {}
    for entry in corrections.entries:
        if entry.action != "set" or entry.x is None or entry.y is None:
            continue
        frame = entry.frame
        if frame is None and entry.time_s is not None:
            frame = int(np.argmin(np.abs(time_s - entry.time_s)))
        if frame is not None and 0 <= frame < len(time_s):
            places[frame, plain_name(entry.keypoint)] = (entry.x, entry.y)
    if not places:
        return None
    frames = sorted({frame for frame, _ in places})
    names = tuple(sorted({name for _, name in places}))
    position = np.full((len(frames), 2, len(names)), np.nan)
    for (frame, name), xy in places.items():
        position[frames.index(frame), :, names.index(name)] = xy
    return Reference(
        np.array(frames, dtype=np.intp), position, names, keypoint_box_area(position), "corrections"
    )


def known(references: Iterable[Reference | None]) -> str:
    """Say in words what the tracks are compared with."""
    kinds = {r.kind for r in references if r is not None}
    texts = {
        "phantom": "the truth of digital phantoms",
        "labels": "frames labelled by hand",
        "corrections": "corrections by hand (where people saw mistakes, not a sample of all)",
    }
    return ", ".join(text for kind, text in texts.items() if kind in kinds)
