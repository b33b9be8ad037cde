"""The workflow's 3D poses of rendered phantoms, compared with the truth.

Truth is Human3.6M-17 in the camera's axes, in metres. Both are turned upright by one angle a
recording, each by its own, as everything that follows sees them, and aligned as
:mod:`fidgety.pose.accuracy_3d` says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import NotAssessable
from fidgety.phantom.check import truth_frames
from fidgety.phantom.record import read_truth
from fidgety.phantom.validation import Measure
from fidgety.pose.accuracy_3d import Errors3D, errors_3d, mean_by_infant
from fidgety.pose.gaps import Positions
from fidgety.pose.normalisation import move_origin, trunk_length, turn, upright_angle
from fidgety.pose.tracks import Pose, read_pose
from fidgety.skeletons import HUMAN36M_17
from fidgety.video.record import VideoRecord, read_video_record

NAMES = HUMAN36M_17.keypoints


@dataclass(frozen=True)
class LiftedCheck:
    """Errors of one phantom's 3D pose.

    Parameters
    ----------
    recording, infant
        Whose it is.
    errors
        In metres.
    method
        How it was lifted; empty without a result.
    reason
        Why there is no 3D pose.
    """

    recording: str
    infant: str
    errors: Errors3D
    method: str = ""
    reason: str = ""

    def row(self) -> dict[str, Any]:
        """Return the recording's figures as one row of a table."""
        return {"recording": self.recording, "method": self.method, **self.errors.row()}


def _upright(position: NDArray[np.floating]) -> Positions:
    centred = move_origin(position, NAMES, "pelvis")
    return turn(centred, upright_angle(centred, NAMES))


def lifted_errors(pose: Pose, truth: xr.Dataset, video: VideoRecord) -> Errors3D:
    """Compare a lifted pose with a phantom's truth.

    Parameters
    ----------
    pose
        3D, Human3.6M-17, one frame for each of the standard video.
    truth
        Dataset of a truth file.
    video
        Record of the standard video.

    Raises
    ------
    FidgetyError
        If truth and video do not belong together.
    """
    n = min(pose.n_frames, len(video.source_time_s))
    whole = truth["position_h36m"].values
    frames = truth_frames(truth, video, n)
    order = [pose.keypoints.index(name) for name in NAMES]
    return errors_3d(
        _upright(pose.position[:n][:, :, order]),
        _upright(whole)[frames],
        trunk_length(whole, NAMES),
        HUMAN36M_17.index("pelvis"),
    )


def check_lifted(
    truth: str | os.PathLike[str],
    record: str | os.PathLike[str],
    lifted: str | os.PathLike[str],
) -> LiftedCheck:
    """Compare a rendered phantom's 3D pose with its truth.

    Parameters
    ----------
    truth
        ``phantom-truth/1`` file.
    record
        ``results/video/{recording}.json``.
    lifted
        ``results/pose/lifted/{recording}.h5``; without a result all joints count as not found.

    Raises
    ------
    StorageError
        If a file is not what it should be.
    """
    spec, dataset = read_truth(truth)
    whole = dataset["position_h36m"].values
    try:
        video = read_video_record(Path(record))
        video.outcome.raise_if_not_ok()
        pose = read_pose(lifted)
    except NotAssessable as error:
        nothing = np.full(whole.shape, np.nan)
        found = errors_3d(nothing, whole, trunk_length(whole, NAMES))
        return LiftedCheck(spec.recording, spec.infant, found, reason=str(error))
    method = str(pose.details.get("lifting", {}).get("method", ""))
    return LiftedCheck(spec.recording, spec.infant, lifted_errors(pose, dataset, video), method)


def lifted_measures(checks: Sequence[LiftedCheck]) -> list[Measure]:
    """Pool the errors by infant: means with their t intervals, in millimetres and trunk lengths."""
    if not checks:
        return []
    infants = tuple(c.infant for c in checks)
    rows = [c.row() for c in checks]
    of = f"{len(checks)} rendered phantoms"
    measures = []
    for name, text in (("p_mpjpe", "3D P-MPJPE"), ("n_mpjpe", "3D N-MPJPE")):
        for unit, spelled in (("mm", "mm"), ("trunk", "trunk lengths")):
            values = np.array([row[f"{name}_{unit}"] for row in rows])
            mean, low, high, n = mean_by_infant(values, infants)
            frames = sum(row["frames_3d"] for row in rows)
            counted = f"{n} infants, {frames} frames"
            measures.append(Measure(f"{text} ({spelled})", of, mean, low, high, counted))
    found = np.array([row["found_3d"] for row in rows])
    mean, low, high, n = mean_by_infant(found, infants, highest=1.0)
    measures.append(Measure("3D joints found (share)", of, mean, low, high, f"{n} infants"))
    return measures
