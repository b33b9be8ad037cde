"""The frames that were picked from one recording: found, kept, and read again.

File (schema ``picked/1``), a netCDF-4 file: ``picture`` (frame, height, width, channel; RGB),
``frame`` (number), ``time_s``, ``sharpness`` (share of the video's median), ``position`` (frame,
keypoint, space; pixels), ``flag`` (frame, keypoint; 0 not labelled, 1 guessed or hidden, 2 seen),
``box`` (frame, 4; x, y, width, height; NaN without a body mask).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.pose.finetune.labels import LabelledFrame, flags_of, frame_name
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import conversion_matrix
from fidgety.storage import Provenance, read_dataset, write_dataset

PICKED_SCHEMA = "picked/1"


@dataclass(frozen=True)
class Picked:
    """Frames picked from a recording, with what is known about them.

    Parameters
    ----------
    recording, infant
        Where they are from.
    keypoints
        Names.
    picture : ndarray of uint8, shape (frame, height, width, 3)
        RGB.
    frame : ndarray of int, shape (frame,)
        Frame numbers in the standard video.
    time_s : ndarray of shape (frame,)
    sharpness : ndarray of shape (frame,)
        As a share of the video's median.
    position : ndarray of shape (frame, keypoint, 2)
        Estimated pose in pixels; NaN where there is none.
    flag : ndarray of int, shape (frame, keypoint)
        0 none, 1 imputed or corrected by a guess, 2 measured.
    box : ndarray of shape (frame, 4)
        x, y, width and height of the body; NaN without a mask.
    """

    recording: str
    infant: str
    keypoints: tuple[str, ...]
    picture: NDArray[np.uint8]
    frame: NDArray[np.int64]
    time_s: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    position: NDArray[np.float64]
    flag: NDArray[np.int64]
    box: NDArray[np.float64]

    def labelled(self) -> list[LabelledFrame]:
        """Return the frames with the pose as marks."""
        height, width = self.picture.shape[1:3]
        frames = []
        for k, number in enumerate(self.frame.tolist()):
            box = self.box[k]
            frames.append(
                LabelledFrame(
                    frame_name(self.recording, number),
                    int(width),
                    int(height),
                    self.position[k],
                    self.flag[k],
                    tuple(box.tolist()) if np.isfinite(box).all() else None,
                    self.recording,
                    self.infant,
                    number,
                )
            )
        return frames


def marks(
    pose: Pose, frames: NDArray[np.integer], keypoints: Sequence[str], size_px: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Express some frames of a clean pose as marks of other keypoints.

    A keypoint that the pose does not give, and one outside the picture, is not marked.

    Returns
    -------
    position : ndarray of shape (frame, keypoint, 2)
    flag : ndarray of int, shape (frame, keypoint)
    """
    weights, missing = conversion_matrix(pose.keypoints, tuple(keypoints))
    known = pose.position[frames][:, :2]
    position = np.full((len(frames), len(keypoints), 2), np.nan)
    guessed = np.zeros((len(frames), len(keypoints)), dtype=bool)
    origin = pose.origin
    for k, name in enumerate(keypoints):
        if name in missing:
            continue
        used = np.flatnonzero(weights[k])
        position[:, k] = known[:, :, used] @ weights[k, used]
        if origin is not None:
            guessed[:, k] = (origin[frames][:, used] == int(Origin.IMPUTED)).any(axis=1)
    with np.errstate(invalid="ignore"):
        outside = (position < 0).any(axis=2) | (position > np.asarray(size_px)).any(axis=2)
    position[outside] = np.nan
    flag = np.stack([flags_of(p, g) for p, g in zip(position, guessed, strict=True)])
    return position, flag


def nothing_marked(
    n_frames: int, n_keypoints: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the marks of frames without a pose."""
    return (
        np.full((n_frames, n_keypoints, 2), np.nan),
        np.zeros((n_frames, n_keypoints), dtype=np.int64),
    )


def write_picked(path: str | os.PathLike[str], picked: Picked, provenance: Provenance) -> None:
    """Write picked frames, whole or not at all."""
    dataset = xr.Dataset(
        {
            "picture": (("pick", "height", "width", "channel"), picked.picture),
            "frame": ("pick", picked.frame.astype(np.int64)),
            "time_s": ("pick", picked.time_s),
            "sharpness": ("pick", picked.sharpness),
            "position": (("pick", "keypoint", "space"), picked.position),
            "flag": (("pick", "keypoint"), picked.flag.astype(np.uint8)),
            "box": (("pick", "side"), picked.box),
        },
        coords={"keypoint": ("keypoint", list(picked.keypoints))},
        attrs={"recording": picked.recording, "infant": picked.infant},
    )
    write_dataset(path, dataset, schema=PICKED_SCHEMA, provenance=provenance)


def read_picked(path: str | os.PathLike[str]) -> Picked:
    """Read picked frames.

    Raises
    ------
    NotAssessable
        If the file records a reason instead.
    StorageError
        If it is not such a file.
    """
    dataset = read_dataset(path, schema=PICKED_SCHEMA)
    return Picked(
        recording=str(dataset.attrs["recording"]),
        infant=str(dataset.attrs["infant"]),
        keypoints=tuple(str(k) for k in dataset["keypoint"].values),
        picture=dataset["picture"].values.astype(np.uint8),
        frame=dataset["frame"].values.astype(np.int64),
        time_s=dataset["time_s"].values.astype(np.float64),
        sharpness=dataset["sharpness"].values.astype(np.float64),
        position=dataset["position"].values.astype(np.float64),
        flag=dataset["flag"].values.astype(np.int64),
        box=dataset["box"].values.astype(np.float64),
    )
