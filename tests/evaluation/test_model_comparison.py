"""The tables of the comparison against their parts, and the page that shows them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.evaluation.comparison import compare_areas
from fidgety.evaluation.model_comparison import (
    ACT_FROM,
    Validation,
    benefit_table,
    compared,
    figures,
    left_out,
    pair_table,
    screening_table,
    validation_of,
    zone_table,
)
from fidgety.evaluation.records import Assessment
from fidgety.report.compare_models import (
    ModelComparison,
    draw_benefit,
    p_text,
    page,
    text_table,
    with_interval,
)

CLASSES = {"normal": False, "risk": True}
MODELS = ["good", "poor"]
CONFIG = EvaluationConfig(bootstrap=200, prevalence=0.23)


def one(infant: str, model: str, label: str, p: float, role: str = "external") -> Assessment:
    return Assessment(
        infant,
        role,
        label,
        model,
        fold_probability=np.array([p]),
        fold_threshold=np.array([0.5]),
        folds=(1,),
        class_probability=np.array([1 - p, p]),
    )


@pytest.fixture(scope="module")
def records() -> list[Assessment]:
    rng = np.random.default_rng(0)
    found = []
    for k in range(40):
        label = "risk" if k % 2 else "normal"
        for model, gain in (("good", 0.35), ("poor", 0.05)):
            p = float(np.clip(0.5 + gain * (1 if k % 2 else -1) + rng.normal(0, 0.2), 0.01, 0.99))
            found.append(one(f"i{k}", model, label, p))
    # One of whom the poor model has no result, and one without a label.
    found.append(one("lost", "good", "risk", 0.9))
    reason = NotAssessable(Reason.NO_COMPLETE_WINDOW, "short")
    found.append(Assessment("lost", "external", "risk", "poor", outcome=Outcome.of(reason)))
    found += [one("new", m, "", 0.9) for m in MODELS]
    return found


def comparison(records: list[Assessment]) -> ModelComparison:
    names = [f"v{k}" for k in range(8)]
    kept = Validation(names, [False] * 4 + [True] * 4, [0.1, 0.2, 0.3, 0.6] * 2)
    validation = {m: {1: kept} for m in MODELS}
    return ModelComparison(
        figures(records, MODELS, CLASSES, CONFIG, 0),
        pair_table(records, MODELS, CLASSES, CONFIG),
        screening_table(records, MODELS, CLASSES, CONFIG),
        zone_table(records, MODELS, validation, CLASSES, CONFIG),
        benefit_table(records, MODELS, CLASSES, CONFIG),
        {"good": 1234567, "poor": 3},
        left_out(records, MODELS),
    )


def common_of(records: list[Assessment]) -> list[Assessment]:
    (here,) = compared(records, MODELS)
    return list(here.records)


def test_only_infants_of_whom_every_model_has_a_result_are_compared(records) -> None:
    assert {r.infant for r in common_of(records)} == {f"i{k}" for k in range(40)}
    table = figures(records, MODELS, CLASSES, CONFIG, 0)
    assert set(table.loc[table["metric"] == "auc", "n"]) == {40}
    assert left_out(records, MODELS) == [
        "external: lost, of whom no result has poor (no_complete_window)"
    ]


def test_a_model_without_any_result_does_not_empty_the_table(records) -> None:
    reason = Outcome.of(NotAssessable(Reason.FEATURE_UNAVAILABLE, "no video"))
    names = dict.fromkeys((r.infant, r.label) for r in records)
    more = [Assessment(i, "external", label, "pictures", outcome=reason) for i, label in names]
    (here,) = compared([*records, *more], [*MODELS, "pictures"])
    assert here.models == ("good", "poor")
    assert len(here.records) == 80
    told = left_out([*records, *more], [*MODELS, "pictures"])
    assert told[0] == "external: pictures has no result of any infant: feature_unavailable (41)"


def test_pairs_are_those_of_their_tests(records) -> None:
    table = pair_table(records, MODELS, CLASSES, CONFIG)
    assert table[["measure", "first", "second", "n"]].to_numpy().tolist() == [
        ["auc", "good", "poor", 40],
        ["accuracy", "good", "poor", 40],
    ]
    common = common_of(records)
    scores = {m: [r.probability for r in common if r.model == m] for m in MODELS}
    truth = [r.label == "risk" for r in common if r.model == "good"]
    own = compare_areas(truth, scores)[0]
    area = table.iloc[0]
    assert (area["difference"], area["p"]) == (own.difference.value, own.p)
    assert area["difference"] > 0.2
    assert area["p_holm"] < 0.05
    # One pair a measure: nothing to correct.
    assert (table["p"] == table["p_holm"]).all()


def test_predictive_values_are_at_the_clinics_prevalence(records) -> None:
    table = screening_table(records, MODELS, CLASSES, CONFIG)
    assert set(table["prevalence"]) == {0.23}
    values = table[table["model"] == "good"].set_index("measure")["value"]
    own = figures(records, MODELS, CLASSES, CONFIG, 0)
    own = own[own["model"] == "good"].set_index("metric")["value"]
    found = own["sensitivity"] * 0.23
    alarms = (1 - own["specificity"]) * 0.77
    assert values["ppv"] == pytest.approx(found / (found + alarms))
    at_home = screening_table(records, MODELS, CLASSES, EvaluationConfig(bootstrap=200))
    assert set(at_home["prevalence"]) == {0.5}


def test_zones_come_from_validation_infants(records) -> None:
    table = comparison(records).zones
    good = table[table["model"] == "good"].set_index("measure")
    assert set(good["chosen_on"]) == {8}
    # No infant at risk may be missed (of 4), none of the others called: 0.1 to above 0.6.
    assert good["zone_low"].iloc[0] == 0.1
    assert good["zone_high"].iloc[0] > 0.6
    scores = [r for r in common_of(records) if r.model == "good"]
    doubt = np.mean([0.1 <= r.probability < good["zone_high"].iloc[0] for r in scores])
    assert good.loc["uncertain", "value"] == pytest.approx(doubt)
    assert good.loc["uncertain", "n"] == 40
    assert good.loc["missed", "n"] == 20


def test_a_development_infant_is_judged_by_the_zone_of_its_own_fold() -> None:
    """Fold 1 doubts from 0.2 to 0.4, fold 2 from 0.6 to 0.8; all infants have 0.5."""

    def kept(low: float, high: float) -> Validation:
        return Validation(["a", "b"], [False, True], [high, low])

    validation = {"m": {1: kept(0.2, 0.4), 2: kept(0.6, 0.8)}}
    probability = np.array([0.5])
    records = [
        Assessment(
            f"i{k}",
            "development",
            label,
            "m",
            fold_probability=probability,
            fold_threshold=probability,
            folds=(fold,),
            class_probability=np.array([0.5, 0.5]),
        )
        for k, (fold, label) in enumerate([(1, "risk"), (1, "normal"), (2, "risk"), (2, "normal")])
    ]
    table = zone_table(records, ["m"], validation, CLASSES, CONFIG).set_index("measure")
    # Fold 1 calls both at risk, fold 2 neither.
    assert table["value"].to_dict() == {"uncertain": 0.0, "missed": 0.5, "false_alarms": 0.5}
    assert set(table["chosen_on"]) == {2}


def test_without_validation_infants_there_is_no_zone(records) -> None:
    nobody = {m: {1: Validation([], [], [])} for m in MODELS}
    assert zone_table(records, MODELS, nobody, CLASSES, CONFIG).empty
    fold = {"validation": [{"infant": "a", "label": "risk", "score": 0.7}]}
    both = validation_of({1: fold, 2: {}}, ["risk"])
    assert (both[1].infant, both[1].positive, both[1].score) == (["a"], [True], [0.7])
    assert both[2].score == []


def test_decision_curves_share_one_of_acting_on_everybody(records) -> None:
    table = benefit_table(records, MODELS, CLASSES, CONFIG)
    assert list(dict.fromkeys(table["model"])) == ["good", "(everybody)", "poor"]
    assert len(table) == 3 * len(ACT_FROM)
    assert "<svg" in draw_benefit(table)
    assert "<svg" in draw_benefit(table.iloc[:0])


def test_the_page_and_the_text_say_everything_with_intervals(records) -> None:
    result = comparison(records)
    html = page(result, MODELS, 0.95, phantoms=True)
    for words in ("Comparison of models", "1,234,567", "DeLong", "prevalence of 23 %", "lost"):
        assert words in html
    text = text_table(result, MODELS)
    assert "n = 40" in text
    assert "good - poor, AUC (DeLong)" in text
    assert "Not compared, external: lost, of whom no result has poor" in text
    named = ModelComparison(
        *(
            pd.DataFrame(columns=t.columns)
            for t in (result.figures, result.pairs, result.screening, result.zones, result.benefit)
        )
    )
    assert "No set has infants" in page(named, MODELS, 0.95, phantoms=False)


def test_figures_are_written_with_their_intervals() -> None:
    row = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert with_interval(row) == "0.50 (0.25 to 0.75)"
    assert with_interval(row | {"low": math.nan}) == "0.50"
    assert with_interval(row | {"value": math.nan}) == "–"
    assert with_interval(row | {"value": math.inf, "low": 2.0, "high": 9.0}) == "∞ (2.00 to 9.00)"
    assert [p_text(p) for p in (0.0004, 0.0312, math.nan)] == ["< 0.001", "0.031", "–"]
