"""Left and right exchanged: found, undone, and not seen where there is none."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.pose.gaps import blank
from fidgety.pose.swaps import Swap, decode, find_swaps, side_pairs, undo_swaps
from fidgety.pose.tracks import Pose
from fidgety.pose.trajectory import robust_trajectory
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17
from tests.pose.infant import PIXELS_A_METRE, TRUNK_M, infant_pose

BODY_PX = TRUNK_M * PIXELS_A_METRE


@cache
def _pose(seed: int = 0) -> Pose:
    return infant_pose(24.0, seed=seed)


def _find(position: np.ndarray, keypoints: tuple[str, ...]) -> tuple[np.ndarray, list[Swap]]:
    time_s = np.arange(len(position)) / 25.0
    trajectory = robust_trajectory(
        position, time_s, window_frames=13, longest_gap_s=0.66, body_length=BODY_PX
    )
    return find_swaps(
        position,
        keypoints,
        time_s,
        trajectory,
        threshold=6.0,
        longest_gap_s=0.66,
        body_length=BODY_PX,
    )


def _swapped(
    pose: Pose, names: tuple[str, ...], start: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    exchanged = np.zeros((pose.n_frames, len(pose.keypoints)), dtype=bool)
    pairs = side_pairs(pose.keypoints)
    exchanged[start:end, [i for name in names for i in pairs[name]]] = True
    return undo_swaps(pose.position, exchanged, pose.keypoints), exchanged


def test_pairs_by_name() -> None:
    assert set(side_pairs(BLAZEPOSE_33.keypoints)) >= {"mouth", "wrist", "heel", "eye_inner"}
    assert len(side_pairs(BLAZEPOSE_33.keypoints)) == 16
    assert len(side_pairs(HUMAN36M_17.keypoints)) == 6


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 3), st.integers(1, 500), st.integers(5, 90))
def test_a_swap_of_everything_is_undone(seed: int, start: int, length: int) -> None:
    pose = _pose(seed)
    position, exchanged = _swapped(pose, tuple(side_pairs(pose.keypoints)), start, start + length)
    found, swaps = _find(position, pose.keypoints)
    np.testing.assert_array_equal(found, exchanged)
    assert len(swaps) == 1
    assert (swaps[0].start_frame, swaps[0].end_frame) == (start, start + length)
    np.testing.assert_array_equal(undo_swaps(position, found, pose.keypoints), pose.position)


@pytest.mark.parametrize(
    "names",
    [
        ("knee", "ankle", "heel", "foot_index"),
        ("elbow", "wrist", "index", "pinky", "thumb"),
        ("wrist",),
        ("ankle",),
    ],
)
def test_limbs_and_single_pairs_are_undone(names: tuple[str, ...]) -> None:
    pose = _pose()
    position, exchanged = _swapped(pose, names, 200, 260)
    found, _ = _find(position, pose.keypoints)
    np.testing.assert_array_equal(found, exchanged)


def test_missing_values_and_outliers_do_not_hide_a_swap(rng: np.random.Generator) -> None:
    pose = _pose()
    position, exchanged = _swapped(pose, tuple(side_pairs(pose.keypoints)), 250, 310)
    outlier = rng.random(exchanged.shape) < 0.02
    position = np.where(
        outlier[:, None], position + rng.normal(0, BODY_PX, position.shape), position
    )
    gone = rng.random(exchanged.shape) < 0.2
    found, _ = _find(blank(position, gone), pose.keypoints)
    usable = ~gone & ~outlier
    assert (found == exchanged)[usable].mean() > 0.999


@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_nothing_is_found_where_nothing_is_wrong(jitter: float, rng: np.random.Generator) -> None:
    for seed in range(4):
        pose = _pose(seed)
        noisy = pose.position + jitter * BODY_PX * rng.standard_normal(pose.position.shape)
        _, swaps = _find(noisy, pose.keypoints)
        assert swaps == []


def test_limbs_that_cross_at_speed_are_no_swap() -> None:
    time_s = np.arange(200) / 25.0
    x = 60.0 * np.sin(2 * np.pi * 1.5 * time_s)
    position = np.zeros((200, 2, 2))
    position[:, 0, 0], position[:, 0, 1] = x, -x
    _, swaps = _find(position, ("left_ankle", "right_ankle"))
    assert swaps == []


def test_the_shorter_of_two_complementary_stretches_is_the_exchanged_one() -> None:
    pose = _pose()
    everything = tuple(side_pairs(pose.keypoints))
    position, exchanged = _swapped(pose, everything, 0, 80)
    found, _ = _find(position, pose.keypoints)
    np.testing.assert_array_equal(found, exchanged)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_decoding_equals_trying_everything(seed: int, n: int) -> None:
    from fidgety.pose import swaps as module

    rng = np.random.default_rng(seed)
    evidence = rng.uniform(-1, 1, n)

    def score(state: tuple[int, ...]) -> float:
        total = -module.FRAME_COST * sum(state) - module.EDGE_COST * (state[0] + state[-1])
        for t in range(1, n):
            changed = state[t] != state[t - 1]
            total += evidence[t] - module.SWITCH_COST if changed else -evidence[t]
        return total

    states = [tuple((i >> b) & 1 for b in range(n)) for i in range(2**n)]
    best = max(map(score, states))
    found = tuple(int(s) for s in decode(evidence))
    if evidence.max() > module.SWITCH_COST / 2:
        assert score(found) == pytest.approx(best)
    else:
        assert not any(found)


def test_tracks_without_sides() -> None:
    exchanged, swaps = _find(np.zeros((10, 2, 1)), ("nose",))
    assert not exchanged.any()
    assert swaps == []
