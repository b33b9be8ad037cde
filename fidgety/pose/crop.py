"""Upright square crops of a video, and the way back.

A crop is a similarity transform: the picture is turned clockwise about a centre, and a square
around it is scaled to a fixed number of pixels. It is kept for as long as the body stays in it,
so that tracking estimators see a camera at rest.

Pixel coordinates have (0, 0) at the outer corner of the first pixel, x right, y down, so that
the same point has proportional coordinates in pictures of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Mask value (0..255) from which a pixel counts as body.
BODY_LEVEL = 128
#: Share of body pixels that may lie outside an extent, at each end: specks and fringes.
OUTSIDE_SHARE = 0.003


def rotation(angle_deg: float) -> NDArray[np.float64]:
    """Return the matrix that turns points of an image (y down) clockwise, as people see it."""
    a = np.deg2rad(angle_deg)
    return np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


@dataclass(frozen=True)
class Crop:
    """A square, turned part of the video's picture.

    Parameters
    ----------
    angle_deg
        Turn of the picture, clockwise.
    centre_px
        Point of the video (x, y) that comes to the crop's middle.
    side_px
        Side of the square in the video's pixels.
    size_px
        Side of the crop in its own pixels.
    """

    angle_deg: float
    centre_px: tuple[float, float]
    side_px: float
    size_px: int

    @property
    def scale(self) -> float:
        """Crop pixels a video pixel."""
        return self.size_px / self.side_px

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Matrix of shape (2, 3) that takes the video's pixels to the crop's."""
        turn = self.scale * rotation(self.angle_deg)
        middle = self.size_px / 2.0
        return np.column_stack([turn, middle - turn @ np.asarray(self.centre_px)])

    def cut(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the crop out of a frame; black where the frame has nothing.

        Parameters
        ----------
        frame : ndarray of shape (height, width, channel)

        Returns
        -------
        ndarray of shape (size_px, size_px, channel)
        """
        if self.scale < 0.5:
            # warpAffine samples points: halve the picture first, or it aliases.
            half = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            x, y = self.centre_px
            smaller = Crop(self.angle_deg, (x / 2, y / 2), self.side_px / 2, self.size_px)
            return smaller.cut(np.asarray(half, dtype=np.uint8))
        # OpenCV counts from the centre of the first pixel.
        matrix = self.matrix
        matrix[:, 2] += matrix[:, :2].sum(axis=1) * 0.5 - 0.5
        cut = cv2.warpAffine(frame, matrix, (self.size_px, self.size_px), flags=cv2.INTER_LINEAR)
        return np.asarray(cut, dtype=np.uint8)

    def to_crop(self, position: NDArray[np.floating]) -> NDArray[np.float64]:
        """Take points of shape (frame, 2, keypoint) from the video into the crop."""
        m = self.matrix
        return np.einsum("ij,tjk->tik", m[:, :2], position) + m[:, 2][None, :, None]

    def to_video(self, position: NDArray[np.floating]) -> NDArray[np.float64]:
        """Take points of shape (frame, 2, keypoint) from the crop into the video."""
        m = self.matrix
        inverse = np.linalg.inv(m[:, :2])
        return np.einsum("ij,tjk->tik", inverse, position - m[:, 2][None, :, None])

    def world_to_video(self, world: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn 3D points (frame, 3, keypoint) back about the camera's axis.

        x then points right and y down in the video's frame; z, away from the camera, stays.
        """
        turned = np.array(world, dtype=np.float64)
        turned[:, :2] = np.einsum("ij,tjk->tik", rotation(-self.angle_deg), world[:, :2])
        return turned


def body_points(masks: NDArray[np.uint8], mask_scale: float) -> NDArray[np.float64]:
    """Return the pixels, in the video's coordinates, that are body in any of some masks.

    Parameters
    ----------
    masks : ndarray of shape (frame, height, width)
        Body masks, 0 to 255, at reduced size.
    mask_scale
        Mask pixels a video pixel.

    Returns
    -------
    ndarray of shape (point, 2)
        x and y.
    """
    rows, columns = np.nonzero(masks.max(axis=0) >= BODY_LEVEL)
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    return np.asarray((pixels + 0.5) / mask_scale)


def extent(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper corner of the box around points, specks left out."""
    low, high = np.quantile(points, [OUTSIDE_SHARE, 1 - OUTSIDE_SHARE], axis=0)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def crop_around(
    points: NDArray[np.floating], angle_deg: float, margin: float, size_px: int
) -> Crop:
    """Return the upright square around body pixels.

    Parameters
    ----------
    points : ndarray of shape (point, 2)
        Body pixels in the video, at least one.
    angle_deg
        Clockwise turn that makes the body upright.
    margin
        Space on each side, as a share of the body's longer extent.
    size_px
        Side of the crop in its own pixels.
    """
    turn = rotation(angle_deg)
    low, high = extent(points @ turn.T)
    side = max(float((high - low).max()), 1.0) * (1.0 + 2.0 * margin)
    x, y = turn.T @ ((low + high) / 2.0)
    return Crop(angle_deg, (float(x), float(y)), side, size_px)


def crop_whole(shape: tuple[int, int], angle_deg: float, size_px: int) -> Crop:
    """Return the square that holds the whole turned picture of (height, width)."""
    height, width = shape
    turn = np.abs(rotation(angle_deg))
    side = float((turn @ np.array([width, height])).max())
    return Crop(angle_deg, (width / 2.0, height / 2.0), side, size_px)


def holds(crop: Crop, points: NDArray[np.floating], border: float = 0.05) -> bool:
    """Tell whether a crop still serves a body: it is inside and not small.

    Parameters
    ----------
    crop
        The crop in use.
    points : ndarray of shape (point, 2)
        Body pixels in the video.
    border
        Smallest distance from the crop's border, as a share of its side.
    """
    low, high = extent(crop.to_crop(points.T[None])[0].T)
    inside = low.min() >= border * crop.size_px and high.max() <= (1 - border) * crop.size_px
    return bool(inside and (high - low).max() >= 0.4 * crop.size_px)
