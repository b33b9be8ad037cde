"""Aligned crops (Hashimoto 2022): a square of the picture, upright and of one size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.pixels.alignment import Alignment


def crop(picture: NDArray[np.uint8], alignment: Alignment, size_px: int) -> NDArray[np.uint8]:
    """Cut the aligned square out of a picture, bilinear, black outside.

    Parameters
    ----------
    picture : ndarray of uint8 of shape (height, width) or (height, width, channel)
    alignment
        Of the recording.
    size_px
        Side of the crop.
    """
    return np.asarray(
        cv2.warpAffine(
            picture,
            alignment.matrix(size_px),
            (size_px, size_px),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,
        ),
        dtype=np.uint8,
    )
