"""From a video's frames to raw tracks, with memory that does not grow with its length.

The frames come in stretches of :data:`CHUNK_FRAMES`. Each is estimated on one upright square
crop around the body; the crop stays while the body stays in it. The orientation is looked for
when there is none yet and whenever the pose stops being believable over a stretch: then the
infant was turned, or went out of view.

Who of several bodies in the masks is the infant is decided before (:mod:`fidgety.pose.persons`):
the others do not count for crop and orientation, and keypoints on them lose confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fidgety.background.apply import hide_background
from fidgety.config.pose import PoseConfig
from fidgety.errors import FidgetyError, NotAssessable, Reason
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.crop import Crop, body_points, holds
from fidgety.pose.orientation import (
    Orientation,
    body_up,
    find_orientation,
    make_crop,
    pose_quality,
    up_angle,
)
from fidgety.pose.persons import ON_OTHER, Persons, Sorted, no_masks_record, on_others
from fidgety.pose.tracks import Pose
from fidgety.skeletons import own_or_none

#: Frames that are held at once: 2 seconds at 30 a second, 55 MB at 640 x 480.
CHUNK_FRAMES = 60
#: Frames of a stretch on which an orientation is tried.
SAMPLE_FRAMES = 5
#: Mean quality of a stretch below which the orientation is looked for again.
DOUBTFUL = 0.5
#: Turn of the body against its crop, in degrees, from which the crop is turned with it.
DRIFT_DEG = 30.0
#: Most stretches between two searches that are in vain.
MAX_PATIENCE = 7
#: Space around the body on each side of the crop, as a share of the body's longer extent.
MARGIN = 0.2

Alter = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]


class Masks(Protocol):
    """Body masks that are read in slices: an array, or a dataset in an open file."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, frames: slice, /) -> Any:
        """Return masks of shape (frame, height, width), uint8."""


@dataclass
class _Track:
    """What has been found so far."""

    position: list[NDArray[np.float32]] = field(default_factory=list)
    confidence: list[NDArray[np.float32]] = field(default_factory=list)
    world: list[NDArray[np.float32]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    quality: list[NDArray[np.float64]] = field(default_factory=list)
    detected: list[NDArray[np.bool_]] = field(default_factory=list)
    on_others: int = 0

    @property
    def n_frames(self) -> int:
        return sum(len(p) for p in self.position)

    def add(self, found: Estimate, crop: Crop, quality: NDArray[np.float64]) -> None:
        """Append a stretch, in the video's coordinates."""
        self.position.append(crop.to_video(found.position).astype(np.float32))
        self.confidence.append(found.confidence.astype(np.float32))
        if found.world is not None:
            self.world.append(crop.world_to_video(found.world).astype(np.float32))
        self.quality.append(quality)
        self.detected.append(found.detected)


def _chunks(
    frames: Iterable[NDArray[np.uint8]], masks: Masks | None
) -> Iterator[tuple[list[NDArray[np.uint8]], NDArray[np.uint8] | None]]:
    """Yield stretches of frames with their masks."""
    source = iter(frames)
    start = 0
    while chunk := list(islice(source, CHUNK_FRAMES)):
        stop = start + len(chunk)
        some = None if masks is None else np.asarray(masks[start:stop], dtype=np.uint8)
        if some is not None and len(some) != len(chunk):
            raise FidgetyError(
                f"the video has at least {stop} frames, but there are {start + len(some)} body "
                "masks: delete the recording's background file and run the workflow again."
            )
        yield chunk, some
        start = stop


def _as_seen(
    frames: list[NDArray[np.uint8]],
    masks: NDArray[np.uint8] | None,
    people: Sorted | None,
    alter: Alter | None,
    hide_others: bool,
) -> NDArray[np.uint8]:
    """Return frames as the estimator is to see them, without background or other people."""
    if masks is None or people is None:
        return np.stack(frames)
    hide = hide_others and people.others is not None
    if alter is not None:
        # To them the others are background, too.
        kept = people.infant if hide else masks
        frames = [alter(frame, mask) for frame, mask in zip(frames, kept, strict=True)]
    elif hide:
        # The rest of the picture stays: only what left the mask goes.
        left = np.where(people.infant != masks, np.uint8(0), np.uint8(255))
        frames = [
            frame if mask.all() else hide_background(frame, mask, "black")
            for frame, mask in zip(frames, left, strict=True)
        ]
    return np.stack(frames)


@dataclass(frozen=True)
class _Seen:
    """What was found in a stretch, and how it was looked at."""

    found: Estimate
    crop: Crop
    quality: NDArray[np.float64]
    orientation: Orientation | None


class _Viewer:
    """Decides on the crop of each stretch, and estimates on it."""

    def __init__(self, estimator: PoseEstimator, config: PoseConfig, mask_scale: float) -> None:
        self.estimator = estimator
        self.config = config
        self.mask_scale = mask_scale
        self.auto = config.orientation == "auto"
        self.orientation = (
            None if self.auto else Orientation(float(config.orientation), None, False, "config")
        )
        self.crop: Crop | None = None
        self.absent = False
        self.patience = self.wait = 0

    def see(
        self, frames: NDArray[np.uint8], masks: NDArray[np.uint8] | None, *, absent: bool = False
    ) -> _Seen:
        """Estimate a stretch; look for the orientation where there is none or it is in doubt.

        ``absent`` says that the infant is not in view: the crop stays where it was.
        """
        self.absent = absent
        if not self.auto:
            return self._estimate(frames, masks)
        if self.orientation is None and self._may_search():
            self.orientation = self._search(frames, masks)
            self._note(self.orientation is not None)
            seen = self._estimate(frames, masks)
        else:
            seen = self._estimate(frames, masks)
            if seen.quality.mean() < DOUBTFUL and self._may_search():
                better = self._look_again(frames, masks, seen)
                self._note(better is not None)
                seen = better or seen
        self._follow(seen.found)
        return seen

    def _may_search(self) -> bool:
        """Tell whether a search is due: each one in vain doubles the time to the next."""
        self.wait = max(self.wait - 1, -1)
        return self.wait < 0

    def _note(self, success: bool) -> None:
        self.patience = 0 if success else min(2 * self.patience + 1, MAX_PATIENCE)
        self.wait = self.patience

    def _look_again(
        self, frames: NDArray[np.uint8], masks: NDArray[np.uint8] | None, seen: _Seen
    ) -> _Seen | None:
        """Search the orientation; return the stretch seen that way if it is better."""
        other = self._search(frames, masks)
        if other is None or (other.score or 0.0) <= seen.quality.mean():
            return None
        before, self.orientation = self.orientation, other
        again = self._estimate(frames, masks)
        if again.quality.mean() > seen.quality.mean():
            return again
        self.orientation, self.crop = before, None
        return None

    def _search(
        self, frames: NDArray[np.uint8], masks: NDArray[np.uint8] | None
    ) -> Orientation | None:
        sample = np.unique(np.linspace(0, len(frames) - 1, SAMPLE_FRAMES).round().astype(int))
        return find_orientation(
            frames[sample],
            None if masks is None else masks[sample],
            self.mask_scale,
            self.estimator,
            MARGIN,
            crop_to_body=self.config.crop_to_body,
        )

    def _estimate(self, frames: NDArray[np.uint8], masks: NDArray[np.uint8] | None) -> _Seen:
        """Estimate on the crop in use where it still serves, else on a new one."""
        angle = self.orientation.angle_deg if self.orientation else 0.0
        whole = bool(self.orientation and self.orientation.whole) or not self.config.crop_to_body
        points = None if whole or masks is None else body_points(masks, self.mask_scale)
        shape = (frames.shape[1], frames.shape[2])
        crop = make_crop(points, shape, angle, MARGIN, self.estimator.crop_px)
        seen = None if self.absent else points
        if self.crop is not None and _still_serves(self.crop, crop, seen):
            crop = self.crop
        else:
            self.estimator.reset()
        self.crop = crop
        found = self.estimator.estimate(np.stack([crop.cut(frame) for frame in frames]))
        # Where the mask did not lead to the body, it is no judge of the pose either.
        judge = None if self.orientation and self.orientation.whole else masks
        quality = pose_quality(found, crop, judge, self.mask_scale)
        return _Seen(found, crop, quality, self.orientation)

    def _follow(self, found: Estimate) -> None:
        """Turn the next stretch's crop with the body where it has turned far from upright."""
        up = body_up(found.position, self.estimator.skeleton)
        if self.orientation is None or up is None or found.detected.mean() < 0.5:
            return
        turn = (up_angle(up) + 180.0) % 360.0 - 180.0
        if abs(turn) > DRIFT_DEG:
            angle = (self.orientation.angle_deg + turn) % 360.0
            self.orientation = Orientation(
                angle, self.orientation.score, self.orientation.whole, "pose"
            )


def _still_serves(old: Crop, new: Crop, points: NDArray[np.floating] | None) -> bool:
    """Tell whether the crop in use can stay: same angle, and the body is inside."""
    if old.angle_deg != new.angle_deg:
        return False
    if points is None or len(points) == 0:
        return True
    return old == new or holds(old, points)


def _describe(start_frame: int, orientation: Orientation | None, crop: Crop) -> dict[str, Any]:
    return {
        "start_frame": start_frame,
        "angle_deg": round(crop.angle_deg, 2),
        "source": orientation.source if orientation else "none found",
        "score": round(orientation.score, 4) if orientation and orientation.score else None,
        "crop_centre_px": [round(c, 2) for c in crop.centre_px],
        "crop_side_px": round(crop.side_px, 2),
    }


def estimate_pose(
    frames: Iterable[NDArray[np.uint8]],
    masks: Masks | None,
    config: PoseConfig,
    estimator: PoseEstimator,
    *,
    fps: float,
    mask_scale: float = 1.0,
    follows_one: bool = False,
    alter: Alter | None = None,
) -> Pose:
    """Estimate the pose in every frame of a video.

    Parameters
    ----------
    frames : iterable of ndarray of shape (height, width, 3)
        RGB frames of the standard video, in order. Read once; few are held at a time.
    masks : (frame, height, width), optional
        Body masks, 0 to 255, read in slices. Without them the whole picture is searched.
    config
        The ``pose`` section.
    estimator
        An open estimator.
    fps
        Frame rate of the standard video.
    mask_scale
        Mask pixels a video pixel.
    follows_one
        Whether the masks are of one person, whoever else is in view.
    alter
        Turns a frame and its mask into what the estimator is to see (background blacked out,
        blurred or replaced).

    Returns
    -------
    Pose
        Positions in the video's pixels; confidence 0 and NaN where no body was found.
        ``world``, where the estimator gives it, is in metres with x right, y down and z away
        from the camera in the *video's* frame, around the estimator's own origin.
        ``details`` say for each view from which frame on it was used, its angle and crop, and
        under ``persons`` who else was in view (:meth:`fidgety.pose.persons.Persons.record`).

    Raises
    ------
    NotAssessable
        With ``no_body`` where fewer than ``config.min_detected`` of the frames have a body.
    FidgetyError
        If masks and frames differ in number.
    """
    track = _Track()
    viewer = _Viewer(estimator, config, mask_scale)
    persons = None if masks is None else Persons(config.infant, fps, follows_one=follows_one)
    for chunk, some in _chunks(frames, masks):
        start = track.n_frames
        people = None if persons is None or some is None else persons.sort(some)
        shown = _as_seen(chunk, some, people, alter, config.hide_others)
        if people is None:
            seen = viewer.see(shown, some)
        else:
            seen = viewer.see(shown, people.infant, absent=people.nobody_but_others)
            seen = _doubt(seen, people, mask_scale, track)
        view = _describe(start, seen.orientation, seen.crop)
        last = track.views[-1] if track.views else {}
        if {**view, "start_frame": 0} != {**last, "start_frame": 0}:
            track.views.append(view)
        track.add(seen.found, seen.crop, seen.quality)
    if masks is not None and len(masks) != track.n_frames:
        raise FidgetyError(
            f"the video has {track.n_frames} frames, but there are {len(masks)} body masks: "
            "delete the recording's background file and run the workflow again."
        )
    record = no_masks_record() if persons is None else persons.record()
    return _finish(track, config, estimator, fps, record)


def _doubt(seen: _Seen, people: Sorted, mask_scale: float, track: _Track) -> _Seen:
    """Take confidence from the keypoints that lie on another body."""
    if people.others is None:
        return seen
    theirs = on_others(seen.crop.to_video(seen.found.position), people.others, mask_scale)
    track.on_others += int(theirs.sum())
    confidence = np.where(theirs, ON_OTHER * seen.found.confidence, seen.found.confidence)
    return replace(seen, found=replace(seen.found, confidence=confidence))


def _finish(
    track: _Track,
    config: PoseConfig,
    estimator: PoseEstimator,
    fps: float,
    persons: dict[str, Any],
) -> Pose:
    n = track.n_frames
    if n == 0:
        raise NotAssessable(Reason.NO_BODY, "the video has no frame")
    position = np.concatenate(track.position)
    detected = np.concatenate(track.detected)
    share = float(detected.mean())
    if share < config.min_detected:
        raise NotAssessable(
            Reason.NO_BODY,
            f"a body in {int(detected.sum())} of {n} frames ({100 * share:.0f} %), at least "
            f"{100 * config.min_detected:.0f} % are needed",
        )
    confidence = np.concatenate(track.confidence)
    return Pose(
        position=position,
        confidence=confidence,
        time_s=np.arange(n) / fps,
        keypoints=estimator.skeleton.keypoints,
        fps=fps,
        units="pixels",
        world=np.concatenate(track.world) if track.world else None,
        source_software=f"fidgety {estimator.name}",
        skeleton=estimator.skeleton.name,
        own_skeleton=own_or_none(estimator.skeleton),
        details={
            "estimator": estimator.name,
            "options": estimator.options.model_dump(mode="json"),
            "orientation": config.orientation,
            "views": track.views,
            "persons": {**persons, "keypoints_on_others": track.on_others},
            "detected_share": round(share, 4),
            "mean_confidence": round(float(confidence[detected].mean()), 4),
            "mean_quality": round(float(np.concatenate(track.quality)[detected].mean()), 4),
        },
    )
