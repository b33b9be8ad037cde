"""Optical flow as it is stored: clipped to 20 pixels a field, in 8 bits or as float16."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Bits = Literal["uint8", "float16"]

#: Flow beyond this, in pixels a field, is clipped (the published range).
LIMIT_PX = 20.0


def pack_flow(field: Field, bits: Bits) -> NDArray[np.uint8] | NDArray[np.float16]:
    """Clip a field and store it small.

    Parameters
    ----------
    field : ndarray of shape (..., 2)
        Pixels.
    bits
        ``uint8``: 256 steps over the published range; ``float16``.
    """
    clipped = np.clip(field, -LIMIT_PX, LIMIT_PX)
    if bits == "float16":
        return clipped.astype(np.float16)
    return np.rint((clipped + LIMIT_PX) * (255 / (2 * LIMIT_PX))).astype(np.uint8)


def unpack_flow(stored: NDArray[np.uint8] | NDArray[np.float16]) -> Field:
    """Return a field in pixels. In 8 bits the nearest to nothing is 0.08 pixels, as published."""
    if stored.dtype == np.uint8:
        return stored.astype(np.float32) * np.float32(2 * LIMIT_PX / 255) - np.float32(LIMIT_PX)
    return stored.astype(np.float32)
