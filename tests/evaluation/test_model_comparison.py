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
    figures,
    in_common,
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
    validation = {m: Validation([False] * 10 + [True] * 10, list(range(20))) for m in MODELS}
    validation["good"] = Validation([False] * 4 + [True] * 4, [0.1, 0.2, 0.3, 0.6] * 2)
    return ModelComparison(
        figures(records, MODELS, CLASSES, CONFIG, 0),
        pair_table(records, MODELS, CLASSES, CONFIG),
        screening_table(records, MODELS, CLASSES, CONFIG),
        zone_table(records, MODELS, validation, CLASSES, CONFIG),
        benefit_table(records, MODELS, CLASSES, CONFIG),
        {"good": 1234567, "poor": 3},
        ["lost"],
    )


def test_only_infants_of_whom_every_model_has_a_result_are_compared(records) -> None:
    common = in_common(records, MODELS)
    assert {r.infant for r in common} == {f"i{k}" for k in range(40)}
    table = figures(records, MODELS, CLASSES, CONFIG, 0)
    assert set(table.loc[table["metric"] == "auc", "n"]) == {40}


def test_pairs_are_those_of_their_tests(records) -> None:
    table = pair_table(records, MODELS, CLASSES, CONFIG)
    assert table[["measure", "first", "second", "n"]].to_numpy().tolist() == [
        ["auc", "good", "poor", 40],
        ["accuracy", "good", "poor", 40],
    ]
    common = in_common(records, MODELS)
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
    scores = [r for r in in_common(records, MODELS) if r.model == "good"]
    doubt = np.mean([0.1 <= r.probability < good["zone_high"].iloc[0] for r in scores])
    assert good.loc["uncertain", "value"] == pytest.approx(doubt)
    assert good.loc["uncertain", "n"] == 40
    assert good.loc["missed", "n"] == 20


def test_without_validation_infants_there_is_no_zone(records) -> None:
    nobody = {m: Validation([], []) for m in MODELS}
    assert zone_table(records, MODELS, nobody, CLASSES, CONFIG).empty
    fold = {"validation": [{"infant": "a", "label": "risk", "score": 0.7}]}
    both = validation_of([fold, fold], ["risk"])
    assert (both.positive, both.score) == ([True, True], [0.7, 0.7])


def test_decision_curves_share_one_of_acting_on_everybody(records) -> None:
    table = benefit_table(records, MODELS, CLASSES, CONFIG)
    assert list(dict.fromkeys(table["model"])) == ["good", "all", "poor"]
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
    assert "Left out, as some model has no result: lost." in text
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
