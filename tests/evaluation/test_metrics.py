from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve

from fidgety.evaluation import calibration
from fidgety.evaluation.intervals import (
    auc_estimate,
    bootstrap,
    mann_whitney,
    newcombe_auc,
    proportion,
)
from fidgety.evaluation.metrics import Counts, auc, roc
from fidgety.training.risk import risk_probability


@pytest.fixture(scope="module")
def lockbox() -> pd.DataFrame:
    shared = Path(os.environ.get("FIDGETY_SHARED", Path(__file__).parents[3] / "shared"))
    path = shared / "data" / "calibration" / "predictions_lockbox.csv"
    if not path.exists():
        pytest.skip(f"real predictions are not here: {path}")
    return pd.read_csv(path)


groups = st.lists(st.integers(0, 6), min_size=1, max_size=12)


def test_counts_and_proportions_by_hand() -> None:
    counts = Counts.of([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0])
    assert counts == Counts(tp=2, fp=1, tn=4, fn=1)
    expected = {"accuracy": 6 / 8, "sensitivity": 2 / 3, "specificity": 4 / 5}
    expected |= {"ppv": 2 / 3, "npv": 4 / 5}
    for metric, value in expected.items():
        assert counts.value(metric) == pytest.approx(value)


def test_undefined_is_nan_not_zero() -> None:
    only_negative = Counts.of([0, 0], [0, 0])
    assert np.isnan(only_negative.value("sensitivity"))
    assert np.isnan(only_negative.value("ppv"))
    assert only_negative.value("specificity") == 1
    assert np.isnan(auc([0, 0], [0.1, 0.2]))
    assert np.isnan(auc([], []))
    assert roc([1, 1], [0.1, 0.2]).threshold.size == 0
    assert np.isnan(Counts.of([], []).value("accuracy"))


def test_classes_at_risk_are_summed() -> None:
    p = np.array([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]])
    np.testing.assert_allclose(risk_probability(p, [False, True, True]), [0.5, 0.9])
    np.testing.assert_allclose(risk_probability(p[None], [True, False, False]), [[0.5, 0.1]])
    with pytest.raises(ValueError, match="3 probabilities for 2 classes"):
        risk_probability(p, [False, True])


@given(groups, groups)
def test_auc_equals_mann_whitney(positive: list[int], negative: list[int]) -> None:
    truth = [1] * len(positive) + [0] * len(negative)
    area = auc(truth, positive + negative)
    assert float(mann_whitney(np.array(positive), np.array(negative))) == pytest.approx(area)
    u = stats.mannwhitneyu(positive, negative).statistic
    assert u / (len(positive) * len(negative)) == pytest.approx(area)
    flipped = [-x for x in positive + negative]
    assert auc(truth, flipped) == pytest.approx(1 - area)


@given(groups, groups)
def test_roc_area_by_trapezoids_is_the_auc(positive: list[int], negative: list[int]) -> None:
    truth = np.array([1] * len(positive) + [0] * len(negative))
    score = np.array(positive + negative, dtype=float)
    curve = roc(truth, score)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(auc(truth, score))
    for fpr, tpr, threshold in zip(
        curve.false_positive_rate, curve.true_positive_rate, curve.threshold, strict=True
    ):
        counts = Counts.of(truth, score >= threshold)
        assert counts.value("sensitivity") == pytest.approx(tpr)
        assert 1 - counts.value("specificity") == pytest.approx(fpr)


def test_lockbox_auc(lockbox: pd.DataFrame) -> None:
    estimate = auc_estimate(lockbox["true_label"], lockbox["probability_class_1"], seed=1)
    assert estimate.value == pytest.approx(0.769, abs=5e-4)
    assert estimate.n == 186
    assert estimate.method == "bootstrap BCa"
    # DeLong's standard error, a second road to the interval.
    y = lockbox["true_label"].to_numpy() == 1
    p = lockbox["probability_class_1"].to_numpy()
    placement = (p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])
    error = np.sqrt(
        placement.mean(axis=1).var(ddof=1) / y.sum()
        + placement.mean(axis=0).var(ddof=1) / (~y).sum()
    )
    assert estimate.low == pytest.approx(estimate.value - 1.96 * error, abs=0.05)
    assert estimate.high == pytest.approx(estimate.value + 1.96 * error, abs=0.05)


def test_lockbox_decision_and_calibration(lockbox: pd.DataFrame) -> None:
    y, p = lockbox["true_label"] == 1, lockbox["probability_class_1"]
    counts = Counts.of(y, lockbox["predicted_label"] == 2)
    assert counts.tp + counts.fp == 64
    assert counts.tp + counts.fn == 19
    score = calibration.brier(y, p)
    assert score.value == pytest.approx(np.mean((p - y) ** 2))
    assert score.low < score.value < score.high
    bins = calibration.reliability(y, p, bins=5)
    observed, predicted = calibration_curve(y, p, n_bins=5, strategy="quantile")
    np.testing.assert_allclose([b.predicted for b in bins], predicted)
    np.testing.assert_allclose([b.observed.value for b in bins], observed)
    assert sum(b.observed.n for b in bins) == len(lockbox)
    # Its probabilities are far too high: 0.42 on average where 10 % are at risk.
    large = calibration.intercept(y, p)
    assert large.high < -1


def test_wilson_by_its_formula_and_exact_by_the_beta_distribution() -> None:
    k, n, z = 17, 20, stats.norm.ppf(0.975)
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    wilson = proportion(k, n)
    assert (wilson.low, wilson.high) == pytest.approx((centre - half, centre + half))
    exact = proportion(k, n, method="exact")
    assert exact.low == pytest.approx(stats.beta.ppf(0.025, k, n - k + 1))
    assert exact.high == pytest.approx(stats.beta.ppf(0.975, k + 1, n - k))
    assert np.isnan(proportion(0, 0).value)


@given(st.integers(1, 30), st.integers(0, 30))
def test_proportions_stay_in_bounds_and_turn_over(n: int, k: int) -> None:
    k = min(k, n)
    one, other = proportion(k, n), proportion(n - k, n)
    assert 0 <= one.low <= one.value <= one.high <= 1
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)


def test_newcombe_limits_solve_the_score_equation() -> None:
    estimate = newcombe_auc(0.8, 12, 25, 0.95)
    for area in (estimate.low, estimate.high):
        q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
        mean = (12 + 25) / 2
        variance = (
            area * (1 - area) + (mean - 1) * (q1 - area**2) + (mean - 1) * (q2 - area**2)
        ) / (12 * 25)
        assert abs(area - 0.8) == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(variance))
    # One infant a class, in the right order: (1 - a) = z^2 a.
    single = newcombe_auc(1.0, 1, 1, 0.95)
    assert single.high == 1
    assert single.low == pytest.approx(1 / (1 + stats.norm.ppf(0.975) ** 2))


def test_perfect_separation_has_an_interval_that_shrinks_with_n() -> None:
    widths = []
    for n in (1, 2, 5, 20):
        estimate = auc_estimate([0] * n + [1] * n, list(range(2 * n)), resamples=200)
        assert estimate.value == estimate.high == 1
        assert estimate.method == "newcombe"
        widths.append(estimate.high - estimate.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.15 < 0.5 < widths[0]


def test_intervals_cover_at_about_their_rate() -> None:
    rng = np.random.default_rng(5)
    area = stats.norm.cdf(1 / np.sqrt(2))  # two unit normals one apart
    truth = np.repeat([True, False], 20)
    hits = 0
    for k in range(120):
        score = np.r_[rng.normal(1, 1, 20), rng.normal(0, 1, 20)]
        e = auc_estimate(truth, score, resamples=300, seed=k)
        hits += e.low <= area <= e.high
    # 120 draws at 0.95: below 105 has a chance of 2e-4 even at a true rate of 0.93
    assert hits >= 103


def test_bootstrap_is_seeded_and_stratified() -> None:
    a, b = np.arange(5.0), np.arange(3.0, 9.0)
    sizes = set()

    def statistic(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        sizes.add((x.shape[axis], y.shape[axis]))
        return np.asarray(x.mean(axis=axis) - y.mean(axis=axis))

    options = {"resamples": 200, "confidence": 0.9, "method": "percentile"}
    one = bootstrap(statistic, a, b, seed=1, **options)
    assert one == bootstrap(statistic, a, b, seed=1, **options)
    assert one != bootstrap(statistic, a, b, seed=2, **options)
    assert sizes == {(5, 6)}
    assert np.isnan(bootstrap(statistic, a[:1], b, seed=1, **options)[0])


def test_slope_and_intercept_find_what_was_put_in() -> None:
    rng = np.random.default_rng(3)
    logit = rng.normal(0, 1.5, 40_000)
    y = rng.random(logit.size) < 1 / (1 + np.exp(-(0.5 * logit)))
    over_confident = calibration.slope(y, 1 / (1 + np.exp(-logit)), confidence=0.999)
    assert over_confident.low < 0.5 < over_confident.high
    y = rng.random(logit.size) < 1 / (1 + np.exp(-(logit - 1)))
    too_high = calibration.intercept(y, 1 / (1 + np.exp(-logit)), confidence=0.999)
    assert too_high.low < -1 < too_high.high
    assert too_high.high - too_high.low < 0.1


@pytest.mark.parametrize("p", [[0.2, 0.3, 0.7, 0.8], [0.5] * 4, [0.8, 0.7, 0.3, 0.2]])
def test_slope_is_undefined_when_separated_or_constant(p: list[float]) -> None:
    assert np.isnan(calibration.slope([0, 0, 1, 1], p).value)


def test_calibration_with_a_class_absent() -> None:
    assert np.isnan(calibration.intercept([0, 0], [0.2, 0.3]).value)
    assert np.isnan(calibration.slope([0, 0], [0.2, 0.3]).value)
    score = calibration.brier([0, 0], [0.2, 0.4])
    assert score.value == pytest.approx(0.1)
    assert np.isnan(score.low)
    assert calibration.reliability([], []) == []


def test_reliability_keeps_ties_together() -> None:
    bins = calibration.reliability([0, 1, 1, 0, 1, 1], [0.5] * 6)
    assert len(bins) == 1
    assert bins[0].observed.n == 6
    assert bins[0].observed.value == pytest.approx(4 / 6)
