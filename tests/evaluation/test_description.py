"""Whom a study is about, how fit its recordings are, how often fidgety movements are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import Reason
from fidgety.evaluation import description
from fidgety.evaluation.intervals import proportion
from fidgety.evaluation.records import EVERYBODY, LOST, Assessment
from fidgety.evaluation.study_plots import draw_benefit, draw_frequencies, draw_quality
from tests.evaluation.synthetic import cohort_row, not_assessable

CLASSES = {"normal": False, "risk": True}
CONFIG = EvaluationConfig(bootstrap=100)


def cohort(*rows: dict[str, Any]) -> pd.DataFrame:
    """A cohort table as it is read: all of it text."""
    return pd.DataFrame(list(rows)).fillna("").astype(str)


def people() -> pd.DataFrame:
    return cohort(
        cohort_row("a1", "a", "development", "normal", sex="female", corrected_age_weeks=14),
        cohort_row("a2", "a", "development", "normal", sex="female", corrected_age_weeks=11),
        cohort_row("b1", "b", "development", "risk", sex="male", corrected_age_weeks=""),
        cohort_row("c1", "c", "development", "risk", sex="", corrected_age_weeks=13),
        cohort_row("d1", "d", "development", "risk", **not_assessable(Reason.NO_BODY)),
        cohort_row("e1", "e", "development", "risk", **not_assessable(Reason.EXCLUDED)),
        cohort_row("n1", "n", "new", "risk", sex="male", fm_type="absent"),
        cohort_row("f1", "f", "reference", "normal"),
    )


def pick(table: pd.DataFrame, **wanted: str) -> pd.Series:
    found = table
    for name, value in wanted.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


def test_infants_are_described_by_label_once_each_and_nobody_is_made_up() -> None:
    table = description.cohort_table(people(), list(CLASSES))
    assert list(dict.fromkeys(table["set"])) == ["development", "new"]
    infants = table[table["characteristic"] == "infants"].set_index(["set", "label"])["count"]
    assert infants.to_dict() == {
        ("development", "normal"): 1,
        ("development", "risk"): 2,
        ("development", EVERYBODY): 3,
        ("new", EVERYBODY): 1,
    }
    male = {"set": "development", "label": "risk", "characteristic": "sex", "category": "male"}
    row = pick(table, **male)
    assert (row["count"], row["n"], row["missing"], row["share"]) == (1, 1, 1, 1.0)
    age = {"set": "development", "characteristic": "corrected_age_weeks"}
    first = pick(table, label="normal", **age)
    assert (first["median"], first["n"], first["missing"]) == (11.0, 1, 0), "the first recording's"
    assert pick(table, label="risk", **age)["missing"] == 1
    everybody = pick(table, label=EVERYBODY, **age)
    assert (everybody["median"], everybody["q1"], everybody["q3"]) == (12.0, 11.5, 12.5)
    length = pick(table, label="normal", set="development", characteristic="duration_s")
    assert (length["unit"], length["n"]) == ("recording", 2)


def test_a_new_infants_label_and_type_are_not_told() -> None:
    table = description.cohort_table(people(), list(CLASSES))
    new = table[table["set"] == "new"]
    assert set(new["label"]) == {EVERYBODY}
    assert "fm_type" not in set(new["characteristic"])
    assert not new.astype(str).isin(["risk", "absent"]).to_numpy().any()


def assessments() -> list[Assessment]:
    values = {"normal": [0.5, 0.6, 0.7, 0.8], "risk": [0.0, 0.1, 0.2]}
    return [
        Assessment(f"{label}{k}", "external", label, "mam", fms_frequency=value)
        for label, own in values.items()
        for k, value in enumerate(own)
    ] + [
        Assessment("n1", "new", "", "mam", fms_frequency=0.4),
        Assessment("x", "external", "risk", "cnn1d"),
    ]


def test_frequencies_are_told_by_label_with_the_interval_of_the_median() -> None:
    frequencies = description.infant_frequencies(assessments())
    assert set(frequencies["model"]) == {"mam"}, "others find no fidgety movements"
    assert "n1" not in set(frequencies["infant"])
    table = description.frequency_table(frequencies, CLASSES, CONFIG, seed=1)
    row = pick(table, label="normal")
    assert (row["n"], row["median"]) == (4, pytest.approx(0.65))
    assert row["low"] < row["median"] < row["high"]
    assert (row["auc"], row["auc_n"]) == (1.0, 7)
    pd.testing.assert_frame_equal(
        table, description.frequency_table(frequencies, CLASSES, CONFIG, seed=1)
    )
    assert description.frequency_table(frequencies.iloc[:0], CLASSES, CONFIG, seed=1).empty


def test_reasons_count_recordings_and_infants_with_an_interval() -> None:
    rows = people()
    table = description.reason_table(rows, 0.95)
    one = pick(table, set="development", reason=Reason.NO_BODY.value)
    # e1 was excluded: it is not among those that could not be assessed.
    assert (one["recordings"], one["all_recordings"], one["infants"], one["n"]) == (1, 5, 1, 4)
    wilson = proportion(1, 4)
    assert (one["low"], one["high"]) == (wilson.low, wilson.high)
    assert pick(table, set="development", reason=LOST)["infants"] == 1
    assert pick(table, set="new", reason=LOST)["infants"] == 0


def test_an_infant_with_a_recording_left_is_not_lost() -> None:
    rows = cohort(
        cohort_row("a1", "a", "external", "normal"),
        cohort_row("a2", "a", "external", "normal", **not_assessable(Reason.NO_BODY)),
    )
    table = description.reason_table(rows, 0.95)
    assert pick(table, reason=Reason.NO_BODY.value)["infants"] == 1
    assert pick(table, reason=LOST)["infants"] == 0


def test_quality_is_told_of_who_has_it() -> None:
    rows = cohort(
        cohort_row("a1", "a", "external", "normal", missing=0.1, confidence=0.9, fps=25),
        cohort_row("b1", "b", "external", "normal", missing=0.3, confidence="", fps=50),
        cohort_row("c1", "c", "external", "normal", **not_assessable(Reason.EXCLUDED), fps=1),
    )
    table = description.quality_table(rows)
    row = pick(table, measure="missing")
    assert (row["n"], row["median"], row["lowest"], row["highest"]) == (2, 0.2, 0.1, 0.3)
    row = pick(table, measure="confidence")
    assert (row["n"], row["missing"]) == (1, 1)
    assert pick(table, measure="fps")["lowest"] == 25


def test_figures_are_drawn_whatever_there_is() -> None:
    frequencies = description.infant_frequencies(assessments())
    drawn = draw_frequencies(frequencies, list(CLASSES))
    assert "n = 4" in drawn
    assert drawn == draw_frequencies(frequencies, list(CLASSES))
    assert "No model finds" in draw_frequencies(frequencies.iloc[:0], list(CLASSES))
    rows = people()
    reasons = description.reason_table(rows, 0.95)
    drawn = draw_quality(rows, reasons)
    assert "no_body" in drawn
    assert "development (of 5)" in drawn
    assert "new (of 1)" in drawn, "of whom none failed, too"
    assert ">none<" in draw_quality(rows[rows["status"] == "ok"], reasons.iloc[:0])
    assert "No recording" in draw_quality(rows.iloc[:0], reasons.iloc[:0])
    curve = pd.DataFrame(
        {
            "set": "external",
            "model": "cnn1d",
            "threshold": [0.1, 0.2],
            "net_benefit": [0.2, 0.1],
            "low": [0.1, np.nan],
            "high": [0.3, np.nan],
            "n": 9,
        }
    )
    assert "act on nobody" in draw_benefit(curve)
    assert "Tested elsewhere" in draw_benefit(curve, {"external": "Tested elsewhere"})
