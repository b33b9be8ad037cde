"""Posters: a still of a video that its page carries, for screens that load videos when asked to.

They are taken from overlay videos and clips themselves, so what is hidden there is hidden here.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import cv2
import numpy as np

from fidgety.pose.tracks import Pose
from fidgety.video.read import Frame, iter_frames, reduced_size, video_info

#: Bytes that a poster takes at most: a page has a handful of them.
MOST_BYTES = 15_000
#: Longest side, and qualities from the best on until one is small enough. A restless picture is
#: made smaller instead of ever coarser.
SIDES_PX = (360, 240, 120, 60)
QUALITIES = (80, 60, 40)


def clearest_frame(pose: Pose) -> int:
    """Return the first frame with the most keypoints: one that shows the whole skeleton."""
    there = np.isfinite(pose.position[:, :2]).all(axis=1).sum(axis=1)
    return int(there.argmax()) if there.size else 0


def encode(picture: Frame) -> bytes:
    """Return a picture as a JPEG file of at most :data:`MOST_BYTES`.

    Parameters
    ----------
    picture : ndarray of uint8 of shape (height, width, 3)
        RGB.
    """
    height, width = picture.shape[:2]
    for side in SIDES_PX:
        size = reduced_size(width, height, side)
        small = cv2.resize(picture[..., ::-1], size, interpolation=cv2.INTER_AREA)
        for quality in QUALITIES:
            _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if encoded.size <= MOST_BYTES:
                return bytes(encoded)
    raise AssertionError("60 pixels fit into 15 kB, whatever they show")


def poster(video: str | os.PathLike[str], frame: int | None = None) -> str:
    """Return a frame of a video as a ``data:`` link, the middle one if none is named.

    A frame behind the end of the video, as tracks may have, is its last one.
    """
    n = video_info(Path(video)).n_frames
    place = n // 2 if frame is None else min(frame, n - 1)
    picture = next(iter_frames(Path(video), start=place, stop=place + 1))
    return f"data:image/jpeg;base64,{base64.b64encode(encode(picture)).decode('ascii')}"
