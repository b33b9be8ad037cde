"""Which way up an infant lies.

Estimators expect people upright; infants lie any way up in the picture. Three sources say by
how much the picture has to be turned, in this order:

1. the body mask's long axis, up to half a turn: both ends are tried as the head, and the pose
   decides;
2. where that convinces nobody (arms stretched out make the axis lie), quarter turns from the
   axis, then from the picture, then on the whole picture without the mask;
3. the pose that was found: its own pelvis-to-thorax direction corrects the angle.

All angles are degrees by which the picture is turned *clockwise* to bring the head up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.crop import BODY_LEVEL, Crop, body_points, crop_around, crop_whole, rotation
from fidgety.skeletons import Skeleton, conversion_matrix

#: Score from which an orientation is taken without trying the remaining ones.
CONVINCING = 0.8
#: Score below which nothing was found.
FOUND = 0.25
#: How far outside the mask a keypoint may lie, as a share of the mask's size.
MASK_TOLERANCE = 0.03
#: Fewest body pixels in a mask that say anything.
MIN_MASK_PIXELS = 64


@dataclass(frozen=True)
class Orientation:
    """An orientation that was tried.

    Parameters
    ----------
    angle_deg
        Clockwise turn that brings the head up, in [0, 360).
    score
        Between 0 and 1: see :func:`pose_quality`; None where the configuration decided.
    whole
        Whether it was found on the whole picture rather than around the mask.
    source
        What proposed it.
    """

    angle_deg: float
    score: float | None
    whole: bool
    source: str


def axis_angle(points: NDArray[np.floating]) -> float:
    """Return the clockwise turn that makes the long axis of body pixels vertical.

    Parameters
    ----------
    points : ndarray of shape (point, 2)
        x and y; at least two different points.

    Returns
    -------
    float
        In [0, 180): which end is up remains open.
    """
    centred = points - points.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return float(up_angle(vectors[:, -1]) % 180.0)


def up_angle(up: NDArray[np.floating]) -> float:
    """Return the clockwise turn in [0, 360) that makes a vector (x, y) of the image point up."""
    return float(np.rad2deg(np.arctan2(-up[0], -up[1])) % 360.0)


def body_up(position: NDArray[np.floating], skeleton: Skeleton) -> NDArray[np.float64] | None:
    """Return the median vector from pelvis to thorax.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        NaN is missing.
    skeleton
        Skeleton of ``position``.

    Returns
    -------
    ndarray of shape (2,), or None where no frame has it
    """
    weights, _ = conversion_matrix(skeleton.keypoints, ("pelvis", "thorax"))
    used = np.flatnonzero(weights.any(axis=0))
    ends = position[:, :, used] @ weights[:, used].T
    trunk = ends[:, :, 1] - ends[:, :, 0]
    trunk = trunk[np.isfinite(trunk).all(axis=1)]
    if len(trunk) == 0:
        return None
    up = np.median(trunk, axis=0)
    return up if np.linalg.norm(up) > 0 else None


def inside_share(
    position: NDArray[np.floating], masks: NDArray[np.uint8], mask_scale: float
) -> NDArray[np.float64]:
    """Return, for each frame, the share of keypoints that lie on the body mask.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        In the video's pixels.
    masks : ndarray of shape (frame, height, width)
        Body masks, 0 to 255.
    mask_scale
        Mask pixels a video pixel.

    Returns
    -------
    ndarray of shape (frame,)
        1 where the mask is too small to say anything, 0 where there is no keypoint.
    """
    share = np.zeros(len(position))
    height, width = masks.shape[1:]
    reach = 2 * max(round(MASK_TOLERANCE * max(height, width)), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    for i, (points, mask) in enumerate(zip(position, masks, strict=True)):
        points = points[:, np.isfinite(points).all(axis=0)]
        if points.shape[1] == 0:
            continue
        body = (mask >= BODY_LEVEL).astype(np.uint8)
        if body.sum() < MIN_MASK_PIXELS:
            share[i] = 1.0
            continue
        near = cv2.dilate(body, kernel)
        column, row = np.floor(points * mask_scale).astype(int)
        within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        hits = near[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        share[i] = float(np.mean(within & (hits > 0)))
    return share


def pose_quality(
    found: Estimate,
    crop: Crop,
    masks: NDArray[np.uint8] | None,
    mask_scale: float,
) -> NDArray[np.float64]:
    """Say, for each frame, how far a pose can be believed.

    Parameters
    ----------
    found
        Estimate on crops.
    crop
        The crop.
    masks : ndarray of shape (frame, height, width), optional
        Body masks of the same frames; leave them out where they are not believed.
    mask_scale
        Mask pixels a video pixel.

    Returns
    -------
    ndarray of shape (frame,)
        Mean confidence times the share of keypoints on the body mask; 0 without a body.
    """
    quality = found.confidence.mean(axis=1) * found.detected
    if masks is not None:
        quality = quality * inside_share(crop.to_video(found.position), masks, mask_scale)
    return np.asarray(quality, dtype=np.float64)


def make_crop(
    points: NDArray[np.floating] | None,
    shape: tuple[int, int],
    angle_deg: float,
    margin: float,
    size_px: int,
) -> Crop:
    """Return the crop around the body pixels, or of the whole picture without any."""
    if points is None or len(points) < MIN_MASK_PIXELS:
        return crop_whole(shape, angle_deg, size_px)
    return crop_around(points, angle_deg, margin, size_px)


def _candidates(points: NDArray[np.floating] | None) -> Iterator[list[tuple[float, bool, str]]]:
    """Yield rounds of (angle, whole picture?, source) to try."""
    has_mask = points is not None and len(points) >= MIN_MASK_PIXELS
    if points is not None and has_mask:
        axis = axis_angle(points)
        yield [((axis + turn) % 360.0, False, "mask axis") for turn in (0.0, 180.0)]
        yield [((axis + turn) % 360.0, False, "across the mask axis") for turn in (90.0, 270.0)]
        yield [(turn, False, "quarter turn") for turn in (0.0, 90.0, 180.0, 270.0)]
    yield [(turn, True, "whole picture") for turn in (0.0, 90.0, 180.0, 270.0)]


def find_orientation(
    frames: NDArray[np.uint8],
    masks: NDArray[np.uint8] | None,
    mask_scale: float,
    estimator: PoseEstimator,
    margin: float,
    *,
    crop_to_body: bool = True,
) -> Orientation | None:
    """Find which way up the infant lies in some frames.

    Parameters
    ----------
    frames : ndarray of shape (frame, height, width, 3)
        RGB frames, a few of a short stretch.
    masks : ndarray of shape (frame, mask height, mask width), optional
        Their body masks.
    mask_scale
        Mask pixels a video pixel.
    estimator
        Used on independent pictures: what it tracks is left alone.
    margin
        Space around the body, as in :func:`~fidgety.pose.crop.crop_around`.
    crop_to_body
        False: look at the whole picture only.

    Returns
    -------
    Orientation or None
        None where no orientation shows a body in at least half of the frames.
    """
    points = None if masks is None else body_points(masks, mask_scale)
    best: Orientation | None = None
    best_score = 0.0
    for candidates in _candidates(points if crop_to_body else None):
        for angle, whole, source in candidates:
            crop = make_crop(
                None if whole else points,
                (frames.shape[1], frames.shape[2]),
                angle,
                margin,
                estimator.crop_px,
            )
            found = estimator.estimate(
                np.stack([crop.cut(frame) for frame in frames]), consecutive=False
            )
            if found.detected.mean() < 0.5:
                continue
            seen = None if whole else masks
            score = float(pose_quality(found, crop, seen, mask_scale).mean())
            up = body_up(found.position, estimator.skeleton)
            if up is None or score < FOUND or score <= best_score:
                continue
            best_score = score
            best = Orientation(up_angle(rotation(-angle) @ up), score, whole, source)
        if best_score >= CONVINCING:
            break
    return best
