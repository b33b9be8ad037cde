"""What the workflow found in a rendered phantom, compared with the truth.

Lengths are in trunk lengths: the recording's median distance, in the picture, from the middle
of the hips to the middle of the shoulders, of the truth. A keypoint that is visible but was not
found counts as wrong.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import zoom

from fidgety.errors import FidgetyError, NotAssessable
from fidgety.phantom.record import read_truth
from fidgety.pose.tracks import Pose, read_pose
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import read_dataset
from fidgety.video.record import VideoRecord, read_video_record

Array = NDArray[np.float64]

#: Keypoints that are joints (the others are points of face, hands and feet).
JOINTS = tuple(
    f"{side}_{name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
NEAR, FAR = 0.1, 0.2


@dataclass(frozen=True)
class PoseCheck:
    """How near to the truth the keypoints are.

    Parameters
    ----------
    n, n_joints
        Visible keypoints that were compared, over all frames; those of the joints alone.
    share_near, share_far
        Share within 0.1 and 0.2 trunk lengths.
    median, p95
        Of the distance, in trunk lengths; infinite where that many were not found.
    joints_near, joints_far
        The shares for the joints of the limbs alone (:data:`JOINTS`).
    """

    n: int
    n_joints: int
    share_near: float
    share_far: float
    median: float
    p95: float
    joints_near: float
    joints_far: float


@dataclass(frozen=True)
class MaskCheck:
    """How well the body mask fits.

    Parameters
    ----------
    n_frames
        Frames that were compared.
    iou_mean, iou_median, iou_p05
        Intersection over union, over frames.
    """

    n_frames: int
    iou_mean: float
    iou_median: float
    iou_p05: float


def _crop_of(video: VideoRecord) -> tuple[int, int, int, int]:
    return video.crop_px or (0, 0, video.source_width_px, video.source_height_px)


def to_standard(points: Array, video: VideoRecord) -> Array:
    """Turn pixels of the source as displayed (frame, 2, point) into the standard video's."""
    x, y, width, height = _crop_of(video)
    scale = np.array([video.width_px / width, video.height_px / height])
    return np.asarray((points - np.array([x, y])[:, None]) * scale[:, None])


def truth_frames(truth: xr.Dataset, video: VideoRecord, n: int) -> NDArray[np.intp]:
    """Return the truth's frame behind each of a standard video's first ``n`` frames.

    Raises
    ------
    FidgetyError
        If a frame was taken at a time at which the phantom has none.
    """
    stamps = truth["time"].values
    wanted = np.asarray(video.source_time_s[:n])
    after = np.clip(np.searchsorted(stamps, wanted), 1, len(stamps) - 1)
    nearest = np.where(wanted - stamps[after - 1] <= stamps[after] - wanted, after - 1, after)
    off = np.abs(stamps[nearest] - wanted)
    # Clocks of video files tick at least a thousand times a second.
    if off.size and off.max() > 2e-3:
        raise FidgetyError(
            f"the standard video has a frame {1000 * off.max():.1f} ms off every frame of the "
            "phantom: truth and video do not belong together; run the workflow again."
        )
    return np.asarray(nearest)


def keypoint_errors(pose: Pose, truth: xr.Dataset, video: VideoRecord) -> Array:
    """Return distances in trunk lengths (frame, BlazePose-33 keypoint).

    Keypoints that are not visible in truth are NaN, visible ones that were not found infinite.
    """
    names = BLAZEPOSE_33.keypoints
    n = min(pose.n_frames, len(video.source_time_s))
    frames = truth_frames(truth, video, n)
    # Over the real frames, not the standard ones: repeats must not weigh on the trunk.
    whole = to_standard(truth["position"].values, video)
    index = names.index
    trunk = np.median(
        np.linalg.norm(
            whole[:, :, index("left_shoulder")]
            + whole[:, :, index("right_shoulder")]
            - whole[:, :, index("left_hip")]
            - whole[:, :, index("right_hip")],
            axis=1,
        )
        / 2
    )
    order = [pose.keypoints.index(name) for name in names]
    distance = np.linalg.norm(pose.position[:n, :2][:, :, order] - whole[frames], axis=1) / trunk
    distance = np.where(np.isfinite(distance), distance, np.inf)
    return np.where(truth["visible"].values[frames] > 0, distance, np.nan)


def summarise_errors(errors: Sequence[Array]) -> PoseCheck:
    """Pool the distances of one or several recordings (:func:`keypoint_errors`)."""
    joints = [BLAZEPOSE_33.index(name) for name in JOINTS]
    every = np.concatenate([e[~np.isnan(e)] for e in errors])
    limbs = np.concatenate([e[:, joints][~np.isnan(e[:, joints])] for e in errors])

    def quantile(q: float) -> float:
        return float(np.quantile(every, q, method="higher")) if every.size else float("nan")

    def share(values: Array, limit: float) -> float:
        return float(np.mean(values <= limit)) if values.size else float("nan")

    return PoseCheck(
        n=int(every.size),
        n_joints=int(limbs.size),
        share_near=share(every, NEAR),
        share_far=share(every, FAR),
        median=quantile(0.5),
        p95=quantile(0.95),
        joints_near=share(limbs, NEAR),
        joints_far=share(limbs, FAR),
    )


def mask_overlaps(masks: NDArray[np.uint8], truth: xr.Dataset, video: VideoRecord) -> Array:
    """Return the intersection over union of every frame that has a true mask.

    Parameters
    ----------
    masks : ndarray of shape (frame, height, width)
        Soft masks of the standard video, 0 to 255, at any size; the body is where they reach
        128.
    truth
        Dataset of a truth file.
    video
        Of the standard video.
    """
    n = min(len(masks), len(video.source_time_s))
    frames = truth_frames(truth, video, n)
    place = {int(frame): i for i, frame in enumerate(truth["mask_frame"].values)}
    x, y, width, height = _crop_of(video)
    overlaps = []
    for standard, source in enumerate(frames):
        if int(source) not in place:
            continue
        body = truth["mask"].values[place[int(source)]][y : y + height, x : x + width]
        found = masks[standard]
        # Compared in pixels of the source, so that a coarse mask is judged as it is used.
        factor = (body.shape[0] / found.shape[0], body.shape[1] / found.shape[1])
        found = zoom(found.astype(np.float32), factor, order=1, mode="nearest", grid_mode=True)[
            : body.shape[0], : body.shape[1]
        ]
        a, b = found >= 128, body >= 128
        union = np.count_nonzero(a | b)
        overlaps.append(np.count_nonzero(a & b) / union if union else 1.0)
    return np.array(overlaps)


def summarise_overlaps(overlaps: Sequence[Array]) -> MaskCheck:
    """Pool the overlaps of one or several recordings (:func:`mask_overlaps`)."""
    every = np.concatenate(overlaps) if overlaps else np.empty(0)
    if not every.size:
        return MaskCheck(0, float("nan"), float("nan"), float("nan"))
    return MaskCheck(
        n_frames=int(every.size),
        iou_mean=float(every.mean()),
        iou_median=float(np.median(every)),
        iou_p05=float(np.quantile(every, 0.05)),
    )


@dataclass(frozen=True)
class RecordingCheck:
    """One rendered phantom: errors of its keypoints and overlaps of its masks, to be pooled.

    Parameters
    ----------
    recording
        Id.
    errors
        Of :func:`keypoint_errors`.
    overlaps
        Of :func:`mask_overlaps`.
    reasons
        Why there is no pose or no mask; what is missing counts as wrong.
    """

    recording: str
    errors: Array
    overlaps: Array
    reasons: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return the recording's figures as one row of a table."""
        pose = asdict(summarise_errors([self.errors]))
        mask = asdict(summarise_overlaps([self.overlaps]))
        return {
            "recording": self.recording,
            **{f"pose_{name}": value for name, value in pose.items()},
            **{f"mask_{name}": value for name, value in mask.items()},
        }


def nothing_found(truth: xr.Dataset) -> tuple[Array, Array]:
    """Return errors and overlaps of a recording in which nothing was found.

    Every visible keypoint of every frame is infinitely wrong, every true mask is missed.
    """
    visible = truth["visible"].values > 0
    return np.where(visible, np.inf, np.nan), np.zeros(truth.sizes["mask_frame"])


def check_recording(
    truth: str | os.PathLike[str],
    record: str | os.PathLike[str],
    background: str | os.PathLike[str],
    pose: str | os.PathLike[str],
) -> RecordingCheck:
    """Compare the workflow's files of a rendered phantom with its truth.

    What has no result counts as wrong (:func:`nothing_found`): a phantom is made to be found.

    Parameters
    ----------
    truth
        ``phantom-truth/1`` file.
    record
        ``results/video/{recording}.json``.
    background
        ``background/1`` file.
    pose
        ``pose/1`` file: raw or clean, in pixels of the standard video.

    Raises
    ------
    StorageError
        If a file is not what it should be.
    """
    spec, dataset = read_truth(truth)
    errors, overlaps = nothing_found(dataset)
    reasons = []
    try:
        video = read_video_record(Path(record))
        video.outcome.raise_if_not_ok()
    except NotAssessable as error:
        return RecordingCheck(spec.recording, errors, overlaps, (str(error),))
    try:
        errors = keypoint_errors(read_pose(pose), dataset, video)
    except NotAssessable as error:
        reasons.append(f"no pose: {error}")
    try:
        masks = read_dataset(background, schema="background/1")["mask"].values
        overlaps = mask_overlaps(masks, dataset, video)
    except NotAssessable as error:
        reasons.append(f"no mask: {error}")
    return RecordingCheck(spec.recording, errors, overlaps, tuple(reasons))
