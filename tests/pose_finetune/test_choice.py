"""Chosen frames are varied, sharp, apart in time, and the same on every run."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.pose.finetune.choice import (
    MIN_GAP_SHARE,
    SAME_PICTURE,
    SAME_POSE,
    Candidates,
    candidate_step,
    choose_frames,
    distance,
    sharpness,
    shown_by_pose,
    small_picture,
)
from tests.pose.infant import infant_pose


def make(shown: np.ndarray, sharp: np.ndarray | None = None, same: float = 0.1) -> Candidates:
    n = len(shown)
    return Candidates(
        np.arange(n), np.arange(n) / 10, shown, same, np.ones(n) if sharp is None else sharp
    )


def test_every_posture_is_taken_once_though_one_fills_nearly_the_whole_recording() -> None:
    postures = np.array([[0.0, 0], [5, 0], [0, 5], [5, 5], [-5, 0]])
    which = np.zeros(200, dtype=int)
    for posture, start in enumerate((30, 70, 110, 150), start=1):
        which[start : start + 8] = posture
    rng = np.random.default_rng(1)
    candidates = make(postures[which] + rng.normal(0, 0.05, (200, 2)), same=0.3)
    chosen = choose_frames(candidates, 5, seed=0)
    assert sorted(which[chosen].tolist()) == [0, 1, 2, 3, 4]


def test_the_chosen_stand_for_all_better_than_evenly_spread_frames() -> None:
    gains = []
    for seed in range(4):
        pose = infant_pose(60.0, 10.0, seed=seed)
        shown = shown_by_pose(pose, np.arange(pose.n_frames))
        assert shown is not None
        chosen = choose_frames(make(shown, same=SAME_POSE), 8, seed=0)
        even = [round((k + 0.5) * pose.n_frames / 8) for k in range(8)]
        assert len(chosen) == 8

        def from_nearest(frames: list[int], shown: np.ndarray = shown) -> float:
            apart = [distance(shown, f, list(range(len(shown)))) for f in frames]
            return float(np.min(apart, axis=0).mean())

        gains.append(from_nearest(even) / from_nearest(chosen))
    assert np.mean(gains) > 1.03


def test_a_blurred_frame_is_never_chosen() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    sharp = sharpness(picture)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0))
    assert sharpness(blurred) < 0.3 * sharp
    values = np.where(np.arange(100) % 4 == 0, 0.3, 1.0)
    chosen = choose_frames(make(rng.normal(size=(100, 6)), values), 10, seed=0)
    assert len(chosen) == 10
    assert all(k % 4 for k in chosen)


def test_sharpness_counts_inside_the_window_alone() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    picture[40:80, 40:80] = 128
    assert sharpness(picture, (45, 45, 75, 75)) == 0 < sharpness(picture)


def test_an_infant_at_rest_gives_one_frame_and_an_empty_video_none() -> None:
    assert len(choose_frames(make(np.zeros((50, 4))), 5, seed=0)) == 1
    nothing = Candidates(
        np.array([], dtype=np.intp), np.array([]), np.zeros((0, 2)), 0.1, np.array([])
    )
    assert choose_frames(nothing, 5, seed=0) == []
    with pytest.raises(ValueError, match="1 or more"):
        choose_frames(make(np.zeros((5, 2))), 0, seed=0)


@given(
    seed=st.integers(0, 50),
    n=st.integers(1, 12),
    n_frames=st.integers(1, 80),
    level=st.floats(0.0, 2.0),
)
def test_laws_of_the_choice(seed: int, n: int, n_frames: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    shown = np.cumsum(rng.normal(0, level, (n_frames, 3)), axis=0)
    candidates = make(shown, rng.uniform(0.2, 1.0, n_frames), same=0.5)
    chosen = choose_frames(candidates, n, seed)
    assert chosen == choose_frames(candidates, n, seed)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= n
    limit = 0.6 * np.median(candidates.sharpness)
    assert (candidates.sharpness[chosen] >= limit).all()
    gap = MIN_GAP_SHARE * (candidates.time_s[-1] - candidates.time_s[0]) / n
    for k, one in enumerate(chosen):
        others = chosen[:k] + chosen[k + 1 :]
        if others:
            assert distance(shown, one, others).min() >= 0.5
            assert np.abs(candidates.time_s[others] - candidates.time_s[one]).min() >= gap


def test_pose_features_are_trunk_lengths_and_forget_the_camera() -> None:
    pose = infant_pose(5.0, 10.0, seed=1)
    frames = np.arange(pose.n_frames)
    shown = shown_by_pose(pose, frames)
    moved = infant_pose(5.0, 10.0, seed=1)
    moved.position[:] = 3.0 * moved.position[:, ::1] + 55.0
    other = shown_by_pose(moved, frames)
    assert shown is not None
    assert other is not None
    np.testing.assert_allclose(shown, other, atol=1e-9)
    # One frame with every keypoint 0.3 trunk lengths away differs by 0.3.
    assert distance(np.vstack([shown[0], shown[0] + 0.3]), 0, [1])[0] == pytest.approx(0.3)


def test_lost_keypoints_do_not_make_a_frame_special() -> None:
    pose = infant_pose(5.0, 10.0, seed=1)
    whole = shown_by_pose(pose, np.arange(pose.n_frames))
    pose.position[7, :, pose.keypoints.index("left_wrist")] = np.nan
    shown = shown_by_pose(pose, np.arange(pose.n_frames))
    assert whole is not None
    assert shown is not None
    assert np.isfinite(shown).all()
    assert abs(distance(shown, 7, [6]) - distance(whole, 7, [6])) < 0.2
    pose.position[:] = np.nan
    assert shown_by_pose(pose, np.arange(3)) is None


def test_small_pictures_see_a_limb_and_not_the_noise_of_a_camera() -> None:
    rng = np.random.default_rng(3)
    still = np.full((240, 320, 3), 120, dtype=np.uint8)
    noisy = np.clip(still + rng.normal(0, 8, still.shape), 0, 255).astype(np.uint8)
    limb = still.copy()
    limb[100:180, 100:140] = 220
    rows = np.vstack([small_picture(p) for p in (still, noisy, limb)])
    apart = distance(rows, 0, [1, 2])
    assert apart[0] < SAME_PICTURE < apart[1]


@pytest.mark.parametrize(("n_frames", "step"), [(1, 1), (300, 1), (301, 2), (7500, 25)])
def test_few_frames_of_a_long_video_are_looked_at(n_frames: int, step: int) -> None:
    assert candidate_step(n_frames) == step
    assert len(range(0, n_frames, step)) <= 300
