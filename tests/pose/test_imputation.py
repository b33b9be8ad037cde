"""Imputation: what it keeps, what it fills, what it must not invent."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import Akima1DInterpolator

from fidgety.pose.gaps import gap_lengths_s, present
from fidgety.pose.imputation import impute

FPS = 25.0


def _holed(seed: int, n: int = 80, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    position = np.cumsum(rng.standard_normal((n, 2, 3)), axis=0)
    gone = rng.random((n, 3)) < share
    position[np.broadcast_to(gone[:, None], position.shape)] = np.nan
    return position, np.cumsum(rng.uniform(0.5, 1.5, n)) / FPS


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.02, 1.0))
def test_known_values_stay_and_only_short_gaps_are_filled(
    seed: int, max_gap_s: float, pure_gap_s: float
) -> None:
    position, time_s = _holed(seed)
    out, filled = impute(position, time_s, FPS, max_gap_s, pure_gap_s)
    there = present(position)
    mask = np.broadcast_to(there[:, None], position.shape)
    np.testing.assert_array_equal(out[mask], position[mask])
    gap = gap_lengths_s(there, time_s, FPS)
    np.testing.assert_array_equal(filled, ~there & (gap <= max_gap_s + 1e-3))
    np.testing.assert_array_equal(present(out), there | filled)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_scipys_modified_akima_in_time(seed: int) -> None:
    position, time_s = _holed(seed)
    out, filled = impute(position, time_s, FPS, max_gap_s=0.5)
    for k in range(3):
        known = present(position)[:, k]
        for s in range(2):
            curve = Akima1DInterpolator(time_s[known], position[known, s, k], method="makima")
            np.testing.assert_allclose(
                out[filled[:, k], s, k], curve(time_s[filled[:, k]]), rtol=1e-12, atol=1e-12
            )


def test_long_gaps_are_drawn_towards_the_straight_line() -> None:
    time_s = np.arange(40) / FPS
    position = np.sin(4 * time_s)[:, None, None] * np.ones((1, 2, 1))
    position[15:25] = np.nan  # 0.4 s
    curve, _ = impute(position, time_s, FPS, 0.6)
    half, _ = impute(position, time_s, FPS, 0.6, pure_gap_s=0.2)
    line = np.interp(
        time_s, np.delete(time_s, range(15, 25)), np.delete(position[:, 0, 0], range(15, 25))
    )
    assert np.abs(curve[15:25, 0, 0] - line[15:25]).max() > 0.01
    np.testing.assert_allclose(half[:, 0, 0], (curve[:, 0, 0] + line) / 2, atol=1e-9)


def test_gaps_at_the_edges_and_empty_keypoints_stay_missing() -> None:
    position = np.ones((20, 2, 2))
    position[:3, :, 0] = np.nan
    position[-1, :, 0] = np.nan
    position[:, :, 1] = np.nan
    out, filled = impute(position, np.arange(20) / FPS, FPS, 10.0)
    assert not filled.any()
    np.testing.assert_array_equal(np.isnan(out), np.isnan(position))
