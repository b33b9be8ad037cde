"""Filters: what passes unchanged, what stays missing, and second implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from fidgety.pose.smoothing import Method, jitter, moving_average, savitzky_golay, smooth

METHODS: tuple[Method, ...] = ("moving_average", "savitzky_golay", "butterworth", "none")
FPS = 25.0


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    window=st.integers(1, 11),
    slope=st.floats(-10, 10),
    offset=st.floats(-1000, 1000),
)
def test_constants_and_lines_pass_and_gaps_stay(
    method: Method, seed: int, window: int, slope: float, offset: float
) -> None:
    rng = np.random.default_rng(seed)
    n = 120
    line = (offset + slope * np.arange(n))[:, None, None] * np.ones((1, 2, 2))
    gone = rng.random((n, 2)) < 0.05
    line[np.broadcast_to(gone[:, None], line.shape)] = np.nan
    out = smooth(line, method, fps=FPS, window_frames=window, order=2)
    np.testing.assert_allclose(out, line, rtol=1e-9, atol=1e-8)


def test_inside_a_stretch_it_is_the_plain_filter(rng: np.random.Generator) -> None:
    x = rng.standard_normal((60, 2, 3))
    average = moving_average(x, 5)
    np.testing.assert_allclose(
        average[10], x[8:13].mean(axis=0), rtol=1e-12, err_msg="moving average of 5"
    )
    np.testing.assert_allclose(average[1], x[0:3].mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(average[0], x[0])
    expected = savgol_filter(x, 7, 2, axis=0, mode="interp")
    np.testing.assert_allclose(savitzky_golay(x, 7, 2)[3:-3], expected[3:-3], atol=1e-12)


@pytest.mark.parametrize("method", ["moving_average", "savitzky_golay", "butterworth"])
def test_nothing_reaches_across_a_gap(method: Method, rng: np.random.Generator) -> None:
    x = rng.standard_normal((120, 2, 1))
    x[60] = np.nan
    other = x.copy()
    other[61:] += 100.0
    a, b = (smooth(v, method, fps=FPS, window_frames=7) for v in (x, other))
    np.testing.assert_array_equal(a[:60], b[:60])


@pytest.mark.parametrize("method", ["moving_average", "savitzky_golay", "butterworth"])
def test_noise_becomes_less_and_slow_movement_stays(
    method: Method, rng: np.random.Generator
) -> None:
    time_s = np.arange(500) / FPS
    slow = np.sin(2 * np.pi * 0.5 * time_s)[:, None, None] * np.ones((1, 2, 1))
    noise = 0.05 * rng.standard_normal(slow.shape)
    out = smooth(slow + noise, method, fps=FPS, window_frames=5)
    assert np.std((out - slow)[10:-10]) < 0.8 * 0.05
    assert np.abs(smooth(slow, method, fps=FPS, window_frames=5) - slow)[10:-10].max() < 0.02


def test_a_cutoff_above_half_the_rate_takes_nothing_away(rng: np.random.Generator) -> None:
    x = rng.standard_normal((100, 2, 1))
    np.testing.assert_array_equal(smooth(x, "butterworth", fps=10.0, cutoff_hz=6.0), x)


@pytest.mark.parametrize("sd", [0.5, 2.0])
def test_jitter_finds_the_noise_and_not_the_movement(sd: float, rng: np.random.Generator) -> None:
    time_s = np.arange(2000) / FPS
    movement = 40.0 * np.sin(2 * np.pi * 0.6 * time_s)[:, None, None] * np.ones((1, 2, 2))
    noisy = movement + sd * rng.standard_normal(movement.shape)
    noisy[rng.random(2000) < 0.02] += 300.0
    np.testing.assert_allclose(jitter(noisy), sd, rtol=0.15)
    assert (jitter(movement) < 0.05).all()
    assert (jitter(np.full((50, 2, 1), np.nan)) == 0).all()
