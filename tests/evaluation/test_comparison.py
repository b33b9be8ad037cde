"""DeLong's, McNemar's and Holm's methods against their formulas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fidgety.evaluation.comparison import (
    PairTest,
    adjusted,
    compare_areas,
    compare_decisions,
    delong,
)
from fidgety.evaluation.intervals import Estimate
from fidgety.evaluation.metrics import auc

LOCKBOX = Path(__file__).parents[3] / "shared/data/calibration/predictions_lockbox.csv"


def literally(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong 1988, formulas 2 to 5, pair by pair."""
    x, y = scores[:, positive], scores[:, ~positive]
    psi = (x[:, :, None] > y[:, None, :]) + 0.5 * (x[:, :, None] == y[:, None, :])
    area, v10, v01 = psi.mean(axis=(1, 2)), psi.mean(axis=2), psi.mean(axis=1)
    m, n = x.shape[1], y.shape[1]
    s10 = (v10 - area[:, None]) @ (v10 - area[:, None]).T / (m - 1)
    s01 = (v01 - area[:, None]) @ (v01 - area[:, None]).T / (n - 1)
    return area, s10 / m + s01 / n


@given(st.integers(0, 2**31 - 1), st.integers(2, 12), st.integers(2, 12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_delong_by_midranks_is_delong_pair_by_pair(seed: int, m: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(m + n) < m)
    scores = rng.normal(size=(3, m + n)) + positive
    if ties:
        scores = scores.round()
    found = delong(positive, scores)
    value, covariance = literally(positive, scores)
    np.testing.assert_allclose(found.value, value, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    np.testing.assert_allclose(found.value, [auc(positive, s) for s in scores], atol=1e-12)


def test_the_test_keeps_its_level_and_finds_what_is_there() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(60) < 30

    def p_of(gain: float) -> float:
        shared = rng.normal(size=60) + positive
        scores = {
            k: shared + rng.normal(size=60) + g * positive for k, g in (("a", gain), ("b", 0))
        }
        return compare_areas(positive, scores)[0].p

    under_null = np.array([p_of(0.0) for _ in range(400)])
    assert 0.025 < (under_null < 0.05).mean() < 0.08
    assert np.mean([p_of(1.5) < 0.05 for _ in range(100)]) > 0.8


def test_pairs_without_a_test() -> None:
    positive = [True, True, True, False, False, False]
    perfect, other = [3, 4, 5, 0, 1, 2], [30, 40, 50, 0, 1, 2]
    (same,) = compare_areas(positive, {"a": perfect, "b": other})
    assert (same.p, same.difference.value) == (1.0, 0.0)
    (reverse,) = compare_areas(positive, {"a": perfect, "b": [-s for s in perfect]})
    assert math.isnan(reverse.p)
    assert reverse.difference.value == 1.0
    (alone,) = compare_areas([True, True], {"a": [0, 1], "b": [1, 0]})
    assert math.isnan(alone.p)
    assert math.isnan(alone.difference.value)


def test_mcnemar_is_the_binomial_test_of_who_alone_is_right() -> None:
    truth = np.ones(40, dtype=bool)
    a, b = np.ones(40, dtype=bool), np.ones(40, dtype=bool)
    b[:9], a[9:10] = False, False
    (found,) = compare_decisions(truth, {"a": a, "b": b})
    assert found.p == pytest.approx(2 * 11 / 1024)
    assert found.difference.value == pytest.approx(8 / 40)
    assert found.difference.low < 8 / 40 < found.difference.high
    assert found.difference.n == 40
    (equal,) = compare_decisions(truth, {"a": a, "b": a})
    assert equal.p == 1.0
    (empty,) = compare_decisions([], {"a": [], "b": []})
    assert math.isnan(empty.p)


def test_holm_by_hand() -> None:
    nothing = Estimate(0.0)
    tests = [PairTest("a", "b", nothing, p) for p in (0.01, math.nan, 0.04, 0.03)]
    found = [t.p_adjusted for t in adjusted(tests)]
    assert found[:1] + found[2:] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(found[1])


@pytest.mark.skipif(not LOCKBOX.exists(), reason="no shared data beside the project")
def test_the_published_predictions_have_their_published_area() -> None:
    table = pd.read_csv(LOCKBOX)
    score = table["probability_class_1"].to_numpy()
    found = delong(table["true_label"] == 1, score)
    assert found.value[0] == pytest.approx(0.769, abs=5e-4)
    # Its standard error is near that of a bootstrap within the groups.
    positive = score[table["true_label"] == 1]
    negative = score[table["true_label"] == 0]
    rng = np.random.default_rng(0)
    drawn = [
        stats.mannwhitneyu(
            rng.choice(positive, len(positive)), rng.choice(negative, len(negative))
        ).statistic
        / (len(positive) * len(negative))
        for _ in range(500)
    ]
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(np.std(drawn), rel=0.15)
