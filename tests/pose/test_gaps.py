"""Gaps: against a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fidgety.pose.gaps import blank, gap_lengths_s, present


@settings(max_examples=50, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 3))), st.floats(10, 60))
def test_gap_lengths_equal_those_counted_by_hand(there: np.ndarray, fps: float) -> None:
    n, k = there.shape
    gap = gap_lengths_s(there, np.arange(n) / fps, fps)
    for i in range(k):
        for t in range(n):
            if there[t, i]:
                assert gap[t, i] == 0
                continue
            start, end = t, t
            while start >= 0 and not there[start, i]:
                start -= 1
            while end < n and not there[end, i]:
                end += 1
            if start < 0 or end == n:
                assert np.isinf(gap[t, i])
            else:
                np.testing.assert_allclose(gap[t, i], (end - start - 1) / fps, atol=1e-9)


def test_one_missing_coordinate_makes_the_keypoint_missing() -> None:
    position = np.zeros((3, 2, 2))
    position[1, 0, 1] = np.nan
    np.testing.assert_array_equal(present(position), [[1, 1], [1, 0], [1, 1]])
    out = blank(position, ~present(position))
    assert np.isnan(out[1, :, 1]).all()
    assert np.isfinite(out[1, :, 0]).all()
