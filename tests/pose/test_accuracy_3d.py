"""Errors of 3D poses: closed forms, SciPy's own alignment, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from fidgety.pose.accuracy_3d import (
    align_scale,
    align_similarity,
    errors_3d,
    mean_by_infant,
    mean_distance,
)


def bodies(seed: int, n: int = 5, joints: int = 17) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 0.2, (n, 3, joints))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_a_shifted_turned_and_scaled_pose_has_no_error(seed: int, scale: float) -> None:
    truth = bodies(seed)
    turns = Rotation.random(len(truth), rng=np.random.default_rng(seed)).as_matrix()
    other = scale * turns @ truth + np.arange(3.0)[:, None]
    np.testing.assert_allclose(align_similarity(other, truth), truth, atol=1e-9)
    # The scale alone does not undo a turn, but it does undo a scale and a shift.
    np.testing.assert_allclose(align_scale(scale * truth + 3.0, truth), truth, atol=1e-9)


def test_a_mirror_image_is_not_turned_into_its_original() -> None:
    truth = bodies(3)
    error = mean_distance(align_similarity(truth * np.array([[-1.0], [1], [1]]), truth), truth)
    assert (error > 0.05).all()


def test_the_alignment_is_scipys() -> None:
    truth, estimate = bodies(1), bodies(1) + bodies(2) * 0.5
    ours = align_similarity(estimate, truth)
    for a, b, found in zip(estimate, truth, ours, strict=True):
        a0, b0 = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
        rotation, _ = Rotation.align_vectors(b0.T, a0.T)
        turned = rotation.as_matrix() @ a0
        scale = (turned * b0).sum() / (a0 * a0).sum()
        expected = scale * turned + b.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_closed_forms() -> None:
    # The root at zero, one joint at (1, 0, 0) and one at (0, 1, 0), found turned by 90 degrees.
    truth = np.array([[[0.0, 1, 0], [0, 0, 1], [0, 0, 0]]])
    turned = np.array([[[0.0, 0, -1], [0, 1, 0], [0, 0, 0]]])
    np.testing.assert_allclose(mean_distance(align_similarity(turned, truth), truth), 0, atol=1e-12)
    # The best scale of a pose at right angles to the truth is 0: all joints at the root.
    np.testing.assert_allclose(mean_distance(align_scale(turned, truth), truth), 2 / 3)
    # One of three joints is 0.3 off across: distance 0.3 * (1 - 1/3 of the joints' own share).
    off = truth + np.array([[[0.0, 0, 0], [0, 0, 0], [0, 0.3, 0]]])
    scale = (1 + 1) / (1 + 0.3**2 + 1)
    expected = (0 + np.hypot(scale - 1, 0.3 * scale) + abs(scale - 1)) / 3
    np.testing.assert_allclose(mean_distance(align_scale(off, truth), truth), expected)


def test_missing_joints_are_left_out_and_sparse_frames_not_judged() -> None:
    truth = bodies(5, n=3)
    estimate = 2.0 * truth
    estimate[0, :, 4:6] = np.nan
    estimate[1, :, 3:] = np.nan
    estimate[2, :, 0] = np.nan
    found = errors_3d(estimate, truth, trunk=0.2)
    np.testing.assert_allclose(found.p_mpjpe[[0, 2]], 0, atol=1e-12)
    assert np.isnan(found.p_mpjpe[1])
    np.testing.assert_allclose(found.n_mpjpe[0], 0, atol=1e-12)
    assert np.isnan(found.n_mpjpe[1:]).all()  # without a root nothing can be put on it
    assert found.found == pytest.approx((15 + 3 + 16) / 51)
    assert found.row()["frames_3d"] == 2
    with pytest.raises(ValueError, match="shape"):
        errors_3d(truth[:, :2], truth, 0.2)


def test_millimetres_and_trunk_lengths() -> None:
    truth = bodies(7)
    found = errors_3d(truth + bodies(8) * 0.1, truth, trunk=0.16)
    row = found.row()
    assert row["p_mpjpe_mm"] == pytest.approx(1000 * found.p_mpjpe.mean())
    assert row["n_mpjpe_trunk"] == pytest.approx(found.n_mpjpe.mean() / 0.16)
    assert 0 < row["p_mpjpe_mm"] < row["n_mpjpe_mm"]


def test_infants_count_once_and_the_interval_is_students() -> None:
    values = np.array([1.0, 3.0, 4.0, np.nan, 6.0])
    mean, low, high, n = mean_by_infant(values, ("a", "a", "b", "c", "d"))
    assert (mean, n) == (4.0, 3)  # of 2, 4 and 6
    half = 4.302652729911275 * 2 / np.sqrt(3)  # t of 2 degrees of freedom, standard deviation 2
    assert (low, high) == (pytest.approx(max(4 - half, 0)), pytest.approx(4 + half))
    assert mean_by_infant(values, ("a",) * 5, highest=3.0)[0] == 3.5
    assert np.isnan(mean_by_infant(values[:2], ("a", "a"))[1])
    assert mean_by_infant(values[3:4], ("a",))[3] == 0
