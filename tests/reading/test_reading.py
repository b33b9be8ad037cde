"""Readings: the plan is balanced and blind, files come back whole or not, kappas are right."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from fidgety.config.reading import ReadingConfig
from fidgety.errors import FidgetyError, Outcome, Reason, Status
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.reading.agreement import (
    ALL,
    MODEL,
    VERDICTS,
    accuracy_table,
    agreement_rows,
    by_second,
    cohen,
    fleiss,
)
from fidgety.reading.page import reading_page, why_left_out
from fidgety.reading.plan import Coded, Key, Shown, helped_first, plan_reading, read_key
from fidgety.reading.results import agreement_table, draw_accuracy, notes, results_page
from fidgety.reading.returned import (
    INTERVAL_COLUMNS,
    READING_COLUMNS,
    parse_returned,
    read_returned,
    tabulate,
)
from fidgety.reading.texts import MOS_R
from fidgety.report.pages import HERE
from fidgety.sheet import Interval
from fidgety.text import control_in, safe_text

INFANTS = ("mueller-anna", "schmidt-ben", "cohort-risk-7")
CODED = [Coded(f"{infant}-video", infant, 60.0) for infant in INFANTS]
SHOWN = Shown("hidden", 480, 640)
CONFIG = ReadingConfig(raters=("r1", "r2"))
HELP = {"cells": [[0.0, 9.0, 0.918273]], "clips": [[0.0, 9.0, 0.918273]]}


def key_of(config: ReadingConfig = CONFIG) -> Key:
    return plan_reading(CODED, config, 1, SHOWN)


def file_of(key: Key, **changed: Any) -> dict[str, Any]:
    sitting = key.sittings[0]
    reading = {
        "code": sitting.codes[0],
        "intervals": [[1.0, 4.5], [10, 20]],
        "answers": {"verdict": "not_at_risk", "confidence": "4", "type": "continuous"},
        "spent_s": 71,
        "note": "=cmd()\tand\nmore",
    }
    return {
        "format": "fidgety-reading/1",
        "study": key.study,
        "rater": sitting.rater,
        "period": 1,
        "help": sitting.help,
        "started": "2026-01-01T10:00:00.000Z",
        "saved": "2026-01-01T11:00:00.000Z",
        "readings": [reading],
        **changed,
    }


@given(n=st.integers(1, 30), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_half_of_the_raters_of_a_crossover_begin_with_help(n: int, seed: int) -> None:
    raters = [f"r{k}" for k in range(n)]
    assert len(helped_first(raters, "crossover", seed)) == n // 2
    assert not helped_first(raters, "first_without", seed)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_everybody_reads_everything_once_with_help_and_once_without(seed: int) -> None:
    key = plan_reading(CODED, CONFIG, seed, SHOWN)
    for rater in CONFIG.raters:
        own = [s for s in key.sittings if s.rater == rater]
        assert [s.period for s in own] == [1, 2]
        assert {s.help for s in own} == {False, True}
        for sitting in own:
            assert sorted(key.codes[c].recording for c in sitting.codes) == sorted(
                one.recording for one in CODED
            )
    dealt = [code for sitting in key.sittings for code in sitting.codes]
    assert sorted(dealt) == sorted(key.codes), "no code is of two sittings"
    assert read_key(json.loads(json.dumps(key.as_dict()))) == key
    assert plan_reading(CODED[::-1], CONFIG, seed, SHOWN) == key


def test_a_page_names_no_infant_and_without_help_nothing_of_the_model() -> None:
    key = key_of()
    for sitting in key.sittings:
        page = reading_page(sitting, key, dict.fromkeys(key.codes, HELP), CONFIG, phantoms=False)
        assert not any(name in page for name in INFANTS)
        assert ("0.918273" in page) == sitting.help
        assert f"videos-{sitting.rater}-{sitting.period}" in page
        assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in page


def test_a_returned_file_becomes_rows_of_the_annotations_table() -> None:
    key = key_of()
    returned = parse_returned(json.dumps(file_of(key)), "a.json", key)
    intervals, readings = tabulate([returned], key)
    rows = [Interval.model_validate(row) for row in intervals.to_dict("records")]
    assert [(r.start_s, r.end_s, r.movement.value) for r in rows] == [
        (1.0, 4.5, "fidgety"),
        (10.0, 20.0, "fidgety"),
    ]
    assert rows[0].recording == key.codes[key.sittings[0].codes[0]].recording
    assert readings["fm_s"].tolist() == [13.5]
    assert readings["note"].tolist() == ["'=cmd() and more"]


def test_a_recording_without_fidgety_movements_counts_as_rated() -> None:
    key = key_of()
    content = file_of(key)
    content["readings"][0]["intervals"] = []
    intervals, _ = tabulate([parse_returned(json.dumps(content), "a.json", key)], key)
    assert intervals[["start_s", "end_s", "movement"]].values.tolist() == [[0.0, 60.0, "other"]]


def test_the_washout_that_was_kept_is_recorded() -> None:
    key = key_of()
    second = key.sittings[1]
    later = {"started": "2026-01-08T11:00:00Z", "saved": "2026-01-08T12:00:00Z"}
    files = [file_of(key), file_of(key, period=2, help=second.help, **later)]
    files[1]["readings"][0]["code"] = second.codes[0]
    returned = [parse_returned(json.dumps(f), "f.json", key) for f in files]
    _, readings = tabulate(returned, key)
    assert readings["washout_days"].tolist()[1] == 7.0
    assert readings["early"].tolist()[1]  # 14 days were planned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "fidgety-reading/9"}, "format"),
        ({"study": "other"}, "another study"),
        ({"rater": "nobody"}, "no such period"),
        ({"started": "2026-01-02T10:00:00Z"}, "saved before"),
        ({"code": "../../etc"}, "reading 1: code '../../etc'"),
        ({"intervals": [[1, 5], [4, 9]]}, "reading 1: interval 4 to 9 s overlaps"),
        ({"intervals": [[5, 5]]}, "ends before it starts"),
        ({"intervals": [[5, 500]]}, "longer than the video"),
        ({"intervals": [[-5, 5]]}, "reading 1, intervals"),
        ({"answers": {"verdict": "<b>"}}, "reading 1: verdict"),
        ({"answers": {"__proto__": "x"}}, "is no question"),
        ({"evil": 1}, "reading 1, evil"),
    ],
)
def test_what_does_not_fit_is_refused_by_file_and_reading(
    change: dict[str, Any], message: str
) -> None:
    key = key_of()
    content = file_of(key)
    known = set(content)
    content |= {k: v for k, v in change.items() if k in known}
    content["readings"][0] |= {k: v for k, v in change.items() if k not in known}
    with pytest.raises(FidgetyError, match=r"a\.json") as error:
        parse_returned(json.dumps(content), "a.json", key)
    assert message in str(error.value)


@given(st.text(max_size=60))
def test_free_text_stays_one_cell(text: str) -> None:
    cell = safe_text(text)
    assert not set(cell) & set("\t\n\r\x00\u2028")
    assert cell[:1] not in ("=", "+", "-", "@")
    assert control_in(cell) is None


def test_free_text_keeps_its_direction() -> None:
    assert safe_text("a\u202eb\u2066c\x1bd\n\ud800e") == "abc d e"
    assert safe_text("\u202e=1+1") == "'=1+1"


def test_what_is_no_file_of_readings_is_a_message(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "none")
    with pytest.raises(FidgetyError) as caught:
        read_returned(sorted(tmp_path.iterdir()), key_of())
    said = str(caught.value).splitlines()
    assert len(said) == 3
    assert all("no file" in line or "No such file" in line for line in said)


def test_the_points_of_the_motor_optimality_score_add_up() -> None:
    points = [[int(p) for p in item.answers] for item in MOS_R]
    assert (sum(map(max, points)), sum(map(min, points))) == (28, 5)


def test_cohens_kappa_is_that_of_scikit_learn_and_needs_no_interval_where_all_agree() -> None:
    rng = np.random.default_rng(0)
    first = {str(i): rng.choice(["yes", "no"], 20).tolist() for i in range(12)}
    second = {i: rng.choice(["yes", "no"], 20).tolist() for i in first}
    found = cohen(first, second, ("yes", "no"), resamples=200, seed=0)
    flat = [[a for i in sorted(first) for a in side[i]] for side in (first, second)]
    assert found.value == pytest.approx(cohen_kappa_score(*flat))
    assert found.low < found.value < found.high
    assert found.n == 12
    assert cohen(first, first, ("yes", "no"), resamples=50, seed=0).value == 1.0


def test_fleiss_kappa_of_two_judges_who_split_is_known() -> None:
    # Two judges, two infants, one agreement: P = 1/2, shares 3/4 and 1/4, so P_e = 5/8.
    a, b = {"1": ["at_risk"], "2": ["at_risk"]}, {"1": ["at_risk"], "2": ["not_at_risk"]}
    found = fleiss([a, b], ("at_risk", "not_at_risk"), resamples=100, seed=0)
    assert found.value == pytest.approx((0.5 - 0.625) / (1 - 0.625))


def test_seconds_count_by_their_middle() -> None:
    assert by_second([(0.6, 2.4)], 3.9) == ["no", "yes", "no"]


def test_accuracy_with_and_without_help_is_paired_by_infant() -> None:
    truth = {str(k): k < 5 for k in range(10)}
    rows = [
        {"rater": "r", "infant": i, "help": h, "period": 1 + h, "verdict": v}
        for h in (False, True)
        for i in truth
        # Without help everybody is called at risk; with help everybody rightly.
        for v in ["at_risk" if truth[i] or not h else "not_at_risk"]
    ]
    table = accuracy_table(pd.DataFrame(rows), truth, truth, resamples=200, seed=0, confidence=0.95)
    one = {(r["rater"], r["part"], r["measure"]): r for r in table.to_dict("records")}
    assert one["r", "without help", "accuracy"]["value"] == 0.5
    assert one["r", "with help", "accuracy"]["value"] == 1.0
    gain = one["r", "with help less without", "accuracy"]
    assert gain["value"] == 0.5
    assert gain["p"] == pytest.approx(2 * 0.5**5)
    assert one[MODEL, "alone", "accuracy"]["value"] == 1.0


def table_of(*answers: dict[str, Any]) -> pd.DataFrame:
    """Return readings without help in the first period, some answers of them given."""
    head = {
        "rater": "r1",
        "infant": "a",
        "recording": CODED[0].recording,
        "help": False,
        "period": 1,
    }
    rows = [{**dict.fromkeys(READING_COLUMNS), **head, **one} for one in answers]
    return pd.DataFrame(rows, columns=list(READING_COLUMNS))


def test_points_agree_as_the_weighted_kappa_of_scikit_learn_says() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for k in range(12):
        for rater in ("r1", "r2"):
            points = {item.name: int(rng.choice(list(item.answers))) for item in MOS_R}
            one = {"rater": rater, "infant": str(k), "verdict": "at_risk", **points}
            rows.append({**one, "mos_total": sum(points.values())})
    rows.append({**rows[0], "infant": "x", "verdict": "not_judged"})
    table = table_of(*rows).assign(recording=CODED[0].recording)
    none = pd.DataFrame(columns=list(INTERVAL_COLUMNS))
    how: dict[str, Any] = {"resamples": 50, "seed": 0, "confidence": 0.95}
    found = agreement_table(table, none, key_of(), {}, "fidgety", **how)
    pairs = found[found["measure"] == "cohen_quadratic"].set_index("what")
    judged = table[table["verdict"] == "at_risk"]
    for name in [*(item.name for item in MOS_R), "mos_total"]:
        sides = [judged[judged["rater"] == rater][name].astype(int) for rater in ("r1", "r2")]
        known = range(5, 29) if name == "mos_total" else sorted(set(sides[0]) | set(sides[1]))
        expected = cohen_kappa_score(*sides, labels=list(known), weights="quadratic")
        assert pairs.loc[name, "value"] == pytest.approx(expected), name
        assert pairs.loc[name, "n"] == 12


def test_a_type_that_contradicts_the_points_is_named() -> None:
    said = {"verdict": "at_risk", "type": "absent", "mos_fidgety": 12.0}
    fits = {**said, "infant": "b", "mos_fidgety": 1.0}
    table = table_of(said, fits, {**said, "infant": "c", "verdict": "not_judged"})
    assert "In 1 readings" in notes(key_of(), table)[-1]
    assert "r1, period 1: a." in notes(key_of(), table)[-1]
    assert "contradicts" not in " ".join(notes(key_of(), table[1:]))


def test_the_motor_optimality_score_is_of_the_age_of_fidgety_movements() -> None:
    with pytest.raises(ValueError, match="3 to 5 months"):
        ReadingConfig(age="writhing", mos_r=True)


def test_at_the_age_of_writhing_nobody_says_that_there_are_no_fidgety_movements() -> None:
    key = key_of(ReadingConfig(raters=("r1",), age="writhing"))
    content = file_of(key)
    content["readings"][0]["answers"] = {"verdict": "at_risk", "type": "poor_repertoire"}
    with pytest.raises(FidgetyError, match="reading 1: it has intervals"):
        parse_returned(json.dumps(content), "a.json", key)
    content["readings"][0]["intervals"] = []
    intervals, _ = tabulate([parse_returned(json.dumps(content), "a.json", key)], key)
    assert intervals.empty


def test_a_type_counts_only_where_there_is_a_verdict() -> None:
    answers = [
        {"rater": rater, "infant": infant, "verdict": verdict, "type": kind}
        for rater in ("r1", "r2")
        for infant, verdict, kind in (
            ("a", "at_risk", "absent"),
            ("b", "not_at_risk", "continuous"),
            ("c", "not_judged", "absent" if rater == "r1" else "continuous"),
        )
    ]
    none = pd.DataFrame(columns=list(INTERVAL_COLUMNS))
    how: dict[str, Any] = {"resamples": 50, "seed": 0, "confidence": 0.95}
    found = agreement_table(table_of(*answers), none, key_of(), {}, "fidgety", **how)
    kinds = found[(found["what"] == "type") & (found["n"] > 0)]
    assert set(kinds["n"]) == {2}
    assert set(kinds["value"]) == {1.0}


def test_practice_does_not_look_like_help_where_sequences_are_unequal() -> None:
    truth = {str(k): True for k in range(6)}
    # Everybody errs in the first period and is right in the second; one of three had help first.
    rows = [
        {"rater": r, "infant": i, "help": (p == 1) == (r == "c"), "period": p, "verdict": v}
        for r in "abc"
        for p, v in ((1, "not_at_risk"), (2, "at_risk"))
        for i in truth
    ]
    table = table_of(*rows)
    found = accuracy_table(table, truth, {}, resamples=50, seed=0, confidence=0.95)
    own = found[found["rater"] == ALL].set_index("part")["value"]
    assert own["with help less without"] == 0
    assert own["second period less first"] == 1
    assert "2 raters began without help and 1 with it" in " ".join(notes(key_of(), table))
    alike = table[table["rater"] != "c"]
    assert "All raters began alike" in " ".join(notes(key_of(), alike))


def test_who_is_not_assessable_is_not_read_and_named() -> None:
    outcome = Outcome(Status.NOT_ASSESSABLE, Reason.NO_BODY)
    said = InfantPredictions("a", "new", outcome)
    assert why_left_out(said, 9.0, CONFIG) == "no_body"
    assert why_left_out(said, 9.0, ReadingConfig(raters=("r1",), not_assessable=True)) is None
    assert why_left_out(said, 0.0, ReadingConfig(raters=("r1",), not_assessable=True)) == "no video"
    key = replace(key_of(), left_out={"a": "no_body"})
    assert read_key(json.loads(json.dumps(key.as_dict()))) == key
    assert f"Not read: a ({Reason.NO_BODY.text.rstrip('.')})." in notes(key, table_of())


def test_no_reason_is_a_code_in_the_results() -> None:
    other = {"no video": "no video", "none": "not assessable", "later": "of_a_later_version"}
    key = replace(key_of(), left_out={**{r.value: r.value for r in Reason}, **other})
    said = next(note for note in notes(key, table_of()) if note.startswith("Not read"))
    for reason in Reason:
        assert f"{reason.value} ({reason.text.rstrip('.')})" in said
        assert f"({reason.value})" not in said
    assert "no video (There is no video to look at)" in said
    assert "none (It is not assessable; no reason was recorded)" in said
    assert "later (of_a_later_version)" in said


def test_the_words_of_the_results_are_in_one_place_and_intervals_as_configured() -> None:
    truth = {str(k): k < 5 for k in range(10)}
    rows = [
        {"rater": "<b>r</b>", "infant": i, "help": h, "period": 1 + h, "verdict": "at_risk"}
        for h in (False, True)
        for i in truth
    ]
    wide, narrow = (
        accuracy_table(
            pd.DataFrame(rows), truth, truth, resamples=50, seed=0, confidence=confidence
        )
        for confidence in (0.99, 0.8)
    )
    own = (wide["measure"] == "accuracy") & (wide["part"] == "without help")
    assert (wide["high"] - wide["low"])[own].iloc[0] > (narrow["high"] - narrow["low"])[own].iloc[0]
    said = {i: ["at_risk"] for i in truth} | {"0": ["not_at_risk"]}
    kappas = agreement_rows(
        "verdict", True, {"<b>r</b>": said, "s": said}, VERDICTS,
        resamples=50, seed=0, confidence=0.8, model=said,
    )  # fmt: skip
    page = results_page(
        [],
        pd.DataFrame(kappas),
        narrow,
        draw_accuracy(narrow),
        False,
        14.0,
        0.8,
        notes(key_of(), table_of()),
    )
    assert "480 to 640 px" in page
    assert "movements of face, head and neck could not be read" in page
    assert "with 80 % intervals" in page
    assert "Planned washout: 14 days." in page
    assert "&lt;b&gt;r&lt;/b&gt; and s" in page
    assert "&lt;b&gt;r&lt;/b&gt; and the model" in page
    assert "(all raters)" not in page
    template = (HERE / "templates" / "readings.html").read_text()
    words = re.sub(r"{[{%].*?[%}]}|<[^>]+>", " ", template)
    assert not words.split(), "no word stands in the template"
