"""Body masks by background subtraction: the temporal median, and what differs from it.

The background is the median over frames from the whole recording, so it holds whatever stays
in its place most of the time. What moves stands out, what lies still does not: use it for a
fixed camera and an infant that changes place, and for checking other methods. It needs no
model and knows nothing about people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fidgety.background.base import BackgroundMethod, Frame, Mask
from fidgety.background.median_options import TemporalMedianOptions
from fidgety.config.base import Section

_NORMAL = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""


class TemporalMedian(BackgroundMethod):
    """Difference from the temporal median, cleaned by morphology."""

    name: ClassVar[str] = "median"
    Options: ClassVar[type[Section]] = TemporalMedianOptions
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python-headless", "scipy")
    n_samples: ClassVar[int] = 75
    work_side_px: ClassVar[int] = 320

    def __init__(self, options: TemporalMedianOptions) -> None:
        super().__init__(options)
        self._options = options
        self._background: NDArray[np.float32] | None = None
        self._level = options.min_difference

    def prepare(self, samples: NDArray[np.uint8]) -> None:
        """Take the median, and measure the noise around it."""
        smooth = np.stack([_smooth(frame) for frame in samples])
        background = np.median(smooth, axis=0).astype(np.float32)
        aligned = np.stack([_differences(frame, background) for frame in smooth])
        # Most pixels are background most of the time: the median over both is their noise.
        noise = _NORMAL * float(np.median(aligned))
        self._background = background
        self._level = max(self._options.min_difference, self._options.threshold_sigma * noise)

    def masks(self, frames: Iterable[Frame]) -> Iterator[Mask]:
        """Yield a mask a frame."""
        if self._background is None:
            raise RuntimeError("prepare() comes first")
        for frame in frames:
            yield self._mask(_differences(_smooth(frame), self._background))

    def _mask(self, difference: NDArray[np.float32]) -> Mask:
        body = (difference >= self._level).astype(np.uint8)
        body = cv2.morphologyEx(body, cv2.MORPH_OPEN, _disc(1))
        radius = round(self._options.closing * max(body.shape))
        # A border of background, or closing would stick everything to the picture's edge.
        padded = np.pad(body, radius + 1)
        padded = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(radius))
        inner = slice(radius + 1, -radius - 1)
        body = padded[inner, inner]
        n, labels, stats, _ = cv2.connectedComponentsWithStats(body, connectivity=8)
        area = stats[:, cv2.CC_STAT_AREA].astype(float)
        area[0] = 0
        if n == 1 or area.max() < self._options.min_area * body.size:
            return np.zeros(body.shape, np.uint8)
        least = max(self._options.min_area * body.size, self._options.min_piece * area.max())
        filled = ndimage.binary_fill_holes(np.isin(labels, np.flatnonzero(area >= least)))
        # A soft edge of about a pixel, as the other methods have.
        return cv2.GaussianBlur(255 * filled.astype(np.uint8), (3, 3), 0)


def _smooth(frame: Frame) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(frame, (5, 5), 0), dtype=np.float32)


def _differences(
    smooth: NDArray[np.float32], background: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the largest difference over the colours, (height, width).

    The median difference of each colour is taken off first: exposure and white balance drift.
    """
    difference = smooth - background
    # Every fourth pixel of every fourth row tells the drift as well, in a sixteenth of the time.
    difference -= np.median(difference[::4, ::4], axis=(0, 1))
    return np.asarray(np.abs(difference).max(axis=2), dtype=np.float32)


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)
