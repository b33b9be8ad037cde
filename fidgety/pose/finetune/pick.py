"""From a recording's video, mask and pose to the frames that are worth labelling."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fidgety.background.read import BodyMasks
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.crop import BODY_LEVEL, body_points, extent
from fidgety.pose.finetune.choice import (
    SAME_PICTURE,
    SAME_POSE,
    Candidates,
    candidate_step,
    choose_frames,
    sharpness,
    shown_by_pose,
    small_picture,
)
from fidgety.pose.finetune.picked import Picked, marks, nothing_marked
from fidgety.pose.tracks import Pose
from fidgety.progress import track
from fidgety.video.read import iter_frames, read_frames, video_info

#: Masks that the body's place is taken from, spread over the recording.
N_MASKS = 25


def body_window(masks: BodyMasks, n_frames: int) -> tuple[int, int, int, int] | None:
    """Return the part of the picture that the body is in, (x0, y0, x1, y1) in pixels."""
    sample = sorted({int(k) for k in np.linspace(0, min(len(masks), n_frames) - 1, N_MASKS)})
    some = masks[sample]
    if not (some >= BODY_LEVEL).any():
        return None
    low, high = extent(body_points(some, masks.scale))
    width, height = masks.size
    x0, y0 = np.floor(np.clip(low, 0, (width - 8, height - 8))).astype(int)
    x1, y1 = np.ceil(np.clip(high, (x0 + 8, y0 + 8), (width, height))).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def body_box(mask: NDArray[np.uint8], scale: float) -> tuple[float, float, float, float] | None:
    """Return the box around a body mask.

    Parameters
    ----------
    mask : ndarray of shape (height, width)
        0 to 255.
    scale
        Mask pixels a video pixel.

    Returns
    -------
    (x, y, width, height) in the video's pixels, or None without a body
    """
    if not (mask >= BODY_LEVEL).any():
        return None
    # Half a mask pixel on every side: points are the centres of the mask's pixels.
    low, high = extent(body_points(mask[None], scale))
    low, high = low - 0.5 / scale, high + 0.5 / scale
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def find_candidates(
    video: str | os.PathLike[str],
    pose: Pose | None,
    window: tuple[int, int, int, int] | None,
    name: str = "video",
) -> Candidates:
    """Look at a video's frames, evenly spread and not more than are needed.

    Parameters
    ----------
    video
        A standard video.
    pose
        Clean pose of the same frames, where there is one.
    window
        Part of the picture to measure sharpness in.
    name
        For the progress.
    """
    info = video_info(str(video))
    step = candidate_step(info.n_frames)
    frames = np.arange(0, info.n_frames, step)
    small, sharp = [], []
    pictures = iter_frames(str(video), step=step)
    for picture in track(pictures, f"frames of {name}", len(frames)):
        small.append(small_picture(picture))
        sharp.append(sharpness(picture, window))
    frames = frames[: len(small)]
    shown, same = None, SAME_POSE
    if pose is not None and pose.n_frames >= info.n_frames:
        shown = shown_by_pose(pose, frames)
    if shown is None:
        shown, same = np.stack(small), SAME_PICTURE
    return Candidates(frames, frames / info.fps, shown, same, np.array(sharp))


def pick(
    video: str | os.PathLike[str],
    *,
    recording: str,
    infant: str,
    keypoints: Sequence[str],
    n: int,
    seed: int,
    masks: BodyMasks | None = None,
    pose: Pose | None = None,
) -> Picked:
    """Pick varied frames of a recording.

    Parameters
    ----------
    video
        A standard video.
    recording, infant
        Where it is from.
    keypoints
        What is to be labelled.
    n
        How many frames are wanted; fewer come back where the video shows no more that is
        different and sharp.
    seed
        Of the recording.
    masks
        Body masks: they give each frame's box, and where sharpness counts.
    pose
        Clean pose: it says which frames differ, and marks them beforehand.

    Raises
    ------
    NotAssessable
        With ``video_empty`` if the video has no frame.
    """
    info = video_info(str(video))
    window = body_window(masks, info.n_frames) if masks is not None else None
    candidates = find_candidates(video, pose, window, recording)
    if candidates.frame.size == 0:
        raise NotAssessable(Reason.VIDEO_EMPTY, "the video has no frame")
    chosen = choose_frames(candidates, n, seed)
    frames: NDArray[np.int64] = candidates.frame[chosen].astype(np.int64)
    size = (info.width_px, info.height_px)
    position, flag = nothing_marked(len(frames), len(keypoints))
    if pose is not None and pose.n_frames >= info.n_frames:
        position, flag = marks(pose, frames, keypoints, size)
    box = np.full((len(frames), 4), np.nan)
    for k, number in enumerate(frames.tolist()):
        found = body_box(masks[number], masks.scale) if masks is not None else None
        if found is not None:
            box[k] = found
    middle = float(np.median(candidates.sharpness))
    return Picked(
        recording=recording,
        infant=infant,
        keypoints=tuple(keypoints),
        picture=read_frames(str(video), frames.tolist()),
        frame=frames,
        time_s=frames / info.fps,
        sharpness=candidates.sharpness[chosen] / max(middle, 1e-9),
        position=position,
        flag=flag,
        box=box,
    )
