"""Decisions from the beginning of a recording: by hand, by law, by planting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fidgety.errors import StorageError
from fidgety.evaluation.early import (
    CURVES,
    FINAL_S,
    MOST_POINTS,
    Course,
    area,
    at_time,
    course_of,
    early_table,
    times,
)
from fidgety.evaluation.intervals import newcombe_auc
from fidgety.evaluation.metrics import auc
from tests.evaluation.synthetic import model_group

HOW = {"resamples": 200, "confidence": 0.95, "seed": 1}


def course(probability, at_risk=True, threshold=0.5, step_s=10.0) -> Course:
    values = np.asarray(probability, dtype=float)
    return Course(step_s * np.arange(1, len(values) + 1), values, threshold, at_risk)


def test_a_decision_is_final_when_it_does_not_change_any_more() -> None:
    assert course([0.9, 0.8, 0.7]).final_s == 10
    assert course([0.1, 0.8, 0.7]).final_s == 20
    # It came back: what it said at first was not final.
    assert course([0.9, 0.2, 0.6, 0.7]).final_s == 30
    # On the threshold an infant is called.
    assert course([0.4, 0.5]).final_s == 20
    assert course([0.3]).final_s == 10


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 1))
def test_from_the_final_time_on_nothing_changes_and_before_it_does(values, threshold) -> None:
    own = course(values, threshold=threshold)
    called = own.decision
    k = own.known_at(own.final_s)
    assert (called[k:] == called[-1]).all()
    assert k == 0 or called[k - 1] != called[-1]


def test_what_is_known_at_a_time() -> None:
    own = course([0.1, 0.2, 0.3])
    assert [own.known_at(t) for t in (0, 9.9, 10, 10.0 - 1e-9, 25, 99)] == [-1, -1, 0, 0, 1, 2]


@given(st.floats(0.3, 20_000))
def test_times_reach_the_end_in_equal_steps(longest) -> None:
    found = times(longest)
    step = found[0]
    np.testing.assert_allclose(np.diff(found), step)
    assert found[-1] >= longest - 1e-6
    assert found[-1] - longest < step
    assert len(found) <= MOST_POINTS or step == 300


def test_a_moment_by_hand() -> None:
    courses = [
        course([0.9, 0.9]),
        course([0.3, 0.6]),
        course([0.6, 0.2], at_risk=False),
        course([0.2, 0.1], at_risk=False),
        Course(np.array([20.0]), np.array([0.8]), 0.5, False),
    ]
    nobody = at_time(courses, 5, 0.95)
    assert np.isnan([nobody["auc"].value, nobody["sensitivity"].value]).all()
    assert (nobody["final"].value, nobody["final"].n) == (0, 5)
    first = at_time(courses, 10, 0.95)
    # Of 4 whom anything is known of: 0.9 and 0.3 against 0.6 and 0.2.
    assert (first["auc"].value, first["auc"].n) == (0.75, 4)
    assert (first["sensitivity"].value, first["sensitivity"].n) == (0.5, 2)
    assert (first["specificity"].value, first["specificity"].n) == (0.5, 2)
    assert (first["final"].value, first["final"].n) == (0.4, 5)
    wilson = stats.binomtest(2, 5).proportion_ci(0.95, "wilson")
    assert (first["final"].low, first["final"].high) == (wilson.low, wilson.high)
    last = at_time(courses, 20, 0.95)
    # 0.9 and 0.6 against 0.2, 0.1 and 0.8.
    assert last["auc"].value == pytest.approx(5 / 6)
    assert (last["specificity"].value, last["specificity"].n) == (2 / 3, 3)
    assert last["final"].value == 1
    # What is over keeps its last decision.
    assert {k: e.value for k, e in at_time(courses, 999, 0.95).items()} == {
        k: e.value for k, e in last.items()
    }


def test_the_interval_of_an_area_is_newcombes_and_never_empty() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2 == 0
    score = rng.normal(size=60) + truth
    found = area(truth, score, 0.95)
    assert found.value == pytest.approx(auc(truth, score))
    assert found == newcombe_auc(found.value, 30, 30, 0.95)
    perfect = area(truth, truth.astype(float), 0.95)
    assert (perfect.value, perfect.high) == (1, 1)
    assert 0.8 < perfect.low < 1
    assert np.isnan(area(truth[truth], score[truth], 0.95).value)


def test_the_course_is_the_mean_over_the_fold_models() -> None:
    said = model_group([[0.4, 0.6], [0.2, 0.8]], [0.5, 0.7], n_instances=2)
    risk = np.array([[0.1, 0.5], [0.3, 0.8]])
    said = replace(
        said,
        early_probability=np.stack([1 - risk, risk], axis=-1),
        seen_s=np.array([10.0, 15.0]),
    )
    own = course_of(said, True)
    np.testing.assert_allclose(own.probability, [0.2, 0.65])
    assert own.threshold == pytest.approx(0.6)
    assert own.decision.tolist() == [False, True]
    assert own.final_s == 15
    with pytest.raises(StorageError, match="run the workflow again"):
        course_of(replace(said, seen_s=None), True)


def planted(seed: int, turning_s: float) -> list[Course]:
    """Infants whom a model tells apart from some time on, and guesses before."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(60):
        at_risk = bool(k % 2)
        time_s = 5.0 * np.arange(1, 25)
        guess = rng.uniform(0, 1, 24)
        sure = np.where(at_risk, 0.9, 0.1) + rng.normal(0, 0.01, 24)
        found.append(Course(time_s, np.where(time_s < turning_s, guess, sure), 0.5, at_risk))
    return found


def test_a_model_that_knows_early_is_told_from_one_that_knows_late() -> None:
    models = {"early": planted(0, 30.0), "late": planted(1, 90.0)}
    table = early_table({"external": models}, **HOW)
    assert set(table["measure"]) == {*CURVES, FINAL_S}
    curve = table.set_index(["model", "measure", "time_s"])["value"].sort_index()
    for model, turning in (("early", 30.0), ("late", 90.0)):
        assert curve[model, "auc", turning] == 1
        assert abs(curve[model, "auc", turning - 10] - 0.5) < 0.3
        assert curve[model, "final", turning] == 1
        assert curve[model, "final", 10.0] < 0.5
        share = curve[model, "final"].dropna()
        assert (np.diff(share) >= 0).all(), "what is final stays so"
    final = table[table["measure"] == FINAL_S].set_index("model")
    assert final.loc["early", "value"] <= 30
    assert 70 <= final.loc["late", "value"] <= 90
    assert (final["low"] <= final["value"]).all()
    assert (final["value"] <= final["high"]).all()
    assert set(final["n"]) == {60}
    assert final["time_s"].isna().all()


def test_models_are_followed_to_the_same_end() -> None:
    short = [course([0.9], step_s=4.0), course([0.1], at_risk=False, step_s=4.0)]
    long = [course([0.9] * 3), course([0.1] * 3, at_risk=False)]
    table = early_table({"development": {"short": short, "long": long}}, **HOW)
    ends = table.groupby("model")["time_s"].max()
    assert ends["short"] == ends["long"] == 30
    assert early_table({}, **HOW).empty
