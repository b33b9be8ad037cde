"""Overlay videos: the skeleton over the infant's picture, without the face.

Faces are hidden unless the configuration says otherwise, and doubt hides more, not less:

- a filled circle covers the head, centred on its keypoints and generous (infants' heads are
  large: about 0.85 trunk lengths high); the fewer keypoints, the larger;
- a second circle covers the head's median place within half a second, so that one wrong
  frame shows nothing;
- where the head is lost for a short while, everything between where it was and where it
  comes back is covered;
- where it is lost for longer, or was never found, or the trunk's length is unknown, the
  picture is left out and the skeleton is drawn on black.

That is the tracked infant's own head. Others in the picture (a caregiver, a sibling) lie
outside the infant's body mask: all that is outside it, widened by a margin, is blurred until
a face is a few patches of colour, and darkened. A frame without a mask has no inside.

This holds as far as pose and mask do: a head taken for a foot throughout a video is not
noticed, nor is a face that the mask takes for the infant or that touches it. Look at a video
before you share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.background.apply import resize_mask
from fidgety.config.report import ReportConfig
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import conversion_matrix, side_of

Image = NDArray[np.uint8]
Point = tuple[float, float]

#: Keypoints of the head, over all skeletons.
HEAD_KEYPOINTS = (
    "nose",
    "head",
    "crown",
    "mouth_left",
    "mouth_right",
    *(f"{s}_{k}" for s in ("left", "right") for k in ("eye", "eye_inner", "eye_outer", "ear")),
)
#: Radius of the cover in trunk lengths with three keypoints of the head or more, and fewer.
RADIUS = 0.6
RADIUS_FEW = 0.85
#: The cover reaches at least this many times as far as the keypoints from their centre.
SPREAD = 1.6
#: Longest time without the head that is covered rather than blanked.
MAX_LOST_S = 1.0
#: Half the window of the median place.
MEDIAN_S = 0.5

#: Value from which a soft mask is body.
BODY = 128
#: Width of the margin around the body mask, as a share of the picture's longest side: limbs that
#: the mask cuts short stay visible.
MARGIN = 0.025
#: Patches of colour along the longest side of what is outside. An adult's face is seldom more
#: than a fourth of it, so at most four patches across; telling faces apart takes about sixteen
#: (Harmon and Julesz 1973, Science 180:1194).
PATCHES = 16
#: Brightness of what is outside, so that it is seen to be hidden.
DIM = 0.5

LEFT = (86, 180, 233)
RIGHT = (230, 159, 0)
CENTRE = (255, 255, 255)


@dataclass(frozen=True)
class Cover:
    """A thick line with round ends that hides what is under it.

    Parameters
    ----------
    start, end
        Ends of its axis in pixels; equal for a circle.
    radius
        Pixels.
    """

    start: Point
    end: Point
    radius: float


def trunk_length(pose: Pose) -> float:
    """Long trunk of the recording: 75th percentile of pelvis to thorax; NaN if unknown."""
    weights, missing = conversion_matrix(pose.anatomy, ("thorax", "pelvis"))
    if missing:
        return float("nan")
    row = weights[0] - weights[1]
    used = np.flatnonzero(row)
    lengths = np.linalg.norm(pose.position[:, :2][:, :, used] @ row[used], axis=1)
    lengths = lengths[np.isfinite(lengths)]
    return float(np.percentile(lengths, 75)) if lengths.size else float("nan")


def _heads(pose: Pose, trunk: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre (frame, 2) and radius (frame,) of the head; NaN where it is not found."""
    anatomy = pose.anatomy
    names = [k for k in HEAD_KEYPOINTS if k in anatomy.keypoints or k in anatomy.derived]
    # Three keypoints that are derived from fewer do not tell more.
    enough = 3 if set(names) <= set(anatomy.keypoints) else len(names) + 1
    weights, _ = conversion_matrix(anatomy, names)
    centre = np.full((pose.n_frames, 2), np.nan)
    radius = np.full(pose.n_frames, np.nan)
    flat = pose.position[:, :2].astype(np.float64)
    points = np.full((pose.n_frames, 2, len(names)), np.nan)
    for k, row in enumerate(weights):
        if row.any():
            used = np.flatnonzero(row)
            points[:, :, k] = flat[:, :, used] @ row[used]
    for t in range(pose.n_frames):
        seen = points[t][:, np.isfinite(points[t]).all(axis=0)]
        if seen.shape[1] == 0:
            continue
        centre[t] = seen.mean(axis=1)
        reach = float(np.linalg.norm(seen - centre[t][:, None], axis=0).max())
        radius[t] = max((RADIUS if seen.shape[1] >= enough else RADIUS_FEW) * trunk, SPREAD * reach)
    return centre, radius


def head_covers(pose: Pose) -> list[list[Cover] | None]:
    """Say for every frame what hides the face.

    Parameters
    ----------
    pose
        In pixels of the video.

    Returns
    -------
    list
        A frame's covers; None where the frame must not be shown.
    """
    trunk = trunk_length(pose)
    if pose.units != "pixels" or not np.isfinite(trunk) or trunk <= 0:
        return [None] * pose.n_frames
    centre, radius = _heads(pose, trunk)
    seen = np.flatnonzero(np.isfinite(radius))
    half = max(1, round(MEDIAN_S * pose.fps))
    covers: list[list[Cover] | None] = []
    for t in range(pose.n_frames):
        if np.isfinite(radius[t]):
            near = centre[max(0, t - half) : t + half + 1]
            usual = np.nanmedian(near, axis=0)
            here = _point(centre[t])
            covers.append(
                [
                    Cover(here, here, float(radius[t])),
                    Cover(_point(usual), _point(usual), RADIUS * trunk),
                ]
            )
            continue
        after = int(np.searchsorted(seen, t))
        ends = [int(seen[i]) for i in (after - 1, after) if 0 <= i < seen.size]
        if len(ends) == 2:
            lost_s = (ends[1] - ends[0]) / pose.fps
        else:  # before the first or after the last sight only one side is known
            lost_s = 2 * abs(ends[0] - t) / pose.fps if ends else np.inf
        if lost_s > MAX_LOST_S:
            covers.append(None)
            continue
        wide = 1.5 * max(float(radius[e]) for e in ends)
        covers.append([Cover(_point(centre[ends[0]]), _point(centre[ends[-1]]), wide)])
    return covers


def _point(xy: NDArray[np.float64]) -> Point:
    return float(xy[0]), float(xy[1])


def _pixel(point: Point, scale: float) -> tuple[int, int]:
    # Far outside the picture is all the same to OpenCV, but for its integers' range.
    x, y = (float(np.clip(v * scale, -20_000, 20_000)) for v in point)
    return round(x), round(y)


def hide(image: Image, covers: list[Cover] | None, scale: float = 1.0) -> Image:
    """Cover the face in place; a frame that must not be shown turns black.

    Parameters
    ----------
    image : ndarray of uint8 of shape (height, width, 3)
    covers
        Of :func:`head_covers`.
    scale
        Pixels of ``image`` for one pixel of the covers.
    """
    if covers is None:
        image[:] = 0
        return image
    for cover in covers:
        radius = int(np.ceil(cover.radius * scale)) + 1
        start, end = _pixel(cover.start, scale), _pixel(cover.end, scale)
        if start != end:
            cv2.line(image, start, end, (0, 0, 0), 2 * radius)
        cv2.circle(image, start, radius, (0, 0, 0), -1)
        cv2.circle(image, end, radius, (0, 0, 0), -1)
    return image


def hide_outside(image: Image, mask: Image | None) -> Image:
    """Blur and darken in place what is not the infant's body.

    Parameters
    ----------
    image : ndarray of uint8 of shape (height, width, 3)
    mask : ndarray of uint8 of shape (mask height, mask width), optional
        0 is background, 255 is body. None: nothing is known to be the body.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if mask is None:
        body: Image = np.zeros((height, width), dtype=np.uint8)
    else:
        body = (resize_mask(mask, width, height) >= BODY).astype(np.uint8)
    side = 2 * max(1, round(MARGIN * longest)) + 1
    body = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    outside = (1 - body).astype(np.float32)
    # Means over patches of what is outside alone: the body must not draw a ghost of itself.
    patch = longest / PATCHES
    cells = max(1, round(width / patch)), max(1, round(height / patch))
    colour = cv2.resize(image * outside[..., None], cells, interpolation=cv2.INTER_AREA)
    amount = cv2.resize(outside, cells, interpolation=cv2.INTER_AREA)[..., None]
    coarse = (DIM * colour / np.maximum(amount, 1e-3)).clip(0, 255).astype(np.uint8)
    behind = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(behind, 1 - body, image)
    return image


def bones_of(pose: Pose) -> list[tuple[int, int]]:
    """Return index pairs of the bones; none if the skeleton is unknown."""
    return [(int(a), int(b)) for a, b in pose.anatomy.bone_indices]


def _colour(*names: str) -> tuple[int, int, int]:
    sides = {side_of(name) for name in names}
    return {"left": LEFT, "right": RIGHT}.get(sides.pop(), CENTRE) if len(sides) == 1 else CENTRE


def draw_skeleton(
    image: Image,
    points: NDArray[np.float64],
    keypoints: tuple[str, ...],
    bones: list[tuple[int, int]],
    origin: NDArray[np.uint8] | None = None,
) -> Image:
    """Draw bones and keypoints in place; imputed keypoints are rings, measured ones discs.

    Those that were placed by hand have a square around them.


    Parameters
    ----------
    image : ndarray of uint8 of shape (height, width, 3)
    points : ndarray of shape (2, keypoint)
        Pixels; NaN is not drawn.
    keypoints
        Names: left ones are blue, right ones orange.
    bones
        Index pairs.
    origin : ndarray of shape (keypoint,), optional
        :class:`~fidgety.pose.tracks.Origin`.
    """
    thick = max(1, round(min(image.shape[:2]) / 180))
    there = np.isfinite(points).all(axis=0)
    place = {k: _pixel(_point(points[:, k]), 1.0) for k in np.flatnonzero(there)}
    for width, dark in ((thick + 2, True), (thick, False)):
        for a, b in bones:
            if a in place and b in place:
                colour = (0, 0, 0) if dark else _colour(keypoints[a], keypoints[b])
                cv2.line(image, place[a], place[b], colour, width, cv2.LINE_AA)
    for k, xy in place.items():
        imputed = origin is not None and origin[k] == Origin.IMPUTED
        filled = thick if imputed else -1
        cv2.circle(image, xy, thick + 2, (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(image, xy, thick + 1, _colour(keypoints[k]), filled, cv2.LINE_AA)
        if origin is not None and origin[k] == Origin.MANUAL:
            reach = thick + 4
            corner, other = (xy[0] - reach, xy[1] - reach), (xy[0] + reach, xy[1] + reach)
            cv2.rectangle(image, corner, other, CENTRE, 1, cv2.LINE_AA)
    return image


def even(value: float) -> int:
    """Round to an even number of pixels: what the video format needs."""
    return max(2, 2 * round(value / 2))


def overlay_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return width and height of the overlay video: even, bounded, never enlarged."""
    scale = min(1.0, longest / max(width, height))
    return even(width * scale), even(height * scale)


def overlay_frames(
    frames: Iterable[Image],
    pose: Pose,
    size: tuple[int, int],
    config: ReportConfig,
    masks: Iterable[Image] | None = None,
    *,
    skeleton: bool = True,
) -> Iterator[Image]:
    """Draw over a video, frame by frame.

    Parameters
    ----------
    frames
        The standard video's frames, RGB.
    pose
        Clean pose in its pixels, one entry a frame. Frames beyond it are treated as frames
        without a head.
    size
        Width and height of the result.
    config
        Whether faces and the picture are shown.
    masks
        The infant's body mask of every frame, at any size; read along with the frames. While
        faces are hidden, what is outside is too (:func:`hide_outside`), and all of a frame
        beyond the masks. Without masks only the infant's own head is hidden.
    skeleton
        Whether the skeleton is drawn. Without it the picture is all there is.

    Yields
    ------
    ndarray of uint8 of shape (height, width, 3)
        RGB.
    """
    bones = bones_of(pose)
    covers = head_covers(pose) if config.faces == "hidden" else []
    body = None if masks is None else iter(masks)
    for t, frame in enumerate(frames):
        mask = None if body is None else next(body, None)
        scale = size[0] / frame.shape[1]
        if config.overlay == "skeleton":
            image: Image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        else:
            image = np.ascontiguousarray(
                cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8
            )
            if config.faces == "hidden":
                # The head first, so that no blur is made of it.
                hide(image, covers[t] if t < len(covers) else None, scale)
                if body is not None:
                    hide_outside(image, mask)
        if skeleton and t < pose.n_frames and pose.units == "pixels":
            stretch = np.array([[scale], [size[1] / frame.shape[0]]])
            points = pose.position[t, :2] * stretch
            origin = None if pose.origin is None else pose.origin[t]
            draw_skeleton(image, points, pose.keypoints, bones, origin)
        yield image


def track_frames(pose: Pose, side: int) -> Iterator[Image]:
    """Draw tracks that came without a video on black, fitted to a square.

    Parameters
    ----------
    pose
        In any units; the first two coordinates are drawn, y down.
    side
        Pixels.

    Yields
    ------
    ndarray of uint8 of shape (side, side, 3)
        RGB.
    """
    bones = bones_of(pose)
    side = even(side)
    flat = pose.position[:, :2]
    if not np.isfinite(flat).any():
        centre, span = np.zeros(2), 1.0
    else:
        # A few stray values must not make the infant tiny.
        low, high = np.nanpercentile(flat, [0.5, 99.5], axis=(0, 2))
        centre, span = (low + high) / 2, float(max((high - low).max(), 1e-9))
    for t in range(pose.n_frames):
        points = (flat[t] - centre[:, None]) / span * (0.85 * side) + side / 2
        image: Image = np.zeros((side, side, 3), dtype=np.uint8)
        origin = None if pose.origin is None else pose.origin[t]
        yield draw_skeleton(image, points, pose.keypoints, bones, origin)
