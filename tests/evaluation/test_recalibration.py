"""Recalibration against scikit-learn's own wrapper, and on models whose faults are planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation.calibration import brier, brier_change, logit
from fidgety.evaluation.metrics import auc
from fidgety.evaluation.recalibration import (
    CALIBRATION_COLUMNS,
    MIN_EACH,
    calibration_table,
    fit_isotonic,
    fit_platt,
    not_recalibrated,
    recalibrated,
    reliability_table,
    too_few,
)
from tests.evaluation.models_compared import kept, planted, record

CLASSES = {"normal": False, "risk": True}
CONFIG = EvaluationConfig(bootstrap=200)


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision is its one input."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, x):
        return np.asarray(x)[:, 0]

    def predict(self, x):
        return self.decision_function(x) > 0


def sample(seed: int, n: int = 60, gain: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    return truth, special.expit(gain * (2.0 * truth - 1) + rng.normal(size=n))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("seed", range(4))
def test_maps_are_those_of_scikit_learns_wrapper(method: str, seed: int) -> None:
    truth, score = sample(seed)
    # Isotonic regression does not mind on which scale the scores are; Platt's map reads logits.
    x = logit(score) if method == "sigmoid" else score
    frozen = FrozenEstimator(Scores().fit(x[:, None], truth))
    wrapped = CalibratedClassifierCV(frozen, method=method, ensemble=False).fit(x[:, None], truth)
    _, new = sample(seed + 100)
    grid = logit(new) if method == "sigmoid" else new
    wanted = wrapped.predict_proba(grid[:, None])[:, 1]
    fit = fit_platt if method == "sigmoid" else fit_isotonic
    np.testing.assert_allclose(fit(truth, score)(new), wanted, atol=2e-4)


def test_a_known_sigmoid_is_found_again() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(scale=2, size=20000)
    truth = rng.random(20000) < special.expit(0.7 * z - 0.4)
    found = fit_platt(truth, special.expit(z))
    assert found.slope == pytest.approx(0.7, abs=0.03)
    assert found.intercept == pytest.approx(-0.4, abs=0.05)


@pytest.mark.parametrize("seed", range(10))
def test_the_area_within_a_fold_is_the_same_after_platt(seed: int) -> None:
    truth, score = sample(seed)
    platt = fit_platt(truth, score)
    other, new = sample(seed + 50)
    assert platt.slope > 0
    assert auc(other, platt(new)) == auc(other, new)
    # Isotonic regression makes ties, but never turns a pair round.
    order = np.argsort(new)
    assert (np.diff(fit_isotonic(truth, score)(new)[order]) >= 0).all()


def test_scores_that_fall_with_risk_are_levelled_not_turned_round() -> None:
    truth, score = sample(1)
    platt = fit_platt(truth, 1 - score)
    assert platt.flat
    assert len(set(platt(score))) == 1
    m, n = truth.sum(), (~truth).sum()
    targets = m * (m + 1) / (m + 2) + n / (n + 2)
    assert platt(score)[0] == pytest.approx(targets / len(truth))
    assert fit_isotonic([True] * 5 + [False] * 5, np.linspace(0, 1, 10)).flat
    assert fit_platt(truth, np.full(len(truth), 0.3)).flat


def test_platts_targets_keep_separated_groups_from_certainty() -> None:
    truth, score = [False] * 5 + [True] * 5, np.linspace(0.05, 0.95, 10)
    platt = fit_platt(truth, score)
    p, target = platt(score), np.where(truth, 6 / 7, 1 / 7)
    # Where the likelihood of Platt's targets is highest, both its derivatives vanish; with 0 and 1
    # for targets there is no such place.
    assert (p - target).sum() == pytest.approx(0, abs=1e-6)
    assert ((p - target) * logit(score)).sum() == pytest.approx(0, abs=1e-6)
    assert 0 < platt.slope < 5


def test_an_overconfident_model_is_mended() -> None:
    records, validation = planted(
        np.random.default_rng(3), {"m": 0.5}, infants=1200, folds=3, aside=200
    )
    sure = [
        record(r.infant, "m", r.label, special.expit(5 * logit(r.fold_probability)), folds=r.folds)
        for r in records
    ]
    own = {
        "m": {
            k: kept(v.positive, special.expit(5 * logit(v.score)), k)
            for k, v in validation["m"].items()
        }
    }
    table = calibration_table(sure, ["m"], own, CLASSES, CONFIG, 0)
    assert tuple(table.columns) == CALIBRATION_COLUMNS
    found = table.set_index(["method", "measure"])
    assert found.loc[("raw", "calibration_slope"), "value"] < 0.6
    for method in ("platt", "isotonic"):
        change = found.loc[(method, "brier_change")]
        assert change["high"] < 0
        assert change["value"] == pytest.approx(
            found.loc[(method, "brier"), "value"] - found.loc[("raw", "brier"), "value"]
        )
        assert set(table.loc[table["method"] == method, "fitted_on"]) == {600}
    assert 0.7 < found.loc[("platt", "calibration_slope"), "value"] < 1.4
    assert set(table["n"]) == {1200}
    bins = reliability_table(sure, ["m"], own, CLASSES, CONFIG)
    assert list(dict.fromkeys(bins["method"])) == ["raw", "platt", "isotonic"]
    assert (bins.groupby("method")["n"].sum() == 1200).all()


def test_an_infant_is_judged_by_the_map_of_its_own_fold() -> None:
    maps = {1: lambda p: np.asarray(p) / 2, 2: lambda p: np.asarray(p) + 0.1}
    records = [
        record("a", "m", "risk", 0.4, folds=[1]),
        record("b", "m", "risk", 0.4, folds=[2]),
        record("c", "m", "risk", [0.4, 0.6], folds=[1, 2], role="external"),
    ]
    np.testing.assert_allclose(recalibrated(records, maps), [0.2, 0.5, (0.2 + 0.7) / 2])
    np.testing.assert_allclose(recalibrated(records, None), [0.4, 0.4, 0.5])


def test_too_few_validation_infants_are_told_of_and_nothing_is_computed() -> None:
    enough = kept([True] * MIN_EACH + [False] * MIN_EACH, np.linspace(0.9, 0.1, 2 * MIN_EACH))
    one_less = kept([True] * (MIN_EACH - 1) + [False] * 9, [0.5] * (MIN_EACH + 8), 2)
    assert too_few({1: enough}) == ""
    validation = {"good": {1: enough}, "bad": {1: enough, 2: one_less}, "none": {}}
    assert not_recalibrated(validation) == [
        "bad is not recalibrated: every fold model needs 5 validation infants at risk and 5 "
        "others, and fold 2 has 4 at risk and 9 others",
        "none is not recalibrated: every fold model needs 5 validation infants at risk and 5 "
        "others, and there is no fold model",
    ]
    records = [
        record(f"i{k}", m, ("normal", "risk")[k % 2], 0.3 + 0.05 * k)
        for m in ("good", "bad")
        for k in range(8)
    ]
    table = calibration_table(records, ["good", "bad"], validation, CLASSES, CONFIG, 0)
    assert set(table.loc[table["model"] == "bad", "method"]) == {"raw"}
    assert set(table.loc[table["model"] == "good", "method"]) == {"raw", "platt", "isotonic"}


def test_a_change_of_the_brier_score_is_of_the_same_infants() -> None:
    truth, score = sample(2, n=80)
    worse = score * 0.9
    change = brier_change(truth, score, worse, resamples=500)
    apart = brier(truth, worse, resamples=500).value - brier(truth, score, resamples=500).value
    assert change.value == pytest.approx(apart)
    assert change.n == 80
    assert change.low < change.value < change.high
    # Paired: much narrower than the intervals of the two scores.
    whole = brier(truth, score, resamples=500)
    assert change.high - change.low < (whole.high - whole.low) / 2
    assert np.isnan(brier_change([], [], []).value)
