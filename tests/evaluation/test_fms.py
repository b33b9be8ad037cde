"""Fidgety movements against experts, their frequency, and the infants' characteristics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fidgety.errors import Outcome, Reason, Status
from fidgety.evaluation import fms
from fidgety.evaluation.characteristics import (
    characteristics_table,
    compare_counts,
    compare_measures,
)
from fidgety.training.results import ModelPrediction

HOW = {"resamples": 200, "confidence": 0.95, "seed": 1}


def prediction(fm: list[list[float]], recording: str = "r1", step_s: float = 6.0, **changes):
    """A model's probabilities of fidgety movements, of shape (fold, instance)."""
    given_fm = np.array(fm)
    n = given_fm.shape[1]
    start = step_s * np.arange(n)
    return ModelPrediction(
        **{
            "outcome": Outcome(),
            "kind": "mam",
            "classes": ("normal", "risk"),
            "at_risk": (False, True),
            "folds": tuple(range(1, len(given_fm) + 1)),
            "probability": np.stack([given_fm, 1 - given_fm], axis=-1),
            "start_s": start,
            "stop_s": start + 9.6,
            "recording": (recording,) * n,
            "sources": (recording,),
            "detects_fidgety": True,
        }
        | changes
    )


def interval(start, end, movement="fidgety", rater="consensus", recording="r1"):
    return {
        "recording": recording, "start_s": start, "end_s": end, "movement": movement,
        "rater": rater,
    }  # fmt: skip


def test_an_instance_is_the_experts_if_more_than_half_of_it_is_marked() -> None:
    rated = fms.experts(
        [interval(0, 4.8), interval(10.7, 40), interval(0, 99, rater="other")], "consensus"
    )
    called, judged = fms.expert_calls(prediction([[0.5] * 4]), rated)
    # 0-9.6: exactly half; 6-15.6: 4.9 s of 9.6; 12-21.6 and 18-27.6: wholly.
    assert called.tolist() == [False, True, True, True]
    assert judged.all()


def test_what_an_expert_could_not_judge_is_left_out() -> None:
    rated = fms.experts([interval(0, 100), interval(0, 8, "not_assessable")], "consensus")
    _, judged = fms.expert_calls(prediction([[0.5] * 3]), rated)
    assert judged.tolist() == [False, True, True]
    # A recording of other movements alone was rated: there are no fidgety movements in it.
    nothing = fms.experts([interval(0, 9, "writhing")], "consensus")
    called, judged = fms.expert_calls(prediction([[0.5] * 3]), nothing)
    assert judged.all()
    assert not called.any()
    assert fms.experts([interval(0, 9, rater="A")], "consensus") == {}


def test_kappa_of_a_row_by_hand() -> None:
    """Cohen's formula: 3 of 4 alike, expected by chance 0.5 * 0.25 + 0.5 * 0.75."""
    who = fms.Whom("a", "external", "normal")
    rated = fms.experts([interval(0, 16)], "consensus")  # the first two of four
    said = prediction([[0.9, 0.2, 0.1, 0.3], [0.8, 0.4, 0.1, 0.1]])
    row = fms.kappa_row(who, "mam", said, rated)
    assert row["kappa"] == pytest.approx((0.75 - 0.5) / 0.5)
    assert (row["instances"], row["expert_share"], row["model_share"]) == (4, 0.5, 0.25)
    # The mean over the fold models decides: 0.7 and 0.2 is no fidgety movement.
    assert fms.kappa_row(who, "mam", prediction([[0.7] * 4, [0.2] * 4]), rated)["model_share"] == 0


def test_why_there_is_no_kappa_is_told() -> None:
    who = fms.Whom("a", "external", "risk")
    quiet = fms.experts([interval(0, 1, "other")], "consensus")
    assert fms.kappa_row(who, "m", prediction([[0.1] * 3]), quiet)["why"] == fms.NO_FMS
    busy = fms.experts([interval(0, 99)], "consensus")
    assert fms.kappa_row(who, "m", prediction([[0.9] * 3]), busy)["why"] == fms.ALL_FMS
    assert fms.kappa_row(who, "m", prediction([[0.9] * 3]), {})["why"] == fms.NOT_RATED
    lost = prediction(
        [[0.9]], outcome=Outcome(Status.NOT_ASSESSABLE, Reason.NO_COMPLETE_WINDOW, "")
    )
    assert fms.kappa_row(who, "m", lost, busy)["why"] == "no_complete_window"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_laws_of_kappa(pairs) -> None:
    a, b = np.array(pairs).T
    value = fms.kappa(a, b)
    if np.isfinite(value):
        assert -1 <= value <= 1
        assert fms.kappa(b, a) == pytest.approx(value)
        assert fms.kappa(~a, ~b) == pytest.approx(value)
        assert (value == pytest.approx(1)) == bool((a == b).all())
    else:
        assert (a == a[0]).all()
        assert (b == a[0]).all()


def test_summaries_count_who_has_no_kappa() -> None:
    rows = [
        {"infant": str(k), "set": "external", "label": "", "model": "m", "kappa": v,
         "instances": n, "expert_share": e, "model_share": 0, "why": w}
        for k, (v, n, w, e) in enumerate(
            [(0.2, 5, "", 0.0), (0.6, 5, "", 0.4), (0.7, 5, "", 0.6), (0.0, 5, "", 1.0),
             (np.nan, 5, fms.NO_FMS, 0.0), (np.nan, 0, fms.NOT_RATED, np.nan)]
        )
    ]  # fmt: skip
    (one,) = fms.kappa_summary(pd.DataFrame(rows), **HOW).to_dict("records")
    assert (one["n"], one["median"], one["undefined"], one["not_rated"]) == (4, 0.4, 1, 1)
    assert 0.0 <= one["low"] <= 0.4 <= one["high"] <= 0.7
    # Where the rater sees both, there is something to agree on.
    assert (one["mixed_n"], one["mixed_median"]) == (2, pytest.approx(0.65))
    assert 0.6 <= one["mixed_low"] <= 0.65 <= one["mixed_high"] <= 0.7


def frequencies() -> pd.DataFrame:
    rows = [
        ("d1", "development", "normal", "continuous", 0.8),
        ("d2", "development", "normal", "intermittent", 0.5),
        ("d3", "development", "risk", "absent", 0.1),
        ("e1", "external", "normal", "continuous", 0.7),
        ("e2", "external", "normal", "continuous", 0.61),
        ("e3", "external", "normal", "intermittent", 0.66),
        ("e4", "external", "risk", "sporadic", 0.2),
        ("e5", "external", "risk", "", np.nan),
        ("n1", "new", "", "", 0.4),
    ]
    table = pd.DataFrame(rows, columns=["infant", "set", "label", "fm_type", "frequency"])
    return table.assign(model="mam", instances=10)


def test_groups_are_compared_by_frequency() -> None:
    development, external = fms.group_contrasts(frequencies(), ["risk"], **HOW)
    assert (development.first_values.size, development.second_values.size) == (2, 1)
    assert external.second_values.tolist() == [0.2], "who has no frequency is left out"
    assert external.auc.value == 1.0
    assert external.auc.n == 4
    assert external.p == pytest.approx(stats.mannwhitneyu([0.7, 0.61, 0.66], [0.2]).pvalue)
    row = fms.contrast_row("mam", external)
    assert row["median_first"] == 0.66
    assert row["n_second"] == 1
    assert set(row) == set(fms.CONTRAST_COLUMNS)


def test_types_are_parted_by_the_papers_threshold_or_the_developments() -> None:
    _, external = fms.type_contrasts(frequencies(), 0.603, **HOW)
    assert external.accuracy.value == pytest.approx(2 / 3)
    assert external.auc.value == pytest.approx(0.5)
    _, chosen = fms.type_contrasts(frequencies(), "development", **HOW)
    assert chosen.threshold == pytest.approx(0.65)
    assert chosen.accuracy.value == pytest.approx(1 / 3)
    own, _ = fms.type_contrasts(frequencies(), "development", **HOW)
    assert np.isnan(own.accuracy.value), "the infants that it was chosen on"


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
)
def test_no_threshold_parts_two_groups_better(first, second) -> None:
    a, b = np.array(first), np.array(second)

    def youden(threshold: float) -> float:
        return float((a >= threshold).mean() - (b >= threshold).mean())

    best = youden(fms.best_threshold(a, b))
    assert all(youden(t) <= best + 1e-12 for t in np.concatenate([a, b]))


def test_the_papers_own_p_values_of_sex() -> None:
    """Gao 2023, Table 1: 0.676 and 0.570."""
    assert compare_counts(np.array([[353, 114], [338, 101]]))[0] == pytest.approx(0.676, abs=5e-4)
    assert compare_counts(np.array([[87, 27], [86, 21]]))[0] == pytest.approx(0.570, abs=5e-4)
    assert np.isnan(compare_counts(np.array([[3, 2], [0, 0]]))[0])


def test_the_test_follows_the_groups_normality() -> None:
    rng = np.random.default_rng(1)
    bell, wide = rng.normal(size=60), rng.normal(0.5, 1, size=60)
    assert compare_measures(bell, wide) == (stats.ttest_ind(bell, wide).pvalue, "t-test")
    skew = rng.exponential(size=60) ** 2
    assert compare_measures(skew, wide)[1] == "Mann-Whitney"
    assert compare_measures(skew[:1], wide) == (pytest.approx(np.nan, nan_ok=True), "")


def test_characteristics_count_every_infant_once() -> None:
    cohort = pd.DataFrame(
        {
            "recording": ["a1", "a2", "b1", "c1", "d1", "n1"],
            "infant": ["a", "a", "b", "c", "d", "n"],
            "role": ["external"] * 5 + ["new"],
            "status": ["excluded", "ok", "ok", "ok", "ok", "ok"],
            "label": ["normal", "normal", "risk", "normal", "risk", "risk"],
            "sex": ["male", "male", "female", "", "male", "male"],
            "birth_weight_g": ["9", "3000", "2000", "3200", "", "1000"],
        }
    )
    table = characteristics_table(cohort, ["a", "b", "c", "d", "n"], ["risk"])
    assert set(table["set"]) == {"external"}
    rows = {(r["characteristic"], r["category"]): r for r in table.to_dict("records")}
    assert (rows["infants", ""]["n_normal"], rows["infants", ""]["n_risk"]) == (2, 2)
    male, female = rows["sex", "male"], rows["sex", "female"]
    assert (male["n_normal"], male["n_risk"], male["missing"]) == (1, 1, 1)
    assert (female["normal"], female["risk"]) == (0, 0.5)
    weight = rows["birth_weight_g", "g"]
    assert (weight["normal"], weight["n_risk"], weight["missing"]) == (3100, 1, 1)
    assert rows["gestational_age_weeks", "weeks"]["missing"] == 4


def test_a_type_is_called_where_it_may_be() -> None:
    assert fms.called_type(0.603, False, 0.603) == "continuous"
    assert fms.called_type(0.6, False, 0.603) == "intermittent"
    assert fms.called_type(0.9, True, 0.603) == "", "at risk: sporadic or absent"
    assert fms.called_type(0.0, False, 0.603) == "", "none were found"
    assert fms.called_type(np.nan, False, 0.603) == ""
    assert fms.called_type(0.9, False, "development") == "", "no threshold is known there"
    assert fms.called_type(0.9, None, 0.603) == ""


def test_every_model_has_a_threshold_of_its_own() -> None:
    table = frequencies().assign(positive=False)
    other = table.assign(model="other", frequency=table["frequency"] / 10)
    both = pd.concat([table, other], ignore_index=True)
    called = pd.Series(fms.called_types(both, "development"))
    np.testing.assert_array_equal(called[:9], called[9:])
    assert fms.called_types(both, 0.603)[:2] == ["continuous", "intermittent"]
    # The paper's threshold needs no types in the sheet.
    assert fms.called_types(table.assign(fm_type=""), 0.603)[0] == "continuous"
    assert set(fms.called_types(table.assign(fm_type=""), "development")) == {""}
