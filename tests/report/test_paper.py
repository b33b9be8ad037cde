"""Files for a paper: every item once, what is known filled in, the rest open."""

from __future__ import annotations

import pandas as pd
import pytest

from fidgety.config.root import Config
from fidgety.evaluation.plots import draw_words
from fidgety.footnote import footnote
from fidgety.report.methods import methods
from fidgety.report.paper import (
    CHECKLISTS,
    checklist,
    known_answers,
    methods_text,
    parameter_table,
)
from fidgety.report.people import people

STUDY = Config().model_dump(mode="json")


METRICS = pd.DataFrame(
    [
        ("m", "development", "auc", 0.9, 0.8, 1.0, 20),
        ("m", "development", "sensitivity", 0.8, 0.5, 0.95, 9),
        ("m", "external", "auc", 0.75, 0.4, 0.9, 8),
        ("m", "external", "sensitivity", float("nan"), float("nan"), float("nan"), 3),
    ],
    columns=["model", "set", "metric", "value", "low", "high", "n"],
)
COHORT = pd.DataFrame(
    [
        ("a1", "a", "ward", "development", "normal", "ok", "north"),
        ("a2", "a", "ward", "development", "normal", "not assessable", "north"),
        ("b1", "b", "ward", "development", "risk", "ok", "south"),
        ("c1", "c", "ward", "development", "normal", "ok", "south"),
        ("p1", "p", "phantom-external", "external", "risk", "ok", ""),
    ],
    columns=["recording", "infant", "cohort", "role", "label", "status", "site"],
)
#: Items of the published lists.
ITEMS = {
    "tripod-ai": [
        *("1", "2", "3a", "3b", "3c", "4", "5a", "5b", "6a", "6b", "6c", "7", "8a", "8b", "8c"),
        *("9a", "9b", "9c", "10", "11", "12a", "12b", "12c", "12d", "12e", "12f", "12g", "13"),
        *("14", "15", "16", "17", "18a", "18b", "18c", "18d", "18e", "18f", "19"),
        *("20a", "20b", "20c", "21", "22", "23a", "23b", "24", "25", "26", "27a", "27b", "27c"),
    ],
    "stard-ai": [
        *(str(n) for n in range(1, 15)),
        *("15a", "15b", "15c", "15d", "16a", "16b", "16c", "17a", "17b"),
        *(str(n) for n in range(18, 26)),
        *("26a", "26b"),
        *(str(n) for n in range(27, 40)),
        *("40a", "40b"),
    ],
    "claim": [str(n) for n in range(1, 45)],
}
#: Those that no run can know: ethics, sample size, funding.
OPEN = {
    "tripod-ai": ("17", "10", "19", "8b", "27b"),
    "stard-ai": ("6", "15d", "22", "38", "32"),
    "claim": ("16", "21", "34", "44"),
}


def filled(name: str) -> dict[str, dict[str, str]]:
    """Item to its row of a checklist that a run as cloned fills in."""
    whom = people(COHORT)
    answers = known_answers(methods(STUDY, people=whom), STUDY, METRICS, whom)
    table = checklist(name, answers)
    return {str(row["item"]): row for row in table.to_dict("records")}  # type: ignore[misc]


@pytest.mark.parametrize("name", CHECKLISTS)
def test_a_checklist_has_all_items_and_leaves_open_what_no_run_knows(name: str) -> None:
    items = filled(name)
    assert list(items) == ITEMS[name]
    assert {items[item]["state"] for item in OPEN[name]} == {"open"}
    assert all(row["asks"].endswith("?") for row in items.values())
    for row in items.values():
        asks_more = "Add " in row["answer"]
        expected = "open" if not row["answer"] else "partly" if asks_more else "from the run"
        assert row["state"] == expected


def test_checklists_tell_what_this_run_knows() -> None:
    assert "development, external" in filled("tripod-ai")["4"]["answer"]
    stard, claim = filled("stard-ai"), filled("claim")
    assert "development: 20 infants, 9 of them at risk; external: 8" in stard["15b"]["answer"]
    assert "Folds by infant." in stard["15b"]["answer"]
    assert f"seed {STUDY['seed']}" in claim["24"]["answer"]
    assert "report.faces: hidden" in claim["11"]["answer"]
    assert "AUC 0.90 (0.80 to 1.00, n = 20), sensitivity 0.80" in stard["31"]["answer"]
    # Nothing is said of what is not defined.
    assert "external, m: AUC 0.75 (0.40 to 0.90, n = 8)." in stard["31"]["answer"]


def test_the_threshold_is_answered_by_how_it_was_chosen() -> None:
    for name, item in (("tripod-ai", "15"), ("stard-ai", "15c")):
        answer = filled(name)[item]["answer"]
        assert "threshold was chosen by Youden's index on the fold's validation infants" in answer
        assert "before the infants" in answer


def test_the_study_is_described_by_its_infants_and_says_which_are_phantoms() -> None:
    text = people(COHORT)
    assert (
        "3 infants to develop on (normal 2, risk 1) with 4 recordings, of which 3 could be "
        "assessed, of 2 sites; 1 infant to test on (risk 1) with 1 recording." in text
    )
    assert "1 of 4 infants are digital phantoms" in text
    assert "phantom" not in people(COHORT[COHORT["infant"] != "p"])
    assert dict(methods(STUDY, people=text).paragraphs)["Cohort"].startswith(text)
    assert text in filled("claim")["35"]["answer"]
    # Criteria are asked for apart.
    assert "digital phantoms" not in filled("tripod-ai")["6b"]["answer"]


def test_methods_tell_every_analysis_that_the_report_shows() -> None:
    text = dict(methods(STUDY).paragraphs)["Evaluation"]
    for what in ("Calibration", "Decision curves", "frequency of fidgety", "what most of its set"):
        assert what in text
    other = dict(methods({**STUDY, "models": {"s": {"kind": "svm"}}}).paragraphs)["Evaluation"]
    assert "frequency of fidgety" not in other


def test_no_path_stands_among_the_parameters_of_a_paper() -> None:
    study = {"sheet": "infants.tsv", "bundle": "~/anna/b.zip", "a": {"file": "/home/x"}, "seed": 3}
    shown = parameter_table(study).set_index("parameter")["value"].to_dict()
    hidden = "(a path, not shown)"
    assert shown == {"sheet": hidden, "bundle": hidden, "a.file": hidden, "seed": "3"}


def test_a_footnote_stands_below_every_figure_of_a_job_and_no_other() -> None:
    with footnote("All 3 infants are digital phantoms."):
        marked = draw_words("nothing")
    assert "All 3 infants are digital phantoms." in marked
    assert "phantoms" not in draw_words("nothing")


def test_the_methods_carry_their_references_and_versions() -> None:
    found = methods(STUDY)
    text = methods_text(found, {"fidgety": "1.2.3"})
    assert f"{len(found.references)}. {found.references[-1]}" in text
    assert "- fidgety 1.2.3" in text
