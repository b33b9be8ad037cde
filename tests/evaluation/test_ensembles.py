"""Ensembles on planted models, and that no infant's label has a say in its own score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, special

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation.calibration import logit
from fidgety.evaluation.ensembles import ensembles, fit_stacker, kept_aside
from fidgety.evaluation.intervals import mann_whitney
from fidgety.evaluation.metrics import auc
from fidgety.evaluation.model_comparison import (
    ENSEMBLES,
    MEAN,
    STACKED,
    Validation,
    figures,
    pair_table,
)
from fidgety.evaluation.records import Assessment
from tests.evaluation.models_compared import kept, planted, record

CLASSES = {"normal": False, "risk": True}
CONFIG = EvaluationConfig(bootstrap=100)
GAIN = {"anti": -1.0, "good": 1.0, "noise": 0.0}
MODELS = list(GAIN)


def of(records: list[Assessment] | tuple[Assessment, ...], name: str) -> list[Assessment]:
    return [r for r in records if r.model == name]


def area(records: list[Assessment]) -> float:
    return auc([r.label == "risk" for r in records], [r.probability for r in records])


@pytest.fixture(scope="module")
def study() -> tuple[list[Assessment], dict[str, dict[int, Validation]]]:
    rng = np.random.default_rng(0)
    development, validation = planted(rng, GAIN, infants=120, aside=40)
    external, _ = planted(rng, GAIN, infants=80, role="external")
    return development + external, validation


def test_stacking_finds_the_model_that_knows_something(study) -> None:
    records, validation = study
    found = ensembles(records, MODELS, validation, CLASSES, CONFIG)
    assert found.missing == ()
    weights = found.weights.pivot(index=["set", "fold"], columns="term", values="weight")
    assert list(weights.index) == [
        ("development", 1),
        ("development", 2),
        ("development", 3),
        ("external", 0),
    ]
    assert (weights["good"] > 3 * weights["noise"]).all()
    assert (weights["anti"] < 0.05).all(), "no weight is below 0"
    assert (weights[MODELS] >= 0).all().all()
    n = found.weights.set_index(["set", "fold"])["n"]
    assert set(n["development"]) == {40}
    assert set(n["external"]) == {120}
    for role in ("development", "external"):
        own = {
            m: area([r for r in of([*records, *found.records], m) if r.role == role])
            for m in (*MODELS, *ENSEMBLES)
        }
        assert own[STACKED] > own[MEAN] + 0.1, "the mean pays for noise and contradiction"
        assert own[STACKED] == pytest.approx(own["good"], abs=0.05)


def test_two_good_models_are_better_together() -> None:
    rng = np.random.default_rng(1)
    records, validation = planted(rng, {"a": 0.7, "b": 0.7}, infants=400, aside=60)
    found = ensembles(records, ["a", "b"], validation, CLASSES, CONFIG).records
    alone = max(area(of(records, m)) for m in "ab")
    assert min(area(of(found, m)) for m in ENSEMBLES) > alone + 0.03


def test_the_mean_is_the_mean_fold_by_fold(study) -> None:
    records, validation = study
    found = of(ensembles(records, MODELS, validation, CLASSES, CONFIG).records, MEAN)
    for one in found:
        own = [r for r in records if r.infant == one.infant]
        np.testing.assert_allclose(
            one.fold_probability, np.mean([r.fold_probability for r in own], axis=0)
        )
        assert one.folds == own[0].folds
        assert one.probability == pytest.approx(np.mean([r.probability for r in own]))
        assert one.class_probability[1] == pytest.approx(one.probability)
    assert len(found) == 200


def shuffled(
    records: list[Assessment], who: set[str], rng: np.random.Generator
) -> list[Assessment]:
    names = sorted(who)
    of_whom = {r.infant: r.label for r in records if r.infant in who}
    new = dict(zip(names, rng.permutation([of_whom[i] for i in names]), strict=True))
    return [replace(r, label=str(new[r.infant])) if r.infant in who else r for r in records]


def test_labels_of_those_judged_do_not_change_what_is_said_of_them(study) -> None:
    """All labels of the set are dealt anew: scores and thresholds of all stay what they were."""
    records, validation = study
    rng = np.random.default_rng(5)

    def said(given: list[Assessment], role: str) -> list[tuple]:
        found = ensembles(given, MODELS, validation, CLASSES, CONFIG).records
        return [(r.infant, r.model, r.probability, r.threshold) for r in found if r.role == role]

    development = {r.infant for r in records if r.role == "development"}
    external = {r.infant for r in records} - development
    assert said(shuffled(records, external, rng), "external") == said(records, "external")
    assert said(shuffled(records, development, rng), "development") == said(records, "development")
    # Development infants do teach those who judge the external ones.
    assert said(shuffled(records, development, rng), "external") != said(records, "external")


def of_neighbours(x: np.ndarray, truth: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Share at risk of the three nearest of the infants that were learned from."""
    nearest = np.argsort(np.abs(new[:, None] - x[None, :]), axis=1)[:, :3]
    return truth[nearest].mean(axis=1)


def neighbours_study(
    rng: np.random.Generator, n: int = 40, models: int = 5, folds: int = 5, aside: int = 3
) -> tuple[list[Assessment], dict[str, dict[int, Validation]], np.ndarray]:
    """Really trained models on inputs that tell nothing: neighbours, fold by fold.

    Returns
    -------
    records, validation
        As those of the workflow.
    weighed : ndarray of shape (infant,)
        Scores by weights that a fold learns on the other folds' out-of-fold scores.
    """
    truth = np.repeat([False, True], n // 2)
    inputs = rng.normal(size=(models, n))
    fold = np.empty(n, dtype=int)
    for side in (False, True):
        own = rng.permutation(np.flatnonzero(truth == side))
        fold[own] = 1 + np.arange(len(own)) % folds
    names = [f"m{k}" for k in range(models)]
    scores = np.empty((models, n))
    validation: dict[str, dict[int, Validation]] = {m: {} for m in names}
    for f in range(1, folds + 1):
        others = np.flatnonzero(fold != f)
        out = np.concatenate(
            [rng.choice(others[truth[others] == s], aside, replace=False) for s in (False, True)]
        )
        fit = np.setdiff1d(others, out)
        for k, name in enumerate(names):
            learned = inputs[k, fit], truth[fit]
            scores[k, fold == f] = of_neighbours(*learned, inputs[k, fold == f])
            said = of_neighbours(*learned, inputs[k, out])
            validation[name][f] = kept(list(truth[out]), list(said), f)
    records = [
        record(f"i{i}", m, ("normal", "risk")[int(truth[i])], scores[k, i], folds=[int(fold[i])])
        for k, m in enumerate(names)
        for i in range(n)
    ]
    weighed = np.empty(n)
    for f in range(1, folds + 1):
        stacker = fit_stacker(truth[fold != f], scores[:, fold != f].T)
        assert stacker is not None
        weighed[fold == f] = stacker(scores[:, fold == f].T)
    return records, validation, weighed


def within_folds(records: list[Assessment], scores: np.ndarray) -> float:
    truth = np.array([r.label == "risk" for r in records])
    fold = np.array([r.folds[0] for r in records])
    areas = [
        mann_whitney(scores[truth & (fold == f)], scores[~truth & (fold == f)])
        for f in np.unique(fold)
    ]
    return float(np.mean(areas))


def test_where_there_is_nothing_to_learn_nothing_is_found() -> None:
    """On trained models of noise the area is 0.5, where weights of the other folds' scores leak."""
    nested, leaking = [], []
    for seed in range(160):
        records, validation, weighed = neighbours_study(np.random.default_rng(seed))
        names = list(validation)
        found = of(ensembles(records, names, validation, CLASSES, CONFIG).records, STACKED)
        nested.append(within_folds(found, np.array([r.probability for r in found])))
        leaking.append(within_folds(of(records, "m0"), weighed))

    def error(values: list[float]) -> float:
        return float(np.std(values) / np.sqrt(len(values)))

    assert abs(np.mean(nested) - 0.5) < 3 * error(nested)
    assert np.mean(leaking) - 0.5 > 3 * error(leaking)


def test_weights_are_where_the_penalised_likelihood_is_highest() -> None:
    """Against a general solver that knows nothing of derivatives."""
    rng = np.random.default_rng(2)
    truth = np.arange(30) % 2 == 1
    p = special.expit(rng.normal(size=(30, 3)) + np.outer(2.0 * truth - 1, [1.0, 0.3, -0.5]))
    x = logit(np.clip(p, 0.01, 0.99))

    def loss(theta: np.ndarray) -> float:
        q = special.expit(x @ theta[:3] + theta[3])
        return float(
            -np.log(np.where(truth, q, 1 - q)).sum()
            + 0.5 * (9 * ((theta[:3] - 1 / 3) ** 2).sum() + theta[3] ** 2)
        )

    wanted = optimize.minimize(
        loss,
        np.zeros(4),
        method="SLSQP",
        bounds=[(0, None)] * 3 + [(None, None)],
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x
    found = fit_stacker(truth, p)
    np.testing.assert_allclose([*found.weights, found.intercept], wanted, atol=1e-4)
    assert found.weights[2] == 0
    assert fit_stacker([True, True], [[0.5], [0.6]]) is None


def test_few_infants_leave_the_weights_near_the_mean() -> None:
    two = fit_stacker([False, True], [[0.4, 0.6], [0.6, 0.4]])
    np.testing.assert_allclose(two.weights, 0.5, atol=0.1)
    assert abs(two.intercept) < 1e-6
    # One sure model of many: probabilities of 0 and 1 are kept within 1 and 99 %.
    assert two([0.0, 0.5]) == pytest.approx(two([0.01, 0.5]))


def test_infants_kept_aside_are_those_of_all_models() -> None:
    validation = {
        "a": {1: Validation(["x", "y", "z"], [True, False, True], [0.1, 0.2, 0.3])},
        "b": {1: Validation(["z", "x"], [True, True], [0.9, 0.8])},
    }
    positive, score = kept_aside(validation, ["a", "b"], 1)
    assert positive.tolist() == [True, True]
    assert score.tolist() == [[0.1, 0.8], [0.3, 0.9]]
    positive, score = kept_aside(validation, ["a", "b"], 2)
    assert positive.shape == (0,)
    assert score.shape == (0, 2)


def test_what_cannot_be_stacked_is_told(study) -> None:
    records, validation = study
    nobody = {m: {k: Validation([], [], []) for k in (1, 2, 3)} for m in MODELS}
    found = ensembles(records, MODELS, nobody, CLASSES, CONFIG)
    assert {(r.role, r.model) for r in found.records} == {
        ("development", MEAN),
        ("external", MEAN),
        ("external", STACKED),
    }
    assert found.missing == (
        "development: nothing is stacked, as no infants of both groups were kept aside by all "
        "models of fold 1, 2, 3",
    )
    # Without anybody kept aside, thresholds are the usual 0.5.
    assert {r.threshold for r in of(found.records, MEAN)} == {0.5}
    outside = [r for r in records if r.role == "external"]
    alone = ensembles(outside, MODELS, validation, CLASSES, CONFIG)
    assert {r.model for r in alone.records} == {MEAN}
    assert "no development infants of both groups" in alone.missing[0]
    single = ensembles(of(records, "good"), ["good"], validation, CLASSES, CONFIG)
    assert single.records == ()
    assert "no ensemble of a single model" in single.missing[0]


def test_ensembles_are_judged_like_models_and_pairs_with_them_are_a_family(study) -> None:
    records, validation = study
    made = ensembles(records, MODELS, validation, CLASSES, CONFIG).records
    every, names = [*records, *made], [*MODELS, *ENSEMBLES]
    table = figures(every, names, CLASSES, CONFIG, 0)
    counts = table[table["metric"] == "auc"].set_index(["set", "model"])["n"]
    assert counts["development"].to_dict() == dict.fromkeys(names, 120)
    assert counts["external"].to_dict() == dict.fromkeys(names, 80)
    alone = pair_table(records, MODELS, CLASSES, CONFIG)
    both = pair_table(every, names, CLASSES, CONFIG)
    with_them = both["first"].isin(ENSEMBLES) | both["second"].isin(ENSEMBLES)
    assert both[~with_them].reset_index(drop=True).equals(alone)
    assert len(both[with_them]) == 2 * 2 * 7
    areas = both[with_them & (both["measure"] == "auc") & (both["set"] == "external")]
    # Holm: the smallest of seven p values counts sevenfold.
    least = areas.loc[areas["p"].idxmin()]
    assert least["p_holm"] == pytest.approx(7 * least["p"])


def test_of_three_classes_the_ensembles_split_their_risk_as_the_mean_does() -> None:
    classes = {"normal": False, "mild": True, "severe": True}
    rng = np.random.default_rng(4)
    records = []
    for k in range(30):
        for model in "ab":
            p = rng.dirichlet([1, 1, 1])
            risk = p[1] + p[2]
            records.append(
                record(f"i{k}", model, list(classes)[k % 3], risk, folds=[1], classes=list(p))
            )
    aside = [True, False] * 5
    validation = {m: {1: kept(aside, list(rng.random(10)))} for m in "ab"}
    found = ensembles(records, ["a", "b"], validation, classes, CONFIG)
    for one in found.records:
        p = one.class_probability
        assert p.sum() == pytest.approx(1)
        assert p[1] + p[2] == pytest.approx(one.probability)
        own = np.mean([r.class_probability for r in records if r.infant == one.infant], axis=0)
        assert p[1] / p[2] == pytest.approx(own[1] / own[2])
    table = figures([*records, *found.records], ["a", "b", *ENSEMBLES], classes, CONFIG, 0)
    stacked = table[table["model"] == STACKED].set_index("metric")["value"]
    assert 0 <= stacked["macro_f1"] <= 1
    # A model that is certain has no shares to split by.
    sure = [
        replace(r, fold_probability=np.array([0.0]), class_probability=np.array([1.0, 0.0, 0.0]))
        for r in records
    ]
    certain = of(ensembles(sure, ["a", "b"], validation, classes, CONFIG).records, STACKED)
    assert all(r.class_probability[1] == r.class_probability[2] > 0 for r in certain)
