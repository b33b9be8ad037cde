"""Whether the camera moves: the background is followed from look to look.

Corners outside the infant's body are followed over a short step by pyramidal Lucas-Kanade flow
(Bouguet 2001), on small grey pictures, and a similarity (shift, turn, zoom) is fitted to them
by RANSAC, so that what moves in the background by itself does not count. It costs a few per
cent of what the body masks cost: they are looked at a few times a second only, and two small
pictures are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.background.base import Frame, Mask
from fidgety.background.camera_record import CameraMotion

#: Time between two looks: shaking hands move at a few hertz, and slower drifts add up anyway.
STEP_S = 0.2
#: Longest side of the pictures that are compared. Flow is good to about 0.05 pixels.
SIDE_PX = 192
#: Mask value from which a pixel is left out, and by how much the body is widened (share of the
#: longest side): limbs that the mask cuts short must not count as background.
BODY = 32
MARGIN = 0.03
MAX_CORNERS = 80
#: Fewest corners that agree, and their least share: below, nothing is known.
MIN_CORNERS = 8
MIN_AGREEING = 0.4
#: Largest distance from the fit, in pixels of the small picture.
AGREEMENT_PX = 0.7


def picture_motion(
    before: NDArray[np.uint8], after: NDArray[np.uint8], background: NDArray[np.uint8]
) -> float:
    """Measure how far a picture moved.

    Parameters
    ----------
    before, after : ndarray of uint8, shape (height, width)
        Grey pictures.
    background : ndarray of uint8, shape (height, width)
        255 where corners of ``before`` may be looked for.

    Returns
    -------
    float
        Root mean square over the picture's corners and centre, in pixels; NaN if unknown.
    """
    corners = cv2.goodFeaturesToTrack(
        before, MAX_CORNERS, qualityLevel=0.02, minDistance=5, mask=background
    )
    if corners is None or len(corners) < MIN_CORNERS:
        return float("nan")
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, np.empty_like(corners), winSize=(15, 15), maxLevel=2
    )
    kept = status[:, 0] == 1
    if kept.sum() < MIN_CORNERS:
        return float("nan")
    fit, agrees = cv2.estimateAffinePartial2D(
        corners[kept], found[kept], method=cv2.RANSAC, ransacReprojThreshold=AGREEMENT_PX
    )
    if fit is None or agrees.sum() < max(MIN_CORNERS, MIN_AGREEING * len(corners)):
        return float("nan")
    height, width = before.shape
    points = np.array(
        [[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], dtype=float
    )
    moved = points @ fit[:, :2].T + fit[:, 2]
    return float(np.sqrt(((moved - points) ** 2).sum(axis=1).mean()))


class CameraWatch:
    """Looks at frames and masks that stream by, and keeps the speeds.

    Parameters
    ----------
    fps
        Frame rate of the video.
    width_px
        Width of the video: speeds are in its pixels.
    """

    def __init__(self, fps: float, width_px: int) -> None:
        self._every = max(1, round(STEP_S * fps))
        self._fps = fps
        self._width = width_px
        self._waiting: dict[int, NDArray[np.uint8]] = {}
        self._last: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
        self._time: list[float] = []
        self._speed: list[float] = []

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, keeping a small grey copy of each that will be looked at."""
        for k, frame in enumerate(frames):
            if k % self._every == 0:
                scale = min(1.0, SIDE_PX / max(frame.shape[:2]))
                size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
                small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
                self._waiting[k] = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
            yield frame

    def look(self, k: int, mask: Mask) -> None:
        """Take the body mask of frame ``k``, of any size, and compare with the last look."""
        grey = self._waiting.pop(k, None)
        if grey is None:
            return
        height, width = grey.shape
        body = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) >= BODY
        side = 2 * max(1, round(MARGIN * max(grey.shape))) + 1
        body = cv2.dilate(body.astype(np.uint8), np.ones((side, side), np.uint8))
        background = np.asarray((1 - body) * 255, dtype=np.uint8)
        if self._last is not None:
            moved = picture_motion(self._last[0], grey, self._last[1] & background)
            step_s = self._every / self._fps
            self._speed.append(moved * self._width / width / step_s)
            self._time.append(k / self._fps - step_s / 2)
        self._last = grey, background

    def motion(self) -> CameraMotion:
        """Return what was seen."""
        return CameraMotion(np.array(self._time), np.array(self._speed))
