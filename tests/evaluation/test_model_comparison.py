"""The tables of the comparison against their parts, and the page that shows them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.evaluation.comparison import compare_areas
from fidgety.evaluation.cost import SPEED_COLUMNS, cost_table
from fidgety.evaluation.ensembles import ensembles
from fidgety.evaluation.model_comparison import (
    ACT_FROM,
    ENSEMBLES,
    Validation,
    benefit_table,
    compared,
    figures,
    left_out,
    no_zone,
    pair_table,
    screening_table,
    validation_of,
    zone_table,
)
from fidgety.evaluation.ranks import ranks_of
from fidgety.evaluation.recalibration import (
    calibration_table,
    not_recalibrated,
    reliability_table,
)
from fidgety.evaluation.records import Assessment
from fidgety.evaluation.study_plots import draw_benefit
from fidgety.report.compare_figures import draw_ranks, draw_reliability
from fidgety.report.compare_models import (
    ModelComparison,
    page,
    text_table,
    with_interval,
)
from fidgety.report.wording import p_text
from tests.evaluation.models_compared import kept, planted, record

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


def settled(
    records: list[Assessment],
    models: list[str],
    validation: dict[str, dict[int, Validation]],
    classes: dict[str, bool] = CLASSES,
    config: EvaluationConfig = CONFIG,
) -> ModelComparison:
    """Compute everything that the page shows, as its script does."""
    together = ensembles(records, models, validation, classes, config)
    every, named = [*records, *together.records], [*models, *ENSEMBLES]
    speed = pd.DataFrame(
        [(m, "r1", 2.0, 1, 0.5 + k, "") for k, m in enumerate(models)], columns=list(SPEED_COLUMNS)
    )
    settings = {m: 1 + 5 * (m == "good") for m in models}
    described = {m: {1: {"parameters": 1234567}} for m in models}
    seconds = {m: {1: 30.0} for m in models}
    return ModelComparison(
        figures=figures(every, named, classes, config, 0),
        pairs=pair_table(every, named, classes, config),
        screening=screening_table(every, named, classes, config),
        zones=zone_table(records, models, validation, classes, config),
        benefit=benefit_table(every, named, classes, config),
        calibration=calibration_table(records, models, validation, classes, config, 0),
        reliability=reliability_table(records, models, validation, classes, config),
        weights=together.weights,
        cost=cost_table(described, settings, seconds, speed),
        speed=speed,
        ranks=ranks_of(records, models, classes),
        settings=settings,
        left_out=left_out(records, models),
        not_recalibrated=not_recalibrated(validation),
        no_zone=no_zone(validation),
        no_ensemble=together.missing,
    )


def comparison(records: list[Assessment]) -> ModelComparison:
    names = [f"v{k}" for k in range(8)]
    kept = Validation(names, [False] * 4 + [True] * 4, [0.1, 0.2, 0.3, 0.6] * 2)
    return settled(records, MODELS, {m: {1: kept} for m in MODELS})


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
    for words in (
        "Comparison of models",
        "1,234,567",
        "DeLong",
        "prevalence of 23 %",
        "lost",
        "(mean)",
        "Not the same tuning budget: settings tried in every fold were 6 in good; 1 in poor",
        "good is not recalibrated",
        "external: nothing is stacked",
        "Mean ranks need three models or more",
        "good, poor: timed on r1 (2 minutes)",
        'href="instances.html"',
        'href="subgroups.html"',
    ):
        assert words in BeautifulSoup(html, "html.parser").get_text() or words in html, words
    text = text_table(result, MODELS)
    assert "n = 40" in text
    assert "good - poor, AUC (DeLong)" in text
    assert "Not compared, external: lost, of whom no result has poor" in text
    assert "Not the same tuning budget" in text
    assert "30 s" in text
    empty = ModelComparison(
        **{
            name: getattr(result, name).iloc[:0]
            for name in (
                *("figures", "pairs", "screening", "zones", "benefit", "calibration"),
                *("reliability", "weights", "cost", "speed"),
            )
        }
    )
    assert "No set has infants" in page(empty, MODELS, 0.95, phantoms=False)
    text_table(empty, MODELS)


def test_a_model_that_few_infants_have_a_result_of_is_named() -> None:
    records = [one(f"i{k}", m, ("normal", "risk")[k % 2], 0.5) for m in MODELS for k in range(10)]
    assert not any("without it" in line for line in left_out(records, MODELS))
    records += [one(f"i{k}", "pictures", ("normal", "risk")[k % 2], 0.5) for k in range(2)]
    told = left_out(records, [*MODELS, "pictures"])
    assert told[0] == (
        "external: pictures has a result of 2 infants; all models are compared on 2, and without "
        "it would be on 10"
    )
    assert sum("without it" in line for line in told) == 1


def test_why_there_is_no_zone_is_said() -> None:
    both = Validation(["a", "b"], [True, False], [0.9, 0.1])
    alone = Validation(["a"], [True], [0.9])
    assert no_zone({"good": {1: both, 2: both}}) == []
    assert no_zone({"poor": {1: both, 2: alone}}) == [
        "poor has no zone of doubt: infants of both groups must have been kept aside by every "
        "fold model, and were not by 2"
    ]


def test_with_models_and_infants_enough_nothing_is_missing() -> None:
    gain = {"anti": -0.5, "good": 1.5, "noise": 0.0}
    rng = np.random.default_rng(3)
    records, validation = planted(rng, gain, infants=60, aside=20)
    records += planted(rng, gain, infants=40, role="external")[0]
    result = settled(records, list(gain), validation)
    assert (result.not_recalibrated, result.no_ensemble, result.left_out) == ([], (), [])
    soup = BeautifulSoup(page(result, list(gain), 0.95, phantoms=False), "html.parser")
    words = soup.get_text(" ", strip=True)
    assert "What (stacked) learned" in words
    assert "Not computed" not in words
    assert words.count("Friedman's test that all are alike: p < 0.001 (n = 60)") == 1
    # Three models, three ways, two sets.
    of_calibration = [t for t in soup.find_all("table") if "Fitted on" in t.get_text()]
    assert [len(t.find("tbody").find_all("tr")) for t in of_calibration] == [9, 9]
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)), "figures on one page share no ids"
    text = text_table(result, list(gain))
    assert "good, isotonic" in text
    assert "(mean) - (stacked), AUC (DeLong)" in text
    pictures = [draw_ranks(result.ranks), draw_reliability(result.reliability)]
    assert pictures == [draw_ranks(result.ranks), draw_reliability(result.reliability)]
    assert "isotonic" in pictures[1]


def test_three_classes_are_compared_like_two() -> None:
    classes = {"normal": False, "mild": True, "severe": True}
    rng = np.random.default_rng(6)
    records = []
    for role in ("development", "external"):
        for k in range(36):
            for model in ("a", "b", "c"):
                p = rng.dirichlet(1 + 3 * np.eye(3)[k % 3])
                records.append(
                    record(
                        f"{role}{k}",
                        model,
                        list(classes)[k % 3],
                        p[1] + p[2],
                        role=role,
                        classes=list(p),
                    )
                )
    aside = [False, True, True] * 6
    scores = {m: np.clip(0.3 + 0.3 * np.array(aside) + rng.random(18) / 4, 0, 1) for m in "abc"}
    validation = {m: {1: kept(aside, list(s))} for m, s in scores.items()}
    result = settled(records, ["a", "b", "c"], validation, classes)
    found = result.figures.set_index(["set", "model", "metric"])["value"]
    for model in ("a", "(mean)", "(stacked)"):
        assert 0.5 < found["external", model, "auc"] <= 1
        assert 1 / 3 < found["external", model, "class_accuracy"] <= 1
    assert set(result.ranks) == {"development", "external"}
    assert set(result.calibration["method"]) == {"raw", "platt", "isotonic"}
    assert "(stacked)" in page(result, ["a", "b", "c"], 0.95, phantoms=False)
    assert "(stacked)" in text_table(result, ["a", "b", "c"])


@pytest.mark.parametrize("only", ["normal", "risk"])
def test_a_set_of_one_group_still_has_its_page(only: str) -> None:
    gain = {"a": 1.0, "b": 0.5, "c": 0.0}
    records, validation = planted(np.random.default_rng(8), gain, infants=30, aside=20)
    records += [
        record(f"x{k}", m, only, 0.2 + 0.05 * k, role="external", folds=[1, 2, 3])
        for m in gain
        for k in range(10)
    ]
    config = EvaluationConfig(bootstrap=200)
    result = settled(records, list(gain), validation, config=config)
    external = result.figures[result.figures["set"] == "external"].set_index("metric")
    assert external.loc["auc", "value"].isna().all()
    assert set(external.loc["auc", "n"]) == {10}
    assert external.loc["brier", "value"].notna().all()
    after = result.calibration[result.calibration["set"] == "external"].set_index("measure")
    assert after.loc["calibration_slope", "value"].isna().all()
    assert after.loc["brier_change", "value"].notna().all()
    assert set(result.ranks) == {"development"}, "placements need infants of both groups"
    assert set(result.weights["set"]) == {"development", "external"}
    html = page(result, list(gain), 0.95, phantoms=False)
    assert "External (tested, never trained on), n = 10" in html
    assert "External (tested, never trained on), n = 10" in text_table(result, list(gain))


def test_figures_are_written_with_their_intervals() -> None:
    row = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert with_interval(row) == "0.50 (0.25 to 0.75)"
    assert with_interval(row | {"low": math.nan}) == "0.50"
    assert with_interval(row | {"value": math.nan}) == "–"
    assert with_interval(row | {"value": math.inf, "low": 2.0, "high": 9.0}) == "∞ (2.00 to 9.00)"
    assert [p_text(p) for p in (0.0004, 0.0312, math.nan)] == ["< 0.001", "0.031", "–"]
