"""What later stages and pictures see behind the body: nothing, a blur, or one colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.background.base import Frame, Mask
from fidgety.config.background import BackgroundConfig

BLUR = 0.04
"""Standard deviation of the blur, as a share of the longest side."""


def resize_mask(mask: Mask, width: int, height: int) -> Mask:
    """Bring a mask to another size."""
    if mask.shape == (height, width):
        return mask
    smaller = width < mask.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (width, height), interpolation=how), dtype=np.uint8)


def hide_background(
    frame: Frame,
    mask: Mask,
    how: Literal["none", "black", "blur", "replace"],
    colour: tuple[int, int, int] = (128, 128, 128),
) -> Frame:
    """Hide what is not body; soft masks give soft edges.

    Parameters
    ----------
    frame : ndarray of shape (height, width, 3)
        RGB.
    mask : ndarray of shape (mask height, mask width)
        0 is background, 255 is body; resized to the frame if need be.
    how
        ``"black"``, ``"blur"`` (a wide Gaussian), ``"replace"`` (by ``colour``) or ``"none"``.
    colour
        Red, green and blue.

    Returns
    -------
    ndarray of shape (height, width, 3)
        A new picture, or ``frame`` itself with ``"none"``.
    """
    if how == "none":
        return frame
    height, width = frame.shape[:2]
    weight = resize_mask(mask, width, height).astype(np.float32)[..., None] / 255
    if how == "blur":
        # The body's own colours must not bleed into the blur and draw a ghost of it.
        sigma = BLUR * max(width, height)
        free = 1 - weight
        spread = cv2.GaussianBlur(frame * free, (0, 0), sigma)
        amount = cv2.GaussianBlur(free, (0, 0), sigma)[..., None]
        behind = np.where(amount > 1e-3, spread / np.maximum(amount, 1e-3), frame.mean((0, 1)))
    else:
        behind = np.zeros(3) if how == "black" else np.asarray(colour, dtype=np.float32)
    return np.rint(frame * weight + behind * (1 - weight)).astype(np.uint8)


def make_alter(
    config: BackgroundConfig,
) -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]] | None:
    """Return the function (frame, mask) -> frame that a configuration asks for, None if none."""
    if config.apply == "none":
        return None
    return lambda frame, mask: hide_background(frame, mask, config.apply, config.replace_colour)
