"""Outliers: the right keypoint gets the blame, movement does not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from fidgety.pose.gaps import blank
from fidgety.pose.outliers import (
    SMALLEST_JOINT_ANGLE_DEG,
    bone_lengths,
    bone_outliers,
    joint_outliers,
    jump_outliers,
)
from fidgety.pose.tracks import Pose
from fidgety.pose.trajectory import robust_trajectory
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17
from tests.pose.infant import PIXELS_A_METRE, TRUNK_M, infant_pose

BODY_PX = TRUNK_M * PIXELS_A_METRE


@cache
def _pose() -> Pose:
    return infant_pose(20.0, seed=5)


def _deviation(position: np.ndarray, body: float = BODY_PX) -> np.ndarray:
    time_s = np.arange(len(position)) / 25.0
    return robust_trajectory(
        position, time_s, window_frames=13, longest_gap_s=0.6, body_length=body
    ).deviation


def test_bones_have_their_length_whatever_the_pose() -> None:
    pose = _pose()
    assert pose.world is not None
    lengths = bone_lengths(pose.world, BLAZEPOSE_33.bone_indices)
    thigh = BLAZEPOSE_33.bones.index(("left_hip", "left_knee"))
    np.testing.assert_allclose(lengths[:, thigh], 0.10, rtol=1e-9)


@pytest.mark.parametrize("space", [2, 3])
@pytest.mark.parametrize(
    "name", ["left_wrist", "right_elbow", "left_knee", "right_ankle", "left_hip"]
)
def test_the_displaced_keypoint_is_blamed_and_no_other(name: str, space: int) -> None:
    pose = _pose()
    assert pose.world is not None
    truth = pose.position if space == 2 else pose.world
    body = BODY_PX if space == 2 else TRUNK_M
    position = truth.copy()
    k = pose.keypoints.index(name)
    hit = np.arange(20, 480, 40)
    position[hit, 0, k] += 3.0 * body
    mask = bone_outliers(
        position,
        BLAZEPOSE_33.bone_indices,
        _deviation(position, body),
        tolerance=0.6,
        body_length=body,
    )
    np.testing.assert_array_equal(np.flatnonzero(mask[:, k]), hit)
    mask[:, k] = False
    assert not mask.any()


def test_a_whole_stretch_away_is_found_by_its_bones_where_it_is_no_jump() -> None:
    pose = _pose()
    position = pose.position.copy()
    k = pose.keypoints.index("left_ankle")
    position[200:230, 1, k] += 4.0 * BODY_PX
    deviation = _deviation(position)
    assert not jump_outliers(deviation, 6.0)[210:220, k].any()
    mask = bone_outliers(
        position, BLAZEPOSE_33.bone_indices, deviation, tolerance=0.6, body_length=BODY_PX
    )
    assert mask[200:230, k].mean() > 0.95


def test_shortened_bones_count_in_3d_alone() -> None:
    pose = _pose()
    assert pose.world is not None
    for truth, body, expected in ((pose.position, BODY_PX, False), (pose.world, TRUNK_M, True)):
        position = truth.copy()
        elbow, wrist = (pose.keypoints.index(f"left_{n}") for n in ("elbow", "wrist"))
        position[50, :, wrist] = position[50, :, elbow]
        bones = np.array([[pose.keypoints.index("left_shoulder"), elbow], [elbow, wrist]])
        mask = bone_outliers(
            position, bones, _deviation(position, body), tolerance=0.6, body_length=body
        )
        assert mask[50, [elbow, wrist]].any() == expected


def test_bones_without_values_and_without_bones() -> None:
    position = np.full((4, 2, 17), np.nan)
    empty = np.full((4, 17), np.nan)
    assert not bone_outliers(position, HUMAN36M_17.bone_indices, empty, 0.5, 1.0).any()
    assert not bone_outliers(position, np.empty((0, 2), dtype=np.intp), empty, 0.5, 1.0).any()


@pytest.mark.parametrize(("degrees", "expected"), [(10.0, True), (20.0, False), (170.0, False)])
def test_joints_beyond_anatomy(degrees: float, expected: bool) -> None:
    keypoints = ("left_shoulder", "left_elbow", "left_wrist")
    angle = np.deg2rad(degrees)
    position = np.zeros((3, 3, 3))
    position[:, 0, 0] = 1.0
    position[:, 0, 2], position[:, 1, 2] = 0.8 * np.cos(angle), 0.8 * np.sin(angle)
    deviation = np.zeros((3, 3))
    deviation[1, 0] = 5.0
    mask = joint_outliers(position, keypoints, deviation)
    assert (degrees < SMALLEST_JOINT_ANGLE_DEG) == expected
    assert mask.any() == expected
    if expected:
        # The distal keypoint unless another one strays from its trajectory.
        np.testing.assert_array_equal(mask, [[0, 0, 1], [1, 0, 0], [0, 0, 1]])
    assert not joint_outliers(position[:, :2], keypoints, deviation).any()


def test_jumps_are_found_and_movement_is_not(rng: np.random.Generator) -> None:
    pose = _pose()
    position = pose.position.copy()
    hit = rng.random((pose.n_frames, 33)) < 0.02
    hit[:2] = hit[-2:] = False
    direction = rng.standard_normal(position.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    position += hit[:, None] * direction * BODY_PX
    found = jump_outliers(_deviation(position), 6.0)
    assert found[hit].mean() > 0.95
    assert found[~hit].mean() < 0.001


def test_a_pause_ends_a_trajectory() -> None:
    position = np.zeros((100, 2, 1))
    position[50:] = 10.0
    position[40:60] = np.nan
    deviation = _deviation(position, body=1.0)
    np.testing.assert_array_equal(np.nan_to_num(deviation), 0)
    assert np.isnan(deviation[40:60]).all()


def test_the_running_median_is_the_plain_one(rng: np.random.Generator) -> None:
    position = rng.standard_normal((60, 2, 2))
    gone = rng.random((60, 2)) < 0.2
    position = blank(position, gone)
    trajectory = robust_trajectory(
        position, np.arange(60) / 25, window_frames=5, longest_gap_s=9.0, body_length=1.0
    )
    for k in range(2):
        known = np.flatnonzero(~gone[:, k])
        for i in range(2, len(known) - 2):
            expected = np.median(position[known[i - 2 : i + 3], :, k], axis=0)
            np.testing.assert_allclose(trajectory.centre[known[i], :, k], expected)
    assert np.isnan(trajectory.centre[gone.nonzero()[0], 0, gone.nonzero()[1]]).all()
