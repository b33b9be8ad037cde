"""Which way up a picture is, what is cut out of it, and how large it becomes.

*Coded* pixels are as the stream stores them; *displayed* pixels are as a player shows them:
square, mirrored and turned as the display matrix asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fidgety.errors import ConfigError

Box = tuple[int, int, int, int]
"""x, y, width, height."""


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to put a picture upright: transpose, then mirror.

    Parameters
    ----------
    transpose
        Exchange rows and columns, first of all.
    hflip, vflip
        Then mirror left to right, top to bottom.
    """

    transpose: bool = False
    hflip: bool = False
    vflip: bool = False

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> Orientation:
        """Read a display matrix: nine numbers, row by row (ISO/IEC 14496-12, 6.2.2).

        A point (x, y) of the coded picture is shown at (a x + c y, b x + d y), with a, b the
        first two numbers and c, d the fourth and fifth. Angles between quarter turns are
        rounded to the nearest.
        """
        a, b, _, c, d = (float(value) for value in matrix[:5])
        if not any((a, b, c, d)):
            return cls()
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @property
    def mirrored(self) -> bool:
        """Whether the picture is mirrored."""
        return self.transpose ^ self.hflip ^ self.vflip

    @property
    def rotation_deg(self) -> int:
        """Degrees clockwise, after a mirroring from left to right if there is one."""
        # Where the coded picture's x axis points when shown; a mirroring turns it round.
        x, y = (0, -1 if self.vflip else 1) if self.transpose else (-1 if self.hflip else 1, 0)
        if self.mirrored:
            x, y = -x, -y
        return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[(x, y)]

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """Put an array (height, width, ...) upright."""
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        if self.hflip:
            picture = picture[:, ::-1]
        if self.vflip:
            picture = picture[::-1]
        return picture

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height as displayed (the same call leads back)."""
        return (height, width) if self.transpose else (width, height)

    def undo_box(self, box: Box, width: int, height: int) -> Box:
        """Carry a box from the displayed picture to the coded one of this width and height."""
        x, y, w, h = box
        shown_width, shown_height = self.size(width, height)
        if self.vflip:
            y = shown_height - y - h
        if self.hflip:
            x = shown_width - x - w
        return (y, x, h, w) if self.transpose else (x, y, w, h)


@dataclass(frozen=True)
class Geometry:
    """How a coded picture becomes a standard one.

    Parameters
    ----------
    orientation
        How it is put upright.
    source_size
        Width and height as displayed, in pixels.
    crop_px
        What is kept of it, in displayed pixels.
    coded_crop
        The same in coded pixels.
    scale
        Standard pixels for a displayed one, before the rounding to even sizes.
    size
        Width and height of the standard picture.
    """

    orientation: Orientation
    source_size: tuple[int, int]
    crop_px: Box
    coded_crop: Box
    scale: float
    size: tuple[int, int]


def displayed_size(
    width: int, height: int, aspect: Fraction, orientation: Orientation
) -> tuple[int, int]:
    """Return the size of a picture as displayed.

    Parameters
    ----------
    width, height
        Coded size in pixels.
    aspect
        Width of a coded pixel over its height.
    orientation
        How it is put upright.
    """
    return orientation.size(max(1, round(width * aspect)), height)


def plan_geometry(
    width: int,
    height: int,
    *,
    orientation: Orientation = Orientation(),
    aspect: Fraction = Fraction(1),
    crop: Sequence[int] | None = None,
    max_side_px: int = 640,
) -> Geometry:
    """Decide crop, scale and size. Pictures are never enlarged.

    Parameters
    ----------
    width, height
        Coded size in pixels.
    orientation
        How it is put upright.
    aspect
        Width of a coded pixel over its height.
    crop
        x, y, width, height in displayed pixels; None keeps all.
    max_side_px
        Bound on the longest side.

    Raises
    ------
    ConfigError
        If the crop is not inside the picture.
    """
    shown_width, shown_height = displayed_size(width, height, aspect, orientation)
    x, y, w, h = (int(v) for v in crop) if crop else (0, 0, shown_width, shown_height)
    if x < 0 or y < 0 or w < 2 or h < 2 or x + w > shown_width or y + h > shown_height:
        raise ConfigError(
            f"crop: x={x}, y={y}, width={w}, height={h} does not lie in the picture, which is "
            f"{shown_width} x {shown_height} pixels as displayed; correct the sheet's crop."
        )
    scale = min(1.0, max_side_px / max(w, h))
    if scale == 1.0 and aspect == 1:
        # An odd size is trimmed by one pixel: what remains is exact, not interpolated.
        w, h = w - w % 2, h - h % 2
        size = (w, h)
    else:
        bound = max_side_px // 2
        size = (
            2 * min(bound, max(1, math.floor(w * scale / 2 + 0.5))),
            2 * min(bound, max(1, math.floor(h * scale / 2 + 0.5))),
        )
    square_width = max(1, round(width * aspect))
    sx, sy, sw, sh = orientation.undo_box((x, y, w, h), square_width, height)
    ratio = width / square_width
    left, right = round(sx * ratio), round((sx + sw) * ratio)
    coded = (left, sy, max(1, right - left), sh)
    return Geometry(orientation, (shown_width, shown_height), (x, y, w, h), coded, scale, size)
