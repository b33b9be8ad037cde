"""A phantom's truth as what trackers are compared with."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.phantom.check import to_standard, truth_frames
from fidgety.pose.comparison.reference import Reference
from fidgety.pose.normalisation import trunk_length
from fidgety.video.record import VideoRecord


def truth_reference(truth: xr.Dataset, video: VideoRecord) -> Reference:
    """Express a phantom's truth in the frames and pixels of its standard video.

    Parameters
    ----------
    truth
        Dataset of a truth file.
    video
        Record of the standard video.

    Returns
    -------
    Reference
        Visible keypoints of every frame. The area is the true mask's, in frames that have one
        (five a second): what object keypoint similarity is judged in.
    """
    keypoints = tuple(str(k) for k in truth["keypoint"].values)
    frames = truth_frames(truth, video, len(video.source_time_s))
    whole = to_standard(truth["position"].values.astype(np.float64), video)
    seen = truth["visible"].values[frames] > 0
    position = np.where(seen[:, None, :], whole[frames], np.nan)
    return Reference(
        np.arange(len(frames), dtype=np.intp),
        position,
        keypoints,
        _areas(truth, video, frames),
        "phantom",
        # Over the real frames, not the standard ones: repeats must not weigh on the trunk.
        trunk_length(whole, keypoints),
    )


def _areas(truth: xr.Dataset, video: VideoRecord, frames: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the body's area in square pixels of the standard video; NaN without a mask."""
    out = np.full(len(frames), np.nan)
    if "mask" not in truth:
        return out
    x, y, width, height = video.crop_px or (0, 0, video.source_width_px, video.source_height_px)
    scale = video.width_px / width * video.height_px / height
    place = {int(frame): i for i, frame in enumerate(truth["mask_frame"].values)}
    masks = truth["mask"].values
    for standard, source in enumerate(frames):
        if int(source) in place:
            body = masks[place[int(source)]][y : y + height, x : x + width]
            out[standard] = max(float(np.count_nonzero(body >= 128)) * scale, 1.0)
    return out
