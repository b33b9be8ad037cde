"""Other people in the picture: an adult's arm that reaches in, and a second infant."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.pose.sight import Phantom

SKIN = (196, 150, 124)


@dataclass(frozen=True)
class Scene:
    """Frames with masks in which ``other`` says which pixels are the other's alone."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    other: NDArray[np.bool_]


def widen(phantom: Phantom, left: int, right: int) -> Phantom:
    """Give a phantom's picture more floor on its sides; truth moves along."""
    pad = ((0, 0), (0, 0), (left, right))
    return Phantom(
        np.pad(phantom.frames, (*pad, (0, 0)), mode="edge"),
        np.pad(phantom.masks, pad),
        phantom.keypoints + np.array([left, 0.0])[:, None],
        phantom.visible,
        phantom.camera,
    )


def add_arm(phantom: Phantom, reach: NDArray[np.floating], row: int, width: int = 36) -> Scene:
    """Draw an arm with a hand that reaches in from the right border.

    Parameters
    ----------
    phantom
        Frames (frame, height, width, 3) and masks.
    reach : ndarray of shape (frame,)
        Pixels from the border to the fingers; 0 is out of view.
    row
        Row of the arm's middle.
    width
        Of the forearm, in pixels.
    """
    frames, masks = phantom.frames.copy(), phantom.masks.copy()
    other = np.zeros(masks.shape, bool)
    right = frames.shape[2]
    for i, far in enumerate(reach):
        if far <= 0:
            continue
        arm = np.zeros(masks.shape[1:], np.uint8)
        wrist = (int(right - max(far - 1.2 * width, 0)), row)
        cv2.line(arm, (right + width, row), wrist, 255, width)
        palm = (int(right - far + 0.6 * width), row)
        cv2.ellipse(arm, palm, (int(0.6 * width), int(0.55 * width)), 0, 0, 360, 255, -1)
        shade = (0.85 + 0.15 * np.cos(np.linspace(-1.5, 1.5, arm.shape[0])))[:, None, None]
        frames[i] = np.where(arm[..., None] > 0, shade * SKIN, frames[i]).astype(np.uint8)
        other[i] = (arm > 0) & (masks[i] == 0)
        masks[i] = np.maximum(masks[i], arm)
    return Scene(frames, masks, other)


def add_second(phantom: Phantom, scale: float, shift: tuple[float, float]) -> Scene:
    """Draw the phantom a second time, scaled, behind the first one."""
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    size = (phantom.frames.shape[2], phantom.frames.shape[1])
    frames, masks = phantom.frames.copy(), phantom.masks.copy()
    other = np.zeros(masks.shape, bool)
    for i, (frame, mask) in enumerate(zip(phantom.frames, phantom.masks, strict=True)):
        # Mirrored, so that it is not in step with the first one.
        second = cv2.warpAffine(frame[:, ::-1], matrix, size)
        body = cv2.warpAffine(np.ascontiguousarray(mask[:, ::-1]), matrix, size)
        other[i] = (body >= 128) & (mask == 0)
        frames[i][other[i]] = second[other[i]]
        masks[i][other[i]] = 255
    return Scene(frames, masks, other)
