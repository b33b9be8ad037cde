"""Pictures of the frames that a person should look at."""

from __future__ import annotations

import os

import cv2
import numpy as np

from fidgety.files import atomic_path
from fidgety.pose.review import DoubtfulFrame
from fidgety.pose.tracks import Pose
from fidgety.report.overlay import Image

#: Ring around a doubtful keypoint, and its name.
YELLOW = (240, 228, 66)


def mark(image: Image, pose: Pose, frame: DoubtfulFrame, in_pixels: object = True) -> Image:
    """Ring the doubtful keypoints of a drawn frame, name them, and write the time on top.

    Parameters
    ----------
    image : ndarray of uint8 of shape (height, width, 3)
        Drawn frame; it stays as it is.
    pose
        What is drawn.
    frame
        Which frame it is, and what is wrong in it.
    in_pixels
        Whether positions are pixels of the picture: tracks without a video are fitted to it,
        and only named.
    """
    out: Image = np.array(image, dtype=np.uint8)
    text = f"frame {frame.frame}, {pose.time_s[frame.frame]:.2f} s"
    _write(out, text, (6, 16))
    lost = []
    for k in frame.keypoints:
        x, y = pose.position[frame.frame, :2, k]
        if not (np.isfinite([x, y]).all() and in_pixels and pose.units == "pixels"):
            lost.append(pose.keypoints[k])
            continue
        # Far outside the picture is all the same to OpenCV, but for its integers' range.
        place = (round(float(np.clip(x, -9999, 9999))), round(float(np.clip(y, -9999, 9999))))
        cv2.circle(out, place, 9, YELLOW, 1, cv2.LINE_AA)
        _write(out, pose.keypoints[k], (place[0] + 11, place[1] + 4))
    for row, name in enumerate(lost):
        _write(out, name, (6, 34 + 14 * row))
    return out


def _write(image: Image, text: str, place: tuple[int, int]) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, place, font, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(image, text, place, font, 0.4, YELLOW, 1, cv2.LINE_AA)


def write_picture(path: str | os.PathLike[str], image: Image) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
            raise OSError(f"{path}: cannot be written as a picture")
