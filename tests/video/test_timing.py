"""The even grid against a search over all frames, and the clock against its laws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.video.timing import (
    Clock,
    nominal_rate,
    sample_nearest,
    snap_rate,
    standard_rate,
)

steps_ms = st.lists(st.integers(1, 400), min_size=1, max_size=60)
rates = st.sampled_from([Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(10)])


@given(steps_ms, rates)
def test_every_grid_point_shows_the_nearest_frame(steps: list[int], rate: Fraction) -> None:
    times = np.concatenate([[0.0], np.cumsum(steps)]) / 1000
    picked = list(sample_nearest(((t, k) for k, t in enumerate(times)), rate))
    grid = np.arange(len(picked)) / float(rate)
    distance = np.abs(grid[:, None] - times[None])
    assert np.allclose(distance[np.arange(len(picked)), picked], distance.min(axis=1), atol=1e-9)
    # The grid covers the frames: its next point would lie behind the last one.
    assert grid[-1] <= times[-1] + 1e-9 < len(picked) / float(rate) + 2e-9


@pytest.mark.parametrize(
    ("source_hz", "rate", "n", "expected"),
    [
        (25, 25, 100, list(range(100))),
        (60, 30, 120, list(range(0, 120, 2))),
        (50, 25, 100, list(range(0, 100, 2))),
        (15, 30, 3, [0, 0, 1, 1, 2]),
    ],
)
def test_an_even_source_gives_an_even_pick(
    source_hz: int, rate: int, n: int, expected: list[int]
) -> None:
    items = ((k / source_hz, k) for k in range(n))
    assert list(sample_nearest(items, Fraction(rate), 1 / source_hz))[: len(expected)] == expected


def test_no_frame_gives_no_grid() -> None:
    assert list(sample_nearest(iter([]), Fraction(25), 0.04)) == []


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(60)])
def test_the_nominal_rate_survives_drops_and_jitter(
    rate: Fraction, rng: np.random.Generator
) -> None:
    times = np.arange(600) / float(rate)
    times = times[rng.random(600) > 0.15] + 0
    times = times + rng.normal(0, 0.0004, len(times))
    assert nominal_rate(times) == pytest.approx(rate, rel=1e-3)


def test_the_nominal_rate_of_a_single_frame_is_the_default() -> None:
    assert nominal_rate([0.0], 30.0) == 30


@pytest.mark.parametrize(
    ("nominal", "bound", "expected"),
    [
        (25, 30, 25), (30, 30, 30), (60, 30, 30), (50, 30, 25), (120, 30, 30), (240, 30, 30),
        (Fraction(60000, 1001), 30, Fraction(30000, 1001)), (48, 30, 24), (31, 30, 30),
        (40, 30, 30), (60, 60, 60), (12, 30, 12),
    ],
)  # fmt: skip
def test_the_standard_rate(nominal: Fraction, bound: float, expected: Fraction) -> None:
    assert standard_rate(Fraction(nominal), bound) == expected


@given(st.fractions(min_value=1, max_value=300), st.sampled_from([10.0, 25.0, 30.0, 60.0]))
def test_the_standard_rate_is_never_above_the_bound(nominal: Fraction, bound: float) -> None:
    assert float(standard_rate(nominal, bound)) <= bound * (1 + 1e-5)


def test_rates_next_to_a_standard_one_are_taken_for_it() -> None:
    assert snap_rate(29.97) == Fraction(30000, 1001)
    assert snap_rate(30.0003) == 30
    assert snap_rate(17.0) == 17


stamps = st.lists(st.one_of(st.none(), st.floats(-30, 30)), min_size=1, max_size=50)


@given(stamps)
def test_a_clock_only_runs_forwards(stamps_s: list[float | None]) -> None:
    clock = Clock(0.04)
    times = [t for t in map(clock.place, stamps_s) if t is not None]
    assert times[0] == 0
    assert np.all(np.diff(times) > 0)
    assert len(times) + clock.n_backwards == len(stamps_s)


def test_a_clock_drops_stray_frames_and_bridges_jumps() -> None:
    clock = Clock(0.04)
    stamps_s = [5.0, 5.04, 5.02, 5.08, 9000.0, 9000.04, 1.0, 1.04, None]
    times = [clock.place(stamp) for stamp in stamps_s]
    expected = [0.0, 0.04, None, 0.08, 0.12, 0.16, 0.20, 0.24, 0.28]
    assert [t is None for t in times] == [t is None for t in expected]
    assert [t for t in times if t is not None] == pytest.approx(
        [t for t in expected if t is not None]
    )
    words = " ".join(clock.warnings())
    assert "1 frames run backwards" in words
    assert words.count("the clock jumps") == 2
    assert "1 frames have no time stamp" in words
