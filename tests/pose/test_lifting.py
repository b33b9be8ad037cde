"""Lifting: conversion, pelvis at zero, upright, origins, and what cannot be lifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.cleaning import clean
from fidgety.pose.lifters.estimator import EstimatorLifter
from fidgety.pose.lifting import derived_origin, lift, turns_upright
from fidgety.pose.normalisation import trunk_length, turn, upright_angle
from fidgety.pose.tracks import Origin
from fidgety.skeletons import HUMAN36M_17, convert
from tests.pose.infant import TRUNK_M, infant_pose

CONFIG = CleaningConfig()


@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0])
def test_the_lifted_pose_is_the_truth_turned_upright(angle: float) -> None:
    pose = infant_pose(8.0, seed=4)
    assert pose.world is not None
    turned = replace(pose, position=turn(pose.position, angle), world=turn(pose.world, angle))
    out = lift(clean(turned, CONFIG), CONFIG, EstimatorLifter())
    truth = convert(pose.world, pose.keypoints, HUMAN36M_17)
    truth -= truth[:, :, :1]
    truth = turn(truth, upright_angle(truth, HUMAN36M_17.keypoints))
    assert np.median(np.linalg.norm(out.position - truth, axis=1)) < 1e-6
    assert np.percentile(np.linalg.norm(out.position - truth, axis=1), 99) < 0.05 * TRUNK_M
    assert (out.position[:, :, 0] == 0).all()
    assert upright_angle(out.position, out.keypoints) == pytest.approx(0, abs=1e-6)
    assert (out.units, out.skeleton) == ("metres", "human36m17")
    assert trunk_length(out.position, out.keypoints) == pytest.approx(TRUNK_M, rel=1e-6)


def test_a_zscored_track_is_moved_and_not_turned(rng: np.random.Generator) -> None:
    pose = infant_pose(8.0, seed=4)
    assert pose.world is not None
    h36m = convert(turn(pose.world, 1.0), pose.keypoints, HUMAN36M_17)
    track = replace(
        pose,
        position=h36m,
        confidence=np.ones((len(h36m), 17)),
        keypoints=HUMAN36M_17.keypoints,
        world=None,
        units="zscore",
        skeleton="",
    )
    out = lift(clean(track, CONFIG), CONFIG, EstimatorLifter())
    assert out.details["lifting"]["angle_rad"] == 0.0
    assert np.median(np.abs(out.position - (h36m - h36m[:, :, :1]))) < 1e-12
    assert out.units == "zscore"
    assert turns_upright("metres", CONFIG)
    assert not turns_upright("unknown", CONFIG)
    assert turns_upright("zscore", CleaningConfig(upright_3d="always"))
    assert not turns_upright("metres", CleaningConfig(upright_3d="never"))


def test_a_2d_track_has_a_reason() -> None:
    pose = replace(infant_pose(4.0), world=None)
    with pytest.raises(NotAssessable) as error:
        lift(clean(pose, CONFIG), CONFIG, EstimatorLifter())
    assert error.value.reason is Reason.NO_3D
    empty = replace(pose, world=np.full((pose.n_frames, 3, 33), np.nan))
    with pytest.raises(NotAssessable) as error:
        lift(clean(empty, CONFIG), CONFIG, EstimatorLifter())
    assert error.value.reason is Reason.NO_3D


def test_a_mean_is_as_certain_as_its_least_certain_part() -> None:
    names = ("left_hip", "right_hip")
    o = Origin
    origin = np.array(
        [
            [o.MEASURED, o.MEASURED],
            [o.MEASURED, o.CORRECTED],
            [o.IMPUTED, o.CORRECTED],
            [o.IMPUTED, o.MISSING],
        ],
        dtype=np.uint8,
    )
    out = derived_origin(origin, names, ("pelvis", "left_hip", "nose"))
    assert out[:, 0].tolist() == [o.MEASURED, o.CORRECTED, o.IMPUTED, o.MISSING]
    np.testing.assert_array_equal(out[:, 1], origin[:, 0])
    assert (out[:, 2] == o.MISSING).all()


def test_frames_without_a_pelvis_are_missing() -> None:
    pose = infant_pose(8.0)
    position = pose.position.copy()
    position[100:130, :, pose.keypoints.index("left_hip")] = np.nan
    out = lift(clean(replace(pose, position=position), CONFIG), CONFIG, EstimatorLifter())
    assert out.origin is not None
    assert np.isnan(out.position[100:130]).all()
    assert (out.origin[100:130] == Origin.MISSING).all()
    np.testing.assert_array_equal(out.origin == Origin.MISSING, np.isnan(out.position).any(axis=1))
