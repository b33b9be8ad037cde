"""Mean ranks and critical differences against the example that Demsar 2006 publishes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fidgety.evaluation.ranks import (
    RANK_COLUMNS,
    compare_ranks,
    critical_difference,
    groups_of,
    rank_table,
    ranks_of,
)
from fidgety.report.compare_figures import draw_ranks
from fidgety.report.compare_models import rank_words
from tests.evaluation.models_compared import record

#: Demsar 2006, Table 6: ranks of four variants of C4.5 on 14 data sets.
DEMSAR = {
    "C4.5": [4, 1, 4, 4, 4, 1, 3, 2.5, 4, 2.5, 4, 3, 4, 3],
    "C4.5+m": [3, 2, 1, 1, 2, 2.5, 2, 2.5, 3, 2.5, 2.5, 2, 1, 1],
    "C4.5+cf": [2, 3, 2, 3, 3, 4, 4, 4, 2, 2.5, 1, 4, 2, 4],
    "C4.5+m+cf": [1, 4, 3, 2, 1, 2.5, 1, 1, 1, 2.5, 2.5, 1, 3, 2],
}
CLASSES = {"normal": False, "risk": True}


def test_the_published_example_is_found_again() -> None:
    found = compare_ranks(DEMSAR)
    assert {m: round(r, 3) for m, r in found.mean.items()} == {
        "C4.5+m+cf": 1.964,
        "C4.5+m": 2.0,
        "C4.5+cf": 2.893,
        "C4.5": 3.143,
    }
    assert next(iter(found.mean)) == "C4.5+m+cf"
    assert found.n == 14
    # "Differences are greater than 1.25": none are, at 5 %.
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"),)
    # Friedman's chi-square of 9.28 without correction for ties; with it p is smaller.
    assert found.p < stats.chi2.sf(9.28, 3)
    assert found.p > 0.015


def test_at_ten_per_cent_the_two_groups_that_demsar_names_differ() -> None:
    """Page 13: CD = 1.12; C4.5 is worse than C4.5+m and C4.5+m+cf, of C4.5+cf nothing is known."""
    found = compare_ranks(DEMSAR, confidence=0.9)
    assert found.critical_difference == pytest.approx(1.12, abs=0.005)
    assert found.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))


@pytest.mark.parametrize(
    ("models", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (10, 3.164)],
)
def test_critical_values_are_those_of_the_paper(models: int, q: float) -> None:
    """Table 5 (a), two-tailed Nemenyi test at 5 %."""
    blocks = 30
    found = critical_difference(models, blocks) / np.sqrt(models * (models + 1) / (6 * blocks))
    assert found == pytest.approx(q, abs=1e-3)


def test_ranks_without_ties_give_friedmans_statistic() -> None:
    rng = np.random.default_rng(0)
    errors = rng.random((5, 40)) + 0.1 * np.arange(5)[:, None]
    found = compare_ranks({str(k): e for k, e in enumerate(errors)})
    mean = np.array([found.mean[str(k)] for k in range(5)])
    chi2 = 12 * 40 / (5 * 6) * ((mean**2).sum() - 5 * 36 / 4)
    assert found.p == pytest.approx(stats.chi2.sf(chi2, 4))
    assert mean.sum() == pytest.approx(15)


def test_models_that_are_alike_are_seldom_told_apart() -> None:
    """The share of rankings of chance in which any pair differs is at most about 5 %."""
    rng = np.random.default_rng(1)
    n = 400
    groups = [compare_ranks({str(k): rng.random(30) for k in range(4)}).groups for _ in range(n)]
    wrong = sum(found != () and len(found[0]) != 4 for found in groups)
    assert wrong <= stats.binom.ppf(0.999, n, 0.05)


def test_bold_and_shy_probabilities_of_one_order_rank_alike() -> None:
    """By distances from the truth, the one that exaggerates would win."""
    rng = np.random.default_rng(2)
    truth = rng.random(100) < 0.5
    right = rng.random(100) < 0.7
    p = np.where(right == truth, 0.7, 0.3)
    models = {"right": p, "bold": np.where(p > 0.5, 0.999, 0.001), "noise": rng.random(100)}
    records = [
        record(f"i{k}", m, "risk" if truth[k] else "normal", float(values[k]))
        for m, values in models.items()
        for k in range(100)
    ]
    found = ranks_of(records, list(models), CLASSES)["development"]
    assert found.mean["right"] == found.mean["bold"] < found.mean["noise"]


def test_an_infant_is_placed_among_those_of_its_fold_models() -> None:
    """Scores of the second fold lie higher; a fold with one group alone places nobody."""
    records = [
        record(f"i{fold}{k}", m, "risk" if k and fold < 3 else "normal", p + 0.3 * (fold == 2),
               folds=(fold,))
        for m, (low, high) in {"a": (0.1, 0.2), "b": (0.2, 0.1), "c": (0.1, 0.2)}.items()
        for fold in (1, 2, 3)
        for k, p in enumerate((low, high))
    ]  # fmt: skip
    found = ranks_of(records, ["a", "b", "c"], CLASSES)["development"]
    assert found.n == 4
    assert found.mean == {"a": 1.5, "c": 1.5, "b": 3.0}


def test_groups_are_the_largest_ones() -> None:
    mean = {"a": 1.0, "b": 1.5, "c": 2.4, "d": 4.0}
    assert groups_of(mean, 1.0) == (("a", "b"), ("b", "c"))
    assert groups_of(mean, 1.5) == (("a", "b", "c"),)
    assert groups_of(mean, 0.1) == ()


def test_models_of_a_set_are_ranked_on_their_infants_and_drawn() -> None:
    # Infants at risk score 0 to 14, the others lie below, among or above them.
    off = {"near": -100.0, "middle": -0.5, "far": 100.0}
    records = [
        record(f"{label}{k}", m, label, (200 + k + (by if label == "normal" else 0)) / 400)
        for m, by in off.items()
        for label in ("normal", "risk")
        for k in range(15)
    ]
    found = ranks_of(records, list(off), CLASSES)
    # Two infants are ranked right against all others by the one in the middle, too.
    wanted = {"near": 1 + 1 / 30, "middle": 2 - 1 / 30, "far": 3.0}
    assert found["development"].mean == pytest.approx(wanted)
    assert found["development"].groups == ()
    assert found["development"].p < 1e-6
    table = rank_table(found)
    assert tuple(table.columns) == RANK_COLUMNS
    assert set(table["n"]) == {30}
    svg = draw_ranks(found)
    assert "far" in svg
    assert "critical difference 0.61" in svg
    assert svg == draw_ranks(found)
    assert "Every model differs" in rank_words(found["development"])


def test_two_models_and_equal_errors_have_no_ranks_that_differ() -> None:
    records = [record(f"i{k}", m, "risk", 0.5) for m in "ab" for k in range(4)]
    assert ranks_of(records, ["a", "b"], CLASSES) == {}
    assert "three models" in draw_ranks({})
    with pytest.raises(ValueError, match="2 models"):
        compare_ranks({"a": [1.0], "b": [2.0]})
    same = compare_ranks({m: [0.5, 0.5] for m in "abc"})
    assert np.isnan(same.p)
    assert set(same.mean.values()) == {2.0}
    assert rank_words(same) == "All models rank all infants alike (n = 2)."
