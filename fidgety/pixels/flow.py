"""Optical flow between aligned crops, at a fixed number of fields a second.

Hashimoto 2022: Farneback's method on grey crops of 224 x 224 pixels, five frames of 30 a second
apart, clipped to 20 pixels on either side and stored in 8 bits. A recording of another rate has its
fields between the frames that are nearest in time, and what moved is scaled to the time between two
fields; so equal movement gives equal flow whatever the camera's rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Field = NDArray[np.float32]
FlowMethod = Callable[[Grey, Grey], Field]
Name = Literal["farneback", "dis"]
Bits = Literal["uint8", "float16"]

#: Flow beyond this, in pixels a field, is clipped (the published range).
LIMIT_PX = 20.0
FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 5,
    "iterations": 3,
    "poly_n": 7,
    "poly_sigma": 1.5,
    "flags": 0,
}


def flow_method(name: Name) -> FlowMethod:
    """Return a method: ``farneback`` with the published parameters, or the faster ``dis``.

    Either takes two grey pictures and returns where each pixel of the first went to, of shape
    (height, width, 2), x right and y down.
    """
    if name == "farneback":
        return lambda a, b: np.asarray(
            cv2.calcOpticalFlowFarneback(a, b, None, **FARNEBACK),  # type: ignore[call-overload]
            dtype=np.float32,
        )
    # The fast preset is worse than no flow at all on slow movement; medium is not.
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    return lambda a, b: np.asarray(dis.calc(a, b, None), dtype=np.float32)


@dataclass(frozen=True)
class FieldTimes:
    """Between which frames the fields lie.

    Parameters
    ----------
    first, second : ndarray of shape (field,)
        Frame numbers.
    scale : ndarray of shape (field,)
        What a field is multiplied by, so that it is that of the nominal time.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scale: NDArray[np.float64]


def field_times(n_frames: int, fps: float, rate_hz: float) -> FieldTimes:
    """Lay fields over a recording.

    Parameters
    ----------
    n_frames, fps
        Of the standard video.
    rate_hz
        Fields a second; field k lies between the frames nearest to ``k / rate_hz`` and
        ``(k + 1) / rate_hz``.

    Raises
    ------
    ValueError
        If there would be more fields than frames.
    """
    if rate_hz > fps * (1 + 1e-6):
        raise ValueError(f"{rate_hz:g} fields a second of {fps:g} frames a second")
    # A tie goes to the earlier frame, so that fields of one length follow each other.
    n = max(0, int(np.floor((n_frames - 1) / fps * rate_hz + 1e-6)))
    edges = np.ceil(np.arange(n + 1) * fps / rate_hz - 0.5 - 1e-9).astype(np.int64)
    edges = np.clip(edges, 0, max(n_frames - 1, 0))
    first, second = edges[:-1], edges[1:]
    apart = np.maximum(second - first, 1) / fps
    return FieldTimes(first, second, 1.0 / (rate_hz * apart))


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
