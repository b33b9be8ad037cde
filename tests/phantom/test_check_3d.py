"""3D poses of phantoms against their truth: what a turned, scaled or lost pose scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fidgety.errors import NotAssessable, Reason
from fidgety.files import dumps
from fidgety.phantom.check_3d import LiftedCheck, check_lifted, lifted_errors, lifted_measures
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import TRUTH_SCHEMA
from fidgety.pose.normalisation import turn
from fidgety.pose.tracks import POSE_SCHEMA, Pose, write_pose
from fidgety.skeletons import HUMAN36M_17, convert
from fidgety.storage import Provenance, write_dataset, write_not_assessable
from fidgety.video.record import write_video_record
from tests.phantom.test_check import N, make_truth, record
from tests.pose.infant import infant_pose


def make_bodies() -> tuple[Pose, np.ndarray]:
    """Make a lifted pose that is the truth, in another size, upside down and around the pelvis."""
    source = infant_pose(N / 25, seed=2)
    assert source.world is not None
    truth = convert(source.world, source.keypoints, HUMAN36M_17)
    pose = Pose(
        position=1.7 * turn(truth - truth[:, :, :1], 2.0),
        confidence=np.ones((N, 17)),
        time_s=source.time_s,
        keypoints=HUMAN36M_17.keypoints,
        fps=25.0,
        units="metres",
        details={"lifting": {"method": "estimator"}},
    )
    return pose, truth + np.array([[0.1], [0.2], [1.0]])


def write_files(folder: Path, pose: Pose | None, truth: np.ndarray) -> LiftedCheck:
    dataset = make_truth()
    dataset["position_h36m"] = (("time", "space_3d", "joint"), truth)
    spec = PhantomSpec("p1", "i1", "phantom-external", "external", "normal", "continuous")
    dataset.attrs["spec"] = dumps(spec.to_dict())
    write_dataset(folder / "truth.h5", dataset, schema=TRUTH_SCHEMA, provenance=Provenance())
    write_video_record(folder / "p1.json", record(), Provenance())
    if pose is None:
        error = NotAssessable(Reason.NO_3D, "2D positions alone")
        write_not_assessable(folder / "l.h5", error, schema=POSE_SCHEMA, provenance=Provenance())
    else:
        write_pose(folder / "l.h5", pose, Provenance())
    return check_lifted(folder / "truth.h5", folder / "p1.json", folder / "l.h5")


def test_the_truth_in_another_size_and_turn_has_no_error(tmp_path: Path) -> None:
    pose, truth = make_bodies()
    found = write_files(tmp_path, pose, truth)
    assert (found.infant, found.method, found.reason) == ("i1", "estimator", "")
    row = found.row()
    # Files hold 32 bits.
    assert row["p_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert row["n_mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert (row["frames_3d"], row["found_3d"]) == (N, 1.0)


def test_a_joint_that_is_off_counts_in_the_truths_metres() -> None:
    pose, truth = make_bodies()
    dataset = make_truth()
    dataset["position_h36m"] = (("time", "space_3d", "joint"), truth)
    position = pose.position.copy()
    position[:, 2, HUMAN36M_17.index("left_wrist")] += 1.7 * 0.17  # 17 cm deeper
    errors = lifted_errors(replace(pose, position=position), dataset, record())
    # A seventeenth of it, 1 cm, before alignment, which spreads it over all joints.
    for error in (errors.n_mpjpe, errors.p_mpjpe):
        assert 0.005 < np.nanmean(error) < 0.03


def test_a_phantom_without_a_3d_pose_is_counted(tmp_path: Path) -> None:
    pose, truth = make_bodies()
    there = write_files(tmp_path, pose, truth)
    lost = replace(write_files(tmp_path, None, truth), infant="i2")
    assert "no_3d" in lost.reason
    assert lost.row()["found_3d"] == 0
    measures = {m.measure: m for m in lifted_measures([there, lost])}
    assert measures["3D joints found (share)"].value == 0.5
    assert measures["3D joints found (share)"].n == "2 infants"
    assert measures["3D P-MPJPE (mm)"].n == f"1 infants, {N} frames"
    assert np.isnan(measures["3D P-MPJPE (mm)"].low)
    assert lifted_measures([]) == []
