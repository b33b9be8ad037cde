"""Frames of reference: laws of moving, turning and scaling."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.normalisation import (
    circular_median,
    move_origin,
    normalise,
    point,
    trunk_length,
    turn,
    upright_angle,
)
from fidgety.pose.tracks import Pose
from fidgety.skeletons import HUMAN36M_17
from tests.pose.infant import PIXELS_A_METRE, TRUNK_M, infant_pose


@cache
def _pose() -> Pose:
    return infant_pose(4.0, seed=3)


def test_the_trunk_has_its_known_length() -> None:
    pose = _pose()
    expected = TRUNK_M * PIXELS_A_METRE
    assert trunk_length(pose.position, pose.keypoints) == pytest.approx(expected, rel=1e-6)
    assert pose.world is not None
    assert trunk_length(pose.world, pose.keypoints) == pytest.approx(TRUNK_M, rel=1e-6)


def test_the_trunks_length_is_robust() -> None:
    pose = _pose()
    position = pose.position.copy()
    position[:30] += np.random.default_rng(0).normal(0, 500, position[:30].shape)
    position[30:40] = np.nan
    expected = TRUNK_M * PIXELS_A_METRE
    assert trunk_length(position, pose.keypoints) == pytest.approx(expected, rel=0.02)


def test_no_trunk_is_a_reason() -> None:
    pose = _pose()
    with pytest.raises(NotAssessable) as error:
        trunk_length(np.full_like(pose.position, np.nan), pose.keypoints)
    assert error.value.reason is Reason.POSE_TOO_SPARSE
    with pytest.raises(NotAssessable) as error:
        point(pose.position[:, :, :1], ("nose",), "pelvis")
    assert error.value.reason is Reason.SKELETON_MISMATCH


@settings(max_examples=25, deadline=None)
@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    origin=st.sampled_from(["sternum", "pelvis"]),
)
def test_normalised_positions_forget_place_turn_and_size(
    angle: float, scale: float, shift: tuple[float, float], origin: str
) -> None:
    pose = _pose()
    moved = scale * turn(pose.position, angle) + np.array(shift)[None, :, None]
    expected, _ = normalise(pose.position, pose.keypoints, origin=origin)  # type: ignore[arg-type]
    out, parameters = normalise(moved, pose.keypoints, origin=origin)  # type: ignore[arg-type]
    np.testing.assert_allclose(out, expected, atol=1e-6)
    assert parameters["origin"] == origin


def test_upright_puts_the_thorax_above_the_pelvis() -> None:
    pose = _pose()
    out, _ = normalise(turn(pose.position, 2.0), pose.keypoints)
    trunk = point(out, pose.keypoints, "thorax") - point(out, pose.keypoints, "pelvis")
    assert np.median(trunk[:, 0]) == pytest.approx(0.0, abs=0.02)
    np.testing.assert_allclose(np.median(np.linalg.norm(trunk, axis=1)), 1.0, rtol=1e-9)
    assert (trunk[:, 1] < 0).all()


def test_a_3d_turn_leaves_depth_alone() -> None:
    pose = _pose()
    assert pose.world is not None
    out = turn(pose.world, 1.0)
    np.testing.assert_array_equal(out[:, 2], pose.world[:, 2])
    np.testing.assert_allclose(turn(out, -1.0), pose.world, atol=1e-12)
    angle = upright_angle(turn(pose.world, 1.0), pose.keypoints)
    assert angle == pytest.approx(upright_angle(pose.world, pose.keypoints) - 1.0, abs=1e-9)


def test_frames_without_the_origin_are_missing_and_the_origin_is_zero() -> None:
    keypoints = HUMAN36M_17.keypoints
    position = np.random.default_rng(0).standard_normal((5, 3, 17))
    position[2, :, 0] = np.nan
    out = move_origin(position, keypoints, "pelvis")
    assert np.isnan(out[2]).all()
    assert (out[[0, 1, 3, 4], :, 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(st.floats(-10, 10), st.integers(0, 1000))
def test_the_circular_median_turns_with_its_angles(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.concatenate([rng.normal(0, 0.2, 41), rng.uniform(-np.pi, np.pi, 8), [np.nan]])
    base = circular_median(angles)
    assert abs(base) < 0.2
    turned = circular_median(np.angle(np.exp(1j * (angles + shift))))
    assert abs(np.angle(np.exp(1j * (turned - base - shift)))) < 1e-6


def test_the_circular_median_of_nothing_and_of_plain_angles() -> None:
    assert circular_median(np.array([np.nan])) == 0.0
    assert circular_median(np.array([0.1, 0.3, 0.2])) == pytest.approx(0.2)
    near_wrap = circular_median(np.array([np.pi - 0.1, np.pi, -np.pi + 0.3]))
    assert abs(abs(near_wrap) - np.pi) < 1e-9
