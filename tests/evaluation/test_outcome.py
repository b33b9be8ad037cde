"""The clinical outcome against hand counts; the sheet's columns; what never reads it."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from fidgety.cohort import read_study
from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.root import parse_config
from fidgety.errors import ConfigError, StorageError
from fidgety.evaluation.outcome import (
    GMA_LABEL,
    LABEL,
    PALSY,
    State,
    follow_up_table,
    kappa,
    lost_table,
    outcome_table,
    state_of,
)
from tests.evaluation.people import CLASSES, Person, Study, study

ROOT = Path(__file__).resolve().parents[2]


def person(k: int, label: str, p: float, cp: str, months: str = "24", **sheet: Any) -> Person:
    seen = {"cp": cp, "follow_up_age_months": months if cp in ("yes", "no", "unknown") else ""}
    return Person(f"i{k:02d}", label, p, seen | sheet)


@pytest.fixture(scope="module")
def of() -> Study:
    """Ten whose outcome counts: the label is wrong about two, the model about one of these."""
    return study(
        [
            person(0, "risk", 0.9, "yes"),
            person(1, "risk", 0.8, "yes", "36"),
            person(2, "normal", 0.7, "yes"),
            person(3, "risk", 0.6, "no"),
            *[person(k, "normal", 0.1 + 0.02 * k, "no") for k in range(4, 10)],
            person(10, "risk", 0.9, "yes", "23.9"),
            person(11, "risk", 0.9, "lost"),
            person(12, "normal", 0.2, "unknown"),
            person(13, "normal", 0.2, "no", ""),
            person(14, "normal", 0.2, ""),
        ]
    )


def tables(of: Study, **config: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    follow_up = follow_up_table(of.known, of.cohort, of.records)
    settings = EvaluationConfig(bootstrap=100, **config)
    return follow_up, outcome_table(of.records, ["m"], follow_up, CLASSES, settings)


def figure(found: pd.DataFrame, target: str, predictor: str, measure: str) -> pd.Series:
    own = found[
        (found["target"] == target)
        & (found["predictor"] == predictor)
        & (found["measure"] == measure)
    ]
    assert len(own) == 1
    return own.iloc[0]


@pytest.mark.parametrize(
    ("cp", "months", "state"),
    [
        ("yes", 24.0, State.PALSY),
        ("no", 30.0, State.NO_PALSY),
        ("yes", 23.99, State.EARLY),
        ("no", 3.0, State.EARLY),
        ("yes", math.nan, State.NO_AGE),
        ("lost", math.nan, State.LOST),
        ("unknown", 30.0, State.UNDECIDED),
        ("", 30.0, State.NOT_YET),
    ],
)
def test_what_counts_as_an_outcome(cp: str, months: float, state: State) -> None:
    assert state_of(cp, months) is state
    assert state.counts == (state in (State.PALSY, State.NO_PALSY))


def test_everybody_is_listed_with_what_is_known(of: Study) -> None:
    follow_up, _ = tables(of)
    assert follow_up["infant"].tolist() == [f"i{k:02d}" for k in range(15)]
    assert follow_up["state"].tolist()[10:] == [
        "seen too early",
        "lost to follow-up",
        "seen, but undecided",
        "age at follow-up not recorded",
        "not recorded",
    ]
    broken = of.cohort.assign(cp="maybe")
    with pytest.raises(StorageError, match="i00: cp is 'maybe' in the cohort table"):
        follow_up_table(of.known, broken, of.records)


def test_an_outcome_that_stands_in_one_row_is_the_infants() -> None:
    first = {"cp": "yes", "follow_up_age_months": 25, "corrected_age_weeks": 15}
    here = study([Person("a", "risk", 0.6, {}, [{"corrected_age_weeks": 11}, first])])
    row = follow_up_table(here.known, here.cohort, here.records).iloc[0]
    assert (row["cp"], row["state"], row["corrected_age_weeks"]) == ("yes", "cerebral palsy", 11)


def test_models_and_label_predict_the_outcome_of_the_same_infants(of: Study) -> None:
    _, found = tables(of)
    for predictor, hits, right in (("m", 3, 6), (GMA_LABEL, 2, 6)):
        sensitivity = figure(found, PALSY, predictor, "sensitivity")
        assert (sensitivity["value"], sensitivity["n"]) == (pytest.approx(hits / 3), 3)
        assert (sensitivity["low"], sensitivity["high"]) == pytest.approx(
            proportion_confint(hits, 3, method="wilson")
        )
        specificity = figure(found, PALSY, predictor, "specificity")
        assert (specificity["value"], specificity["n"]) == (pytest.approx(right / 7), 7)
        assert sensitivity["warning"].startswith("do not read: 3")
    # All three with palsy above all without: the model has the curve, the label has none.
    assert figure(found, PALSY, "m", "auc")["value"] == 1.0
    assert math.isnan(figure(found, PALSY, GMA_LABEL, "auc")["value"])
    assert not {"brier", "calibration_intercept"} & set(found["measure"])


def test_agreement_with_the_label_is_another_table_of_more_infants(of: Study) -> None:
    _, found = tables(of)
    agreement = found[found["target"] == LABEL]
    assert set(agreement["predictor"]) == {"m"}
    own = [r for r in of.records if r.label]
    label = [r.label == "risk" for r in own]
    called = [bool(r.at_risk) for r in own]
    got = figure(found, LABEL, "m", "kappa")
    assert (got["value"], got["n"]) == (pytest.approx(cohen_kappa_score(label, called)), 15)
    assert figure(found, LABEL, "m", "sensitivity")["value"] == 1.0
    assert figure(found, LABEL, "m", "specificity")["value"] == pytest.approx(9 / 10)


def test_predictive_values_are_at_the_prevalence_of_their_own_target(of: Study) -> None:
    _, own = tables(of)
    # At the sample's share they are those of the counts.
    assert figure(own, PALSY, "m", "ppv")["value"] == pytest.approx(3 / 4)
    assert figure(own, PALSY, "m", "npv")["value"] == 1.0
    assert figure(own, PALSY, "m", "ppv")["prevalence"] == pytest.approx(0.3)
    assert figure(own, PALSY, GMA_LABEL, "npv")["value"] == pytest.approx(6 / 7)
    _, clinic = tables(of, prevalence=0.23, outcome_prevalence=0.04)
    assert figure(clinic, LABEL, "m", "ppv")["prevalence"] == 0.23
    ppv = figure(clinic, PALSY, "m", "ppv")
    assert ppv["prevalence"] == 0.04
    assert ppv["value"] == pytest.approx(0.04 / (0.04 + 0.96 / 7))


def test_without_an_outcome_there_is_agreement_alone() -> None:
    here = study(
        [person(k, "risk" if k % 2 else "normal", 0.2 + 0.6 * (k % 2), "") for k in (1, 2)]
    )
    follow_up, found = tables(here)
    assert set(follow_up["state"]) == {"not recorded"}
    assert set(found["target"]) == {LABEL}


def test_kappa_as_fleiss_and_by_hand() -> None:
    """45, 15, 25, 15: kappa 0.4 / 3 by hand; its error by the formula of Fleiss et al. 1969."""
    cells = {(True, True): 45, (True, False): 15, (False, True): 25, (False, False): 15}
    truth = np.concatenate([np.full(n, a) for (a, _), n in cells.items()])
    called = np.concatenate([np.full(n, b) for (_, b), n in cells.items()])
    found = kappa(truth, called, 0.95)
    assert found.value == pytest.approx((0.6 - 0.54) / (1 - 0.54))
    p = np.array([[0.15, 0.25], [0.15, 0.45]])
    rows, columns, k = p.sum(axis=1), p.sum(axis=0), found.value
    po, pe = np.trace(p), float(rows @ columns)
    a = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - k)) ** 2 for i in range(2))
    b = (1 - k) ** 2 * sum(
        p[i, j] * (columns[i] + rows[j]) ** 2 for i in range(2) for j in range(2) if i != j
    )
    spread = math.sqrt((a + b - (k - pe * (1 - k)) ** 2) / (100 * (1 - pe) ** 2))
    assert po == pytest.approx(0.6)
    assert found.high - found.value == pytest.approx(1.959964 * spread)


@pytest.mark.parametrize(
    ("truth", "called", "value"),
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 1.0),
        ([1, 1, 0, 0], [0, 0, 1, 1], -1.0),
        ([1, 1, 0, 0], [1, 1, 1, 1], 0.0),
        ([1, 1], [1, 1], math.nan),
        ([], [], math.nan),
    ],
)
def test_kappa_claims_no_certainty_from_nothing(
    truth: list[int], called: list[int], value: float
) -> None:
    found = kappa(np.array(truth, dtype=bool), np.array(called, dtype=bool), 0.95)
    assert found.value == pytest.approx(value, nan_ok=True)
    assert math.isnan(found.low)
    assert found.n == len(truth)


def test_those_lost_are_compared_with_those_followed() -> None:
    """Lost infants were planted to be riskier and two weeks older; their sex is alike."""
    rng = np.random.default_rng(2)
    people = []
    for k in range(60):
        lost = k < 24
        at_risk = k % 4 != 0 if lost else k % 4 == 0
        sheet = {
            "corrected_age_weeks": 12 + 2 * lost + rng.normal(0, 0.5),
            "sex": "male" if k % 2 else "female",
            "birth_weight_g": 3000 + 400 * rng.normal(),
        }
        cp, label = "lost" if lost else "no", "risk" if at_risk else "normal"
        people.append(person(k, label, 0.3 + 0.4 * at_risk, cp, **sheet))
    here = study(people)
    follow_up, _ = tables(here)
    found = lost_table(follow_up, here.records, ["m"], CLASSES, 0.95).set_index("characteristic")
    label = found.loc["at risk by the label"]
    assert (label["lost"], label["followed"]) == (0.75, 0.25)
    assert (label["n_lost"], label["n_followed"]) == (24, 36)
    assert label["low"] > 0
    age = found.loc["corrected_age_weeks"]
    assert age["low"] < 2 < age["high"]
    assert found.loc["probability by m", "difference"] == pytest.approx(0.2)
    small = found["p_holm"] < 0.05
    assert set(found.index[small]) == {
        "at risk by the label",
        "corrected_age_weeks",
        "probability by m",
    }
    # What no infant has is told as such.
    assert found.loc["gestational_age_weeks", "n_lost"] == 0
    assert math.isnan(found.loc["gestational_age_weeks", "p_holm"])


def test_nobody_lost_is_no_comparison(of: Study) -> None:
    follow_up, _ = tables(of)
    kept = follow_up[follow_up["state"] != State.LOST.value]
    assert lost_table(kept, of.records, ["m"], CLASSES, 0.95).empty
    assert len(lost_table(follow_up, of.records, ["m"], CLASSES, 0.95)) == 6


# The sheet


def read(folder: Path, rows: list[dict[str, str]]) -> Any:
    columns = list(dict.fromkeys(c for row in rows for c in row))
    lines = ["\t".join(columns)] + ["\t".join(row.get(c, "") for c in columns) for row in rows]
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    config = parse_config({"sheet": "sheet.tsv", "cohorts": {"ward": "external"}})
    return read_study(config, folder)


def row(folder: Path, name: str = "a", infant: str = "a", **more: str) -> dict[str, str]:
    (folder / f"{name}.mp4").write_bytes(name.encode())
    given = {"recording": name, "infant": infant, "cohort": "ward", "video": f"{name}.mp4"}
    return given | {"label": "risk"} | more


def test_an_infant_is_lost_in_any_spelling(tmp_path: Path) -> None:
    got = read(tmp_path, [row(tmp_path, cp="Lost")]).recordings["a"]
    assert got.cp == "lost"
    assert got.model_dump(mode="json")["cp"] == "lost"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"cp": "los"}, "row 2: column cp: 'los': is not known. Did you mean 'lost'?"),
        ({"cp": "maybe"}, "Known are: yes, no, unknown, lost"),
        ({"cp": "lost", "follow_up_age_months": "24"}, "contradicts cp 'lost'"),
        ({"cp": "LOST", "gmfcs": "II"}, "column gmfcs: 'II': contradicts cp 'lost'"),
        ({"cp": "lost", "cp_side": "left"}, "contradicts cp 'lost'"),
        ({"cp": "no", "cp_type": "mixed"}, "contradicts cp 'no'"),
        ({"cp": "no", "follow_up_age_months": "two"}, "is not a number: Age at which"),
        ({"cp": "no", "follow_up_age_months": "-1"}, "must be at least 0"),
        ({"cp": "no", "follow_up_age_months": "24,5"}, "has a decimal comma; write 24.5."),
    ],
)
def test_a_wrong_outcome_is_named(tmp_path: Path, change: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, [row(tmp_path, **change)])
    assert expected in str(caught.value)
    assert str(caught.value).startswith("1 finding in the tables:"), caught.value


def test_an_infant_has_one_outcome(tmp_path: Path) -> None:
    first = row(tmp_path, cp="no", follow_up_age_months="24")
    # It may stand in one row alone.
    assert read(tmp_path, [first, row(tmp_path, "b")]).recordings["b"].cp is None
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, [first, row(tmp_path, "b", cp="yes", follow_up_age_months="30")])
    message = str(caught.value)
    assert "row 3: column cp: 'yes': but infant 'a' has 'no' in row 2" in message
    assert "row 3: column follow_up_age_months: '30.0': but infant 'a' has '24.0'" in message
    # Another infant's is its own.
    read(tmp_path, [first, row(tmp_path, "c", "c", cp="yes", follow_up_age_months="30")])


# What never reads it


@pytest.mark.parametrize(
    "folder", ["features", "pixels", "datasets", "models", "training", "../workflow_scripts"]
)
def test_nothing_that_trains_or_predicts_names_the_outcome(folder: str) -> None:
    """What is not named is not read; that it reruns nothing is tests/workflow/test_reruns.py's."""
    word = re.compile(r"""["'.](?:cp|follow_up_age_months|cp_type|cp_side|gmfcs|hine)\b""")
    files = sorted((ROOT / "fidgety" / folder).rglob("*.py"))
    assert files
    assert [p.name for p in files if word.search(p.read_text())] == []


def test_the_rules_hand_training_rows_without_the_outcome() -> None:
    word = re.compile(r"""["'](?:cp|follow_up_age_months|cp_type|cp_side|gmfcs|hine)["']""")
    assert [
        p.name for p in sorted((ROOT / "rules").glob("*.smk")) if word.search(p.read_text())
    ] == []
