"""Cleaning as a whole, against truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cleaning_accuracy import TOGETHER, compare, corrupt, real_motion
from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.cleaning import checks_bones, clean, low_confidence, window_frames
from fidgety.pose.gaps import gap_lengths_s, present
from fidgety.pose.quality import core_keypoints, frame_shares, origin_shares
from fidgety.pose.swaps import partners
from fidgety.pose.tracks import Origin, Pose
from tests.pose.infant import PIXELS_A_METRE, TRUNK_M, infant_pose

CONFIG = CleaningConfig()
ALONE = ("missing", "gaps", "outliers", "swap")


@cache
def _truths(space: int) -> list[Pose]:
    poses = [infant_pose(30.0, seed=seed) for seed in range(3)]
    if space == 2:
        return [replace(pose, world=None) for pose in poses]
    assert all(pose.world is not None for pose in poses)
    return [
        replace(pose, position=pose.world, world=None, units="metres")
        for pose in poses
        if pose.world is not None
    ]


@pytest.mark.parametrize("space", [2, 3])
@pytest.mark.parametrize("corruption", ALONE)
def test_never_worse_than_straight_lines_on_any_corruption(corruption: str, space: int) -> None:
    result = compare(_truths(space), (corruption,), CONFIG)
    assert all(a <= b for a, b in zip(result.ours.row(), result.linear.row(), strict=True))
    assert result.left_missing < 0.02


@pytest.mark.parametrize("space", [2, 3])
def test_a_third_of_the_error_with_everything_together(space: int) -> None:
    result = compare(_truths(space), TOGETHER, CONFIG)
    ours, linear = result.ours.row(), result.linear.row()
    assert ours[1] <= linear[1] / 3
    assert ours[3] <= linear[3] / 3
    assert result.left_missing < 0.02


def test_jitter_is_reduced() -> None:
    result = compare(_truths(2), ("noise",), CONFIG)
    assert result.ours.row()[0] < 0.8 * result.linear.row()[0]
    assert result.ours.row()[1] < 0.8 * result.linear.row()[1]


@pytest.mark.slow
def test_the_same_on_real_infant_motion(shared_data: Path) -> None:
    truths = real_motion(shared_data)
    for corruption in ALONE:
        result = compare(truths, (corruption,), CONFIG)
        assert all(a <= b for a, b in zip(result.ours.row(), result.linear.row(), strict=True)), (
            corruption
        )
    together = compare(truths, TOGETHER, CONFIG)
    assert together.ours.row()[1] <= together.linear.row()[1] / 3
    assert together.ours.row()[3] <= together.linear.row()[3] / 3


def test_a_perfect_track_stays_as_it_is() -> None:
    pose = infant_pose(20.0, seed=8)
    out = clean(pose, CONFIG).pose
    changed = np.abs(out.position - pose.position).max(axis=1) > 1e-9
    assert changed.mean() < 0.001
    assert out.details["cleaning"]["swaps"] == []
    assert (out.keypoints, out.units, out.fps) == (pose.keypoints, pose.units, pose.fps)


def test_every_value_has_its_origin(rng: np.random.Generator) -> None:
    truth = _truths(2)[0]
    corrupted = corrupt(truth, TOGETHER, rng).pose
    out = clean(corrupted, CONFIG).pose
    assert out.origin is not None
    there = present(corrupted.position)
    np.testing.assert_array_equal(out.origin == Origin.MISSING, ~present(out.position))
    measured, fixed = out.origin == Origin.MEASURED, out.origin == Origin.CORRECTED
    assert fixed.any()
    assert there[measured].all()
    quiet = [
        i for i, k in enumerate(truth.keypoints) if k not in out.details["cleaning"]["smoothed"]
    ]
    kept = np.zeros_like(measured)
    kept[:, quiet] = True
    rows, columns = np.nonzero(measured & kept)
    np.testing.assert_array_equal(
        out.position[rows, :, columns], corrupted.position[rows, :, columns]
    )
    rows, columns = np.nonzero(fixed & kept)
    other = partners(truth.keypoints)[columns]
    np.testing.assert_array_equal(
        out.position[rows, :, columns], corrupted.position[rows, :, other]
    )
    shares = origin_shares(out.origin)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert out.details["cleaning"]["shares"] == shares
    assert frame_shares(out.origin, Origin.IMPUTED).mean() == pytest.approx(shares["imputed"])


def test_long_gaps_stay_missing(rng: np.random.Generator) -> None:
    pose = _truths(2)[0]
    position = pose.position.copy()
    position[100:140, :, 15] = np.nan
    position[:10, :, 16] = np.nan
    out = clean(replace(pose, position=position), CONFIG).pose
    assert np.isnan(out.position[100:140, :, 15]).all()
    assert np.isnan(out.position[:10, :, 16]).all()
    gap = gap_lengths_s(present(position), pose.time_s, pose.fps)
    assert present(out.position)[gap < CONFIG.max_gap_s].all()
    assert out.details["cleaning"]["longest_gap_s"] == pytest.approx(40 / 25)


def test_low_confidence_is_taken_out_and_filled() -> None:
    pose = infant_pose(10.0, seed=1)
    confidence = pose.confidence.copy()
    position = pose.position.copy()
    confidence[50:55, 15] = 0.1
    position[50:55, :, 15] = 0.0
    out = clean(replace(pose, position=position, confidence=confidence), CONFIG).pose
    assert out.origin is not None
    assert (out.origin[50:55, 15] == Origin.IMPUTED).all()
    assert np.abs(out.position - pose.position)[50:55, :, 15].max() < 0.1 * TRUNK_M * PIXELS_A_METRE
    assert out.details["cleaning"]["outliers"]["confidence"] == 5
    assert not low_confidence(np.array([[np.nan]]), 0.5).any()


def test_world_follows_the_picture() -> None:
    pose = infant_pose(20.0, seed=2)
    assert pose.world is not None
    wrist, ankle = pose.keypoints.index("left_wrist"), pose.keypoints.index("right_ankle")
    everything = partners(pose.keypoints)
    position, world = pose.position.copy(), pose.world.copy()
    position[100:150] = position[100:150][:, :, everything]
    world[100:150] = world[100:150][:, :, everything]
    position[300, :, wrist] += 500.0  # an outlier in the picture takes the 3D value out as well
    world[300, :, wrist] = 7.0
    world[400, 2, ankle] += 1.0  # one in depth leaves the picture alone
    cleaned = clean(replace(pose, position=position, world=world), CONFIG)
    out = cleaned.pose
    assert out.world is not None
    assert out.origin is not None
    assert cleaned.world_origin is not None
    assert np.abs(out.world - pose.world).max() < 0.1 * TRUNK_M
    assert np.abs(out.position - pose.position).max() < 0.1 * TRUNK_M * PIXELS_A_METRE
    assert cleaned.world_origin[300, wrist] == Origin.IMPUTED == out.origin[300, wrist]
    assert cleaned.world_origin[400, ankle] == Origin.IMPUTED
    assert out.origin[400, ankle] == Origin.MEASURED
    assert (out.origin[100:150, wrist] == Origin.CORRECTED).all()


def test_bones_are_judged_where_units_are_lengths() -> None:
    assert checks_bones("pixels", CONFIG)
    assert not checks_bones("zscore", CONFIG)
    assert not checks_bones("unknown", CONFIG)
    assert checks_bones("zscore", CleaningConfig(bone_check="always"))
    assert not checks_bones("metres", CleaningConfig(bone_check="never"))


def test_too_little_is_a_reason(rng: np.random.Generator) -> None:
    pose = _truths(2)[0]
    with pytest.raises(NotAssessable) as error:
        clean(replace(pose, position=np.full_like(pose.position, np.nan)), CONFIG)
    assert error.value.reason is Reason.POSE_EMPTY
    position = pose.position.copy()
    position[200:] = np.nan
    with pytest.raises(NotAssessable) as error:
        clean(replace(pose, position=position), CONFIG)
    assert error.value.reason is Reason.POSE_TOO_SPARSE
    assert "73%" in error.value.detail
    with pytest.raises(NotAssessable) as error:
        clean(replace(pose, keypoints=tuple(f"k{i}" for i in range(33))), CONFIG)
    assert error.value.reason is Reason.SKELETON_MISMATCH


def test_fingers_do_not_decide() -> None:
    pose = _truths(2)[0]
    core = {pose.keypoints[i] for i in core_keypoints(pose.keypoints)}
    assert {"left_wrist", "right_ankle", "left_hip", "nose"} <= core
    assert not {"left_thumb", "mouth_left", "left_heel"} & core
    position = pose.position.copy()
    position[:, :, [i for i, k in enumerate(pose.keypoints) if k not in core]] = np.nan
    assert (
        clean(replace(pose, position=position), CONFIG).pose.details["cleaning"]["core_missing"]
        == 0
    )


def test_a_short_track_and_another_rate() -> None:
    assert clean(infant_pose(0.2), CONFIG).pose.n_frames == 5
    assert clean(infant_pose(4.0, fps=60.0), CONFIG).pose.fps == 60.0
    assert [window_frames(0.5, fps) for fps in (5.0, 25.0, 30.0, 60.0)] == [3, 13, 15, 29]


def test_the_same_in_gives_the_same_out(rng: np.random.Generator) -> None:
    corrupted = corrupt(_truths(2)[1], TOGETHER, rng).pose
    a, b = clean(corrupted, CONFIG).pose, clean(corrupted, CONFIG).pose
    np.testing.assert_array_equal(a.position, b.position)
    assert a.details == b.details


def test_the_corruptions_are_what_they_say(rng: np.random.Generator) -> None:
    truth = _truths(2)[0]
    for what in (("missing",), ("gaps",), ("missing", "gaps")):
        gone = ~present(corrupt(truth, what, rng).pose.position)
        assert gone.mean() == pytest.approx(0.20, abs=0.02)
        if what == ("gaps",):
            assert gap_lengths_s(~gone, truth.time_s, truth.fps).max() <= 0.5
    outlying = corrupt(truth, ("outliers",), rng)
    assert outlying.touched.mean() == pytest.approx(0.02, abs=0.005)
    far = np.linalg.norm(outlying.pose.position - truth.position, axis=1) / (
        TRUNK_M * PIXELS_A_METRE
    )
    assert far[outlying.touched].min() >= 0.49
    assert (far[~outlying.touched] == 0).all()
    assert 0.0 < corrupt(truth, ("swap",), rng).touched.mean() <= 2 / 30


@pytest.mark.slow
def test_the_same_on_phantoms() -> None:
    pytest.importorskip("anny", reason="the phantom's body model is not installed")
    from benchmarks.cleaning_accuracy import phantoms

    truths = phantoms(1, duration_s=20.0)
    for corruption in ALONE:
        result = compare(truths, (corruption,), CONFIG)
        assert all(a <= b for a, b in zip(result.ours.row(), result.linear.row(), strict=True)), (
            corruption
        )
    together = compare(truths, TOGETHER, CONFIG)
    assert together.ours.row()[1] <= together.linear.row()[1] / 3
    assert together.ours.row()[3] <= together.linear.row()[3] / 3
