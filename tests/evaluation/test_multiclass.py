"""Figures of more than two classes, against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from fidgety.evaluation.multiclass import by_class, confusion, estimates, overall

CLASSES = ("WMs", "FMs", "PR")
HOW = {"resamples": 400, "confidence": 0.95, "seed": 1}


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1))
def test_figures_are_scikit_learns(pairs) -> None:
    truth, called = zip(*pairs, strict=True)
    matrix = confusion(truth, called, CLASSES)
    there = sorted(set(truth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macro = precision_recall_fscore_support(
            truth, called, labels=there, average="macro", zero_division=0
        )
        each = precision_recall_fscore_support(
            truth, called, labels=list(CLASSES), zero_division=np.nan
        )
        kappa = cohen_kappa_score(truth, called)
        mcc = matthews_corrcoef(truth, called)
    found = overall(matrix)
    for name, value in zip(("precision", "recall", "f1"), macro[:3], strict=True):
        assert found[f"macro_{name}"] == pytest.approx(value)
    for name, values in zip(("precision", "recall"), each[:2], strict=True):
        np.testing.assert_allclose(by_class(matrix)[name], values)
    # scikit-learn gives 0 (or NaN) where one answer alone is given; here it is undefined.
    if np.isfinite(found["mcc"]):
        assert found["mcc"] == pytest.approx(mcc)
    else:
        assert len(set(truth)) == 1 or len(set(called)) == 1
    if np.isfinite(found["class_kappa"]):
        assert found["class_kappa"] == pytest.approx(kappa)


def test_intervals_hold_the_figure_and_shrink_with_infants() -> None:
    rng = np.random.default_rng(0)
    width = []
    for n in (15, 240):
        truth = [CLASSES[k % 3] for k in range(n)]
        called = [t if rng.random() < 0.7 else str(rng.choice(CLASSES)) for t in truth]
        found = estimates(truth, called, CLASSES, **HOW)
        for name in ("macro_f1", "mcc", "class_kappa", "f1_PR", "recall_WMs", "class_accuracy"):
            one = found[name]
            assert one.low <= one.value <= one.high, name
        width.append(found["macro_f1"].high - found["macro_f1"].low)
        assert found["macro_f1"].n == n
    assert width[1] < width[0] / 2


def test_resampling_a_row_is_resampling_its_infants() -> None:
    """Second implementation: infants drawn with replacement within their class."""
    truth = ["WMs"] * 8 + ["FMs"] * 12 + ["PR"] * 6
    rng = np.random.default_rng(3)
    called = [t if rng.random() < 0.6 else str(rng.choice(CLASSES)) for t in truth]
    values = []
    for _ in range(3000):
        drawn = np.concatenate(
            [rng.choice(np.flatnonzero(np.array(truth) == c), truth.count(c)) for c in CLASSES]
        )
        matrix = confusion([truth[k] for k in drawn], [called[k] for k in drawn], CLASSES)
        values.append(float(overall(matrix)["macro_f1"]))
    found = estimates(truth, called, CLASSES, resamples=3000, confidence=0.9, seed=2)["macro_f1"]
    np.testing.assert_allclose(
        [found.low, found.high], np.quantile(values, [0.05, 0.95]), atol=0.03
    )


def test_what_is_undefined_is_not_zero() -> None:
    found = estimates(["WMs"] * 3, ["WMs"] * 3, CLASSES, **HOW)
    assert np.isnan(found["mcc"].value)
    assert np.isnan(found["recall_FMs"].value)
    assert np.isnan(found["f1_PR"].value)
    assert found["macro_recall"].value == 1
    empty = estimates([], [], CLASSES, **HOW)
    assert all(np.isnan(e.value) for e in empty.values())
