"""Tracks made elsewhere, brought onto the frames and pixels of the standard video.

Other trackers saw the source: all of its frames, whole, at its own size, turned as its rotation
flag asks. The standard video may have fewer frames, is cropped and smaller. Its record knows which
source frame each of its frames shows, so tracks that count frames are exact at a variable rate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.tracks import Pose
from fidgety.video.record import VideoRecord

#: Frames by which tracks and video may differ: trackers and containers count the last differently.
FRAMES_TOLERANCE = 2
#: The same in seconds, where tracks have times of their own.
END_TOLERANCE_S = 1.0


def onto_video(pose: Pose, record: VideoRecord) -> Pose:
    """Bring imported tracks onto the standard video.

    Parameters
    ----------
    pose
        Tracks in pixels of the source video as displayed, 2D; as an importer gives them.
    record
        Of a standard video that is assessable.

    Returns
    -------
    Pose
        One entry a frame of the standard video, in its pixels.

    Raises
    ------
    NotAssessable
        With ``pose_video_mismatch``: another number of frames, another length, or coordinates
        that are none of this picture.
    """
    if pose.details.get("counted_in") == "frames":
        counted = counted_from(pose, record.n_source_frames)
        rows = _rows_by_number(pose, record, counted)
    else:
        counted = 0
        rows = _rows_by_time(pose, record)
    there = rows >= 0
    n = record.n_frames
    position = np.full((n, *pose.position.shape[1:]), np.nan)
    confidence = np.zeros((n, len(pose.keypoints)))
    position[there] = pose.position[rows[there]]
    confidence[there] = pose.confidence[rows[there]]
    world = None
    if pose.world is not None:
        world = np.full((n, *pose.world.shape[1:]), np.nan)
        world[there] = pose.world[rows[there]]
    details = {
        **pose.details,
        "video": {
            "frames_of_tracks": pose.n_frames,
            "frames_of_source": record.n_source_frames,
            "frames_of_video": n,
            "frames_without_tracks": int((~there).sum()),
            **({"first_frame_number": counted} if counted else {}),
        },
    }
    if pose.units == "pixels" and pose.n_space == 2:
        outside = _require_inside(pose, record)
        details["video"]["outside_picture_share"] = round(outside, 4)
        position = _to_standard(position, record)
    return replace(
        pose,
        position=position,
        confidence=confidence,
        world=world,
        time_s=np.arange(n) / record.fps,
        fps=record.fps,
        details=details,
    )


def _mismatch(detail: str) -> NotAssessable:
    return NotAssessable(Reason.POSE_VIDEO_MISMATCH, detail)


def _rows_by_number(pose: Pose, record: VideoRecord, counted: int) -> NDArray[np.int64]:
    """Return each standard frame's row in the tracks, -1 where there is none.

    ``counted`` is the number of the first one.
    """
    n = record.n_source_frames
    more = pose.n_frames - n
    # A file that lists frames with a person alone ends with the last of them.
    fewer = -more if pose.details.get("every_frame", True) else 0
    if more > FRAMES_TOLERANCE or fewer > FRAMES_TOLERANCE:
        raise _mismatch(f"the tracks have {pose.n_frames} frames, the video {n}")
    rows = np.asarray(record.source_frame, dtype=np.int64) + counted
    return np.where(rows < pose.n_frames, rows, -1)


def counted_from(pose: Pose, n_source_frames: int) -> int:
    """Return the number that tracks give to a video's first frame.

    It is 1 where they have none for number 0 and one for a frame that counting from 0 does not
    reach: then the whole file is one frame late.
    """
    beyond = pose.n_frames == n_source_frames + 1
    return int(beyond and not np.isfinite(pose.position[0]).any())


def _rows_by_time(pose: Pose, record: VideoRecord) -> NDArray[np.int64]:
    """Return the same by the times of both, counted from the first frame."""
    wanted = np.asarray(record.source_time_s)
    end, other = float(pose.time_s[-1]), float(wanted[-1])
    if abs(end - other) > max(END_TOLERANCE_S, 0.02 * other):
        raise _mismatch(f"the tracks end at {end:.2f} s, the video at {other:.2f} s")
    after = np.clip(np.searchsorted(pose.time_s, wanted), 1, max(1, pose.n_frames - 1))
    before = after - 1
    after = np.minimum(after, pose.n_frames - 1)
    nearer = np.abs(pose.time_s[after] - wanted) < np.abs(pose.time_s[before] - wanted)
    rows = np.where(nearer, after, before)
    return np.where(np.abs(pose.time_s[rows] - wanted) <= 0.75 / pose.fps, rows, -1)


def _require_inside(pose: Pose, record: VideoRecord) -> float:
    """Return the share of positions outside the source's picture; half is another video."""
    x, y = pose.position[:, 0], pose.position[:, 1]
    known = np.isfinite(x) & np.isfinite(y)
    width, height = record.source_width_px, record.source_height_px
    outside = known & ((x < 0) | (y < 0) | (x > width) | (y > height))
    share = float(outside.sum() / max(1, known.sum()))
    if share > 0.5:
        raise _mismatch(
            f"{100 * share:.0f} % of the positions lie outside the video's {width} x {height} "
            "pixels; tracks must be in pixels of the whole source video"
        )
    return share


def _to_standard(position: NDArray[np.float64], record: VideoRecord) -> NDArray[np.float64]:
    """Carry positions (frame, 2, keypoint) from the source's pixels to the standard video's."""
    x, y, width, height = record.crop_px or (
        *(0, 0),
        *(record.source_width_px, record.source_height_px),
    )
    corner = np.array([x, y], dtype=np.float64)[:, None]
    scale = np.array([record.width_px / width, record.height_px / height])[:, None]
    return np.asarray((position - corner) * scale)
