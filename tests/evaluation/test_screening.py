"""Predictive values, likelihood ratios, the zone of doubt and the decision curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.evaluation.metrics import Counts
from fidgety.evaluation.screening import net_benefit, screening, uncertain_zone


def test_bayes_by_hand() -> None:
    """Sensitivity 0.9, specificity 0.8, one infant in five at risk."""
    found = screening(Counts(tp=90, fp=20, tn=80, fn=10), 0.2)
    assert found.ppv.value == pytest.approx(0.18 / (0.18 + 0.16))
    assert found.npv.value == pytest.approx(0.64 / (0.64 + 0.02))
    assert found.lr_positive.value == pytest.approx(4.5)
    assert found.lr_negative.value == pytest.approx(0.125)
    # Simel 1991: exp(ln 4.5 -+ 1.96 sqrt(0.1 / 90 + 0.8 / 20)).
    half = 1.959964 * math.sqrt(1 / 90 - 1 / 100 + 1 / 20 - 1 / 100)
    assert found.lr_positive.low == pytest.approx(4.5 * math.exp(-half))
    assert found.lr_positive.high == pytest.approx(4.5 * math.exp(half))


@given(*[st.integers(0, 30)] * 4)
@settings(max_examples=60, deadline=None)
def test_at_the_study_s_own_prevalence_they_are_the_study_s_own(
    tp: int, fp: int, tn: int, fn: int
) -> None:
    counts = Counts(tp=tp, fp=fp, tn=tn, fn=fn)
    m, n = tp + fn, tn + fp
    if not m or not n:
        assert math.isnan(screening(counts, 0.3).ppv.value)
        return
    found = screening(counts, m / (m + n))
    for name, one in (("ppv", found.ppv), ("npv", found.npv)):
        np.testing.assert_allclose(one.value, counts.value(name))
        assert 0 <= one.low < one.high <= 1
        if math.isfinite(one.value):
            assert one.low <= one.value <= one.high
    if fp and tp:
        assert found.lr_positive.low < found.lr_positive.value < found.lr_positive.high
    if fn and tn:
        assert found.lr_negative.low < found.lr_negative.value < found.lr_negative.high


def test_a_share_of_one_is_as_unsure_as_its_infants_are_few() -> None:
    """Simel's variance alone would be that of the other share, or 0."""
    few = screening(Counts(tp=1, fp=10, tn=10, fn=0), 0.2).lr_positive
    many = screening(Counts(tp=100, fp=10, tn=10, fn=0), 0.2).lr_positive
    assert few.value == many.value == 2
    assert few.low < 1 < many.low
    everybody = screening(Counts(tp=20, fp=20, tn=0, fn=0), 0.2).lr_positive
    assert everybody.low < 1 < everybody.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    ppv = 0.85 * 0.25 / (0.85 * 0.25 + 0.2 * 0.75)
    held = []
    for _ in range(1000):
        tp, tn = rng.binomial(40, 0.85), rng.binomial(60, 0.8)
        found = screening(Counts(tp=tp, fp=60 - tn, tn=tn, fn=40 - tp), 0.25).ppv
        held.append(found.low < ppv < found.high)
    assert 0.93 < np.mean(held) < 0.975


def test_a_prevalence_is_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        screening(Counts(1, 1, 1, 1), 23)


def test_a_zone_by_hand() -> None:
    positive = [False] * 10 + [True] * 10
    score = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.6, 0.7]
    score += [0.3, 0.5, 0.65, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95, 0.99]
    zone = uncertain_zone(positive, score, sensitivity=0.9, specificity=0.9)
    assert zone is not None
    # One of ten may be missed (0.3), one of ten falsely called (0.7).
    assert (zone.low, zone.high) == (0.5, 0.65)
    assert zone.share == 2 / 20
    assert [zone.call(s) for s in (0.49, 0.5, 0.64, 0.65)] == [
        "not_at_risk",
        "uncertain",
        "uncertain",
        "at_risk",
    ]


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=25),
    st.lists(st.integers(0, 20), min_size=1, max_size=25),
    st.sampled_from([0.8, 0.9, 0.95, 1.0]),
    st.sampled_from([0.5, 0.9, 1.0]),
)
@settings(max_examples=200, deadline=None)
def test_the_zone_keeps_its_promises(
    risk: list[int], rest: list[int], sensitivity: float, specificity: float
) -> None:
    positive = [True] * len(risk) + [False] * len(rest)
    zone = uncertain_zone(positive, [*risk, *rest], sensitivity, specificity)
    assert zone is not None
    calls = [zone.call(s) for s in (*risk, *rest)]
    missed = np.mean([c == "not_at_risk" for c in calls[: len(risk)]])
    wrong = np.mean([c == "at_risk" for c in calls[len(risk) :]])
    assert missed <= 1 - sensitivity + 1e-9
    assert wrong <= 1 - specificity + 1e-9
    assert zone.share == pytest.approx(np.mean([c == "uncertain" for c in calls]))


def test_no_zone_without_both_groups() -> None:
    assert uncertain_zone([True], [0.5], 0.9, 0.9) is None


def test_the_decision_curve() -> None:
    positive = np.array([True] * 2 + [False] * 8)
    probability = np.array([0.9, 0.4, 0.5, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    curve = net_benefit(positive, probability, [0.05, 0.2, 0.45])
    # From 0.05 on everybody is called; from 0.2 on two right and two wrong; then one and one.
    np.testing.assert_allclose(curve["model"][0], curve["all"][0])
    np.testing.assert_allclose(curve["model"][1], 2 / 10 - 2 / 10 * 0.25)
    np.testing.assert_allclose(curve["model"][2], 1 / 10 - 1 / 10 * 0.45 / 0.55)
    assert (curve["none"] == 0).all()
    other = net_benefit(positive, probability, [0.2], prevalence=0.5)
    np.testing.assert_allclose(other["model"], 0.5 - 0.5 * 2 / 8 * 0.25)
    assert ((curve["low"] <= curve["model"]) & (curve["model"] <= curve["high"])).all()
    # Acting on everybody pays until the threshold is the prevalence.
    assert net_benefit(positive, probability, [0.2])["all"][0] == pytest.approx(0)


def test_the_decision_curves_interval_covers_the_truth() -> None:
    """Found and false alarms are binomial; the prevalence is known."""
    rng = np.random.default_rng(1)
    sensitivity, wrong, prevalence, at = 0.8, 0.3, 0.22, 0.25
    truth = sensitivity * prevalence - wrong * (1 - prevalence) * at / (1 - at)
    positive = np.array([True] * 30 + [False] * 60)
    covered = []
    for _ in range(600):
        called = rng.random(90) < np.where(positive, sensitivity, wrong)
        curve = net_benefit(positive, np.where(called, 0.9, 0.1), [at], prevalence)
        covered.append(curve["low"][0] <= truth <= curve["high"][0])
    assert 0.92 <= np.mean(covered) <= 0.98
    wide = net_benefit(positive, np.where(called, 0.9, 0.1), [at], prevalence, 0.99)
    assert wide["high"][0] > curve["high"][0]
