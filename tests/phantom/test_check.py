"""The comparison with truth counts what it should, on cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from fidgety.errors import FidgetyError, NotAssessable, Reason
from fidgety.files import dumps
from fidgety.phantom.check import (
    RecordingCheck,
    check_recording,
    keypoint_errors,
    mask_overlaps,
    summarise_errors,
    summarise_overlaps,
    to_standard,
)
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import TRUTH_SCHEMA
from fidgety.phantom.validation import picture_measures
from fidgety.pose.tracks import POSE_SCHEMA, Pose, write_pose
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import Provenance, write_dataset, write_not_assessable
from fidgety.video.record import VideoRecord, write_video_record

N, K = 20, 33


def make_truth() -> xr.Dataset:
    """A body whose trunk is 100 px long, at rest, with masks in every fifth frame."""
    rng = np.random.default_rng(0)
    position = np.repeat(rng.uniform(40, 360, (1, 2, K)), N, axis=0)
    for side in ("left", "right"):
        position[:, :, BLAZEPOSE_33.index(f"{side}_shoulder")] = (200, 100)
        position[:, :, BLAZEPOSE_33.index(f"{side}_hip")] = (200, 200)
    masks = np.zeros((4, 400, 400), dtype=np.uint8)
    masks[:, 100:300, 100:200] = 255
    return xr.Dataset(
        {
            "position": (("time", "space", "keypoint"), position),
            "visible": (("time", "keypoint"), np.ones((N, K), dtype=np.uint8)),
            "mask": (("mask_frame", "height", "width"), masks),
        },
        coords={"time": np.arange(N) / 25, "mask_frame": np.arange(0, N, 5)},
    )


def record(**changes: object) -> VideoRecord:
    values = {
        "source_width_px": 400,
        "source_height_px": 400,
        "width_px": 400,
        "height_px": 400,
        "source_time_s": tuple(np.arange(N) / 25),
    }
    return VideoRecord(**{**values, **changes})


def pose_at(position: np.ndarray) -> Pose:
    n = len(position)
    return Pose(position, np.ones((n, K)), np.arange(n) / 25, BLAZEPOSE_33.keypoints, 25.0)


def test_known_errors_give_known_shares() -> None:
    truth = make_truth()
    found = truth["position"].values.copy()
    found[:, 0, 0] += 15.0  # the nose: 0.15 trunk lengths
    found[:, 1, 1] += 50.0
    found[:, :, 2] = np.nan
    truth["visible"][:, 3] = 0
    found[:, :, 3] = np.nan  # hidden: it does not count
    errors = keypoint_errors(pose_at(found), truth, record())
    np.testing.assert_allclose(errors[:, 0], 0.15)
    np.testing.assert_allclose(errors[:, 1], 0.5)
    assert np.all(np.isinf(errors[:, 2]))
    assert np.all(np.isnan(errors[:, 3]))
    check = summarise_errors([errors, errors])
    assert check.n == 2 * N * 32
    assert check.share_near == pytest.approx(29 / 32)
    assert check.share_far == pytest.approx(30 / 32)
    assert check.median == 0
    assert check.joints_near == 1
    assert summarise_errors([errors[:, 2:3].repeat(33, axis=1)]).p95 == np.inf


def test_crop_scale_and_clock_are_undone() -> None:
    truth = make_truth()
    # Every second frame, the middle of the picture, half the size.
    video = record(
        width_px=150,
        height_px=150,
        crop_px=(50, 40, 300, 300),
        scale=0.5,
        source_time_s=tuple(np.arange(0, N, 2) / 25 + 4e-4),
    )
    standard = to_standard(truth["position"].values, video)
    np.testing.assert_allclose(standard[0, :, 11], ((200 - 50) / 2, (100 - 40) / 2))
    errors = keypoint_errors(pose_at(standard[::2] + np.array([[3.0], [4.0]])), truth, video)
    # 5 px of a trunk that is 50 px long in the standard video.
    np.testing.assert_allclose(errors, 0.1)


def test_a_video_of_another_phantom_is_refused() -> None:
    truth = make_truth()
    video = record(source_time_s=tuple(np.arange(N) / 25 + 0.013))
    with pytest.raises(FidgetyError, match=r"13\.0 ms"):
        keypoint_errors(pose_at(truth["position"].values), truth, video)


def test_overlap_of_shifted_masks() -> None:
    truth = make_truth()
    found = np.zeros((N, 200, 200), dtype=np.uint8)
    found[:, 50:150, 50:100] = 255  # the same body at half the size
    exact = mask_overlaps(found, truth, record())
    assert exact.shape == (4,)
    np.testing.assert_allclose(exact, 1.0, atol=0.02)
    moved = mask_overlaps(np.roll(found, 10, axis=2), truth, record())
    # 100 px wide, moved by 20: 80 in common of 120.
    np.testing.assert_allclose(moved, 80 / 120, atol=0.02)
    check = summarise_overlaps([exact, moved])
    assert check.n_frames == 8
    assert check.iou_mean == pytest.approx((exact.mean() + moved.mean()) / 2)
    assert np.isnan(summarise_overlaps([]).iou_mean)


def check_files(folder: Path, *, lost: tuple[str, ...] = ()) -> RecordingCheck:
    """Check a phantom found without error, but for the stages that have no result."""
    truth = make_truth()
    spec = PhantomSpec("p1", "p1", "phantom-external", "external", "normal", "continuous")
    truth.attrs["spec"] = dumps(spec.to_dict())
    write_dataset(folder / "truth.h5", truth, schema=TRUTH_SCHEMA, provenance=Provenance())
    write_video_record(folder / "p1.json", record(), Provenance())
    error = NotAssessable(Reason.NO_BODY, "3 % of the frames")
    if "pose" in lost:
        write_not_assessable(folder / "pose.h5", error, schema=POSE_SCHEMA, provenance=Provenance())
    else:
        write_pose(folder / "pose.h5", pose_at(truth["position"].values), Provenance())
    if "mask" in lost:
        write_not_assessable(
            folder / "background.h5", error, schema="background/1", provenance=Provenance()
        )
    else:
        masks = truth["mask"].values.repeat(5, axis=0)
        write_dataset(
            folder / "background.h5",
            xr.Dataset({"mask": (("time", "height", "width"), masks)}),
            schema="background/1",
            provenance=Provenance(),
        )
    return check_recording(
        *(folder / n for n in ("truth.h5", "p1.json", "background.h5", "pose.h5"))
    )


def test_a_phantom_without_a_result_counts_as_wrong(tmp_path: Path) -> None:
    found = check_files(tmp_path)
    assert found.reasons == ()
    lost = check_files(tmp_path, lost=("pose", "mask"))
    assert len(lost.reasons) == 2
    assert "no_body: 3 % of the frames" in lost.reasons[0]
    measures = {m.measure: m for m in picture_measures([found, found, lost])}
    far = measures["joints within 0.2 trunk lengths"]
    assert far.value == pytest.approx(2 / 3)
    assert far.n == f"{3 * N * 12} joints"
    every = measures["all keypoints within 0.1 trunk lengths"]
    assert every.value == pytest.approx(2 / 3)
    assert every.n == f"{3 * N * 33} keypoints"
    assert far.of == "3 rendered phantoms"
    assert measures["keypoint error, 95th percentile"].value == np.inf
    assert measures["mask IoU (mean)"].value == pytest.approx(2 / 3)
    assert measures["mask IoU (mean)"].n == "12 frames"


def test_what_one_stage_found_is_kept_when_another_found_nothing(tmp_path: Path) -> None:
    no_mask = check_files(tmp_path, lost=("mask",))
    assert not np.isinf(no_mask.errors).any()
    assert (no_mask.overlaps == 0).all()
    assert len(no_mask.reasons) == 1
