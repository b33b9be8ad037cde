"""Tables of the study of Kaur 2025, against counts by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fidgety.datasets.snippet_split import LEAKS
from fidgety.evaluation.intervals import proportion
from fidgety.evaluation.snippets import (
    BASELINE_KIND,
    CHOSEN,
    METRICS,
    OPTIMISM_COLUMNS,
    OPTIMISM_METRICS,
    STUDY_COLUMNS,
    chosen_table,
    left_out_table,
    majority_rows,
    nested,
    optimism_table,
    share_estimate,
    speed_rows,
    study_table,
    wilson_by_infant,
)
from fidgety.evaluation.tables import BASELINE, MAJORITY
from fidgety.training.snippet_scores import SnippetScores, SnippetSet

#: Infant to (class, probabilities of being at risk of its snippets).
Infants = Mapping[str, tuple[int, Sequence[float]]]
HOW = (0.95, 200, 1)


def two_classes(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([1 - risk, risk], axis=-1)


def snippet_set(infants: Infants, folds: Mapping[str, int], judges: int = 1) -> SnippetSet:
    """Snippets of 10 s every 5 s; all judges say the same."""
    names = [i for i, (_, p) in infants.items() for _ in p]
    risk = np.array([x for _, p in infants.values() for x in p], dtype=float)
    return SnippetSet(
        infant=tuple(names),
        recording=tuple(f"{n}-r" for n in names),
        start_s=np.array([5.0 * k for _, p in infants.values() for k in range(len(p))]),
        label=np.array([c for c, p in infants.values() for _ in p], dtype=np.int64),
        fold=np.array([folds.get(n, 0) for n in names], dtype=np.int64),
        probability=np.broadcast_to(
            two_classes(risk).astype(np.float32), (1, judges, len(names), 2)
        ).copy(),
    )


def make_scores(
    internal: Infants,
    external: Infants | None = None,
    *,
    model: str = "cnn1d",
    split: str = "infant",
    features: str = "both",
    overlap: int = 150,
    candidates: Sequence[str] = ("",),
    n_folds: int = 2,
) -> SnippetScores:
    """Scores of one model; infants are dealt to the folds in turn, candidates say the same."""
    deal = {name: k % n_folds + 1 for k, name in enumerate(internal)}
    n = len(candidates)

    def grow(s: SnippetSet) -> SnippetSet:
        return replace(s, probability=np.repeat(s.probability, n, axis=0))

    return SnippetScores(
        model=model,
        kind="cnn1d",
        features=features,
        split=split,
        overlap=overlap,
        classes=("normal", "abnormal"),
        at_risk=(False, True),
        candidates=tuple(candidates),
        folds=tuple(range(1, n_folds + 1)),
        validation_loss=np.full((n, n_folds), 0.5),
        threshold=np.full((n, n_folds), 0.5),
        internal=grow(snippet_set(internal, deal)),
        external=grow(snippet_set(external or {}, {}, n_folds)),
    )


def figure(table: pd.DataFrame, level: str, metric: str, **where: str) -> pd.Series:
    rows = table[(table["level"] == level) & (table["metric"] == metric)]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


#: Folds in turn: a and c in 1, b and d in 2.
HAND: Infants = {
    "a": (0, [0.1, 0.2, 0.9, 0.5]),  # 3 of 4 normal: normal, though 0.5 is not below
    "b": (0, [0.1, 0.1, 0.1, 0.9, 0.9]),  # 60 % normal is not MORE than 60 %: at risk
    "c": (1, [0.9, 0.4]),  # half of them: at risk
    "d": (1, [0.4, 0.1, 0.2]),  # never
}


def test_a_small_study_by_hand() -> None:
    table = study_table([make_scores(HAND)], *HOW)
    assert list(table.columns) == list(STUDY_COLUMNS)
    assert list(zip(table["level"], table["metric"], strict=True)) == list(METRICS)
    assert set(table["set"]) == {"development"}
    assert set(table["candidate"]) == {""}
    snippets = figure(table, "snippet", "accuracy")
    assert snippets["value"] == pytest.approx((3 + 3 + 1 + 0) / 14)
    assert (snippets["n_infants"], snippets["n_snippets"]) == (4, 14)
    assert snippets["fold_values"] == f"{4 / 6:.4f} {3 / 8:.4f}"
    assert snippets["low"] < snippets["value"] < snippets["high"]
    expected = {
        "accuracy_60": (2, 4),
        "sensitivity_60": (1, 2),
        "specificity_60": (1, 2),
        "accuracy_threshold": (3, 4),  # means 0.425, 0.42, 0.65, 0.23
        "sensitivity_threshold": (1, 2),
        "specificity_threshold": (2, 2),
    }
    for metric, (right, n) in expected.items():
        row, by_hand = figure(table, "infant", metric), proportion(right, n)
        found = (row["value"], row["low"], row["high"], row["n_infants"])
        assert found == pytest.approx((by_hand.value, by_hand.low, by_hand.high, n))
    assert figure(table, "infant", "sensitivity_60")["n_snippets"] == 5
    assert figure(table, "infant", "specificity_60")["n_snippets"] == 9
    area = figure(table, "infant", "auc")
    assert area["value"] == pytest.approx(2 / 4)
    assert area["low"] <= area["value"] <= area["high"]
    assert set(table["leaks"]) == {""}


def test_the_threshold_of_the_models_that_judged() -> None:
    scores = make_scores(HAND, HAND)
    # Fold 1 judges a (0.425) and c (0.65), fold 2 judges b (0.42) and d (0.23).
    scores.threshold[0] = [0.7, 0.2]
    table = study_table([scores], *HOW)
    inside = {"set": "development"}
    assert figure(table, "infant", "sensitivity_threshold", **inside)["value"] == 0.5
    assert figure(table, "infant", "specificity_threshold", **inside)["value"] == 0.5
    # External infants: the mean of both, 0.45, and each by itself.
    outside = figure(table, "infant", "accuracy_threshold", set="external")
    assert outside["value"] == pytest.approx(3 / 4)
    assert outside["fold_values"] == "0.5000 0.5000"
    reached = make_scores({"a": (1, [0.3] * 10), "b": (0, [0.1])})
    reached.threshold[0] = float(np.float32(0.3))
    found = study_table([reached], *HOW)
    assert figure(found, "infant", "sensitivity_threshold")["value"] == 1  # reaching it counts


def test_external_is_the_mean_of_the_folds_and_every_fold() -> None:
    outside = {"x": (0, [0.1] * 8), "y": (1, [0.9] * 6 + [0.2] * 2)}
    scores = make_scores(HAND, outside)
    # The second model calls everything at risk, so strongly that the mean does so for x.
    scores.external.probability[0, 1] = two_classes(np.full(16, 0.95))
    table = study_table([scores], *HOW)
    row = figure(table, "snippet", "accuracy", set="external")
    assert row["value"] == pytest.approx(8 / 16)
    assert row["fold_values"] == "0.8750 0.5000"
    assert row["method"] == "wilson by infant"  # one infant a side: nothing to resample
    assert (row["low"], row["high"]) == pytest.approx((proportion(1, 2).low, proportion(1, 2).high))
    assert (row["n_infants"], row["n_snippets"]) == (2, 16)


def test_candidates_stand_beside_the_nested_choice() -> None:
    scores = make_scores(HAND, candidates=("small", "large"))
    scores.internal.probability[1] = two_classes(scores.internal.label.astype(float))
    scores.validation_loss[:] = [[0.4, 0.4], [0.3, 0.9]]  # large in fold 1, small in fold 2
    table = study_table([scores], *HOW)
    assert list(dict.fromkeys(table["candidate"])) == [CHOSEN, "small", "large"]
    values = {
        c: figure(table, "snippet", "accuracy", candidate=c)["value"]
        for c in (CHOSEN, "small", "large")
    }
    assert values == pytest.approx({CHOSEN: (6 + 3) / 14, "small": 7 / 14, "large": 1.0})
    assert set(nested(table)["candidate"]) == {CHOSEN}
    chosen = chosen_table([scores])
    assert list(chosen["candidate"]) == ["large", "small"]
    assert set(chosen["reason"]) == {"lowest validation loss"}


def test_a_fold_without_validation_takes_the_first() -> None:
    scores = make_scores(HAND, candidates=("small", "large"))
    scores.validation_loss[:] = [[np.nan, 0.4], [np.nan, 0.3]]
    chosen = chosen_table([scores])
    assert list(chosen["candidate"]) == ["small", "large"]
    assert list(chosen["reason"]) == ["no validation data", "lowest validation loss"]
    assert np.isnan(chosen["validation_loss"].iloc[0])
    table = study_table([scores], *HOW)
    assert len(table) == 3 * len(METRICS)
    words = f"{CHOSEN}; none in 1 of 2 folds: the first of the grid"
    assert set(nested(table)["candidate"]) == {words}
    leaking = make_scores(HAND, candidates=("small", "large"), split="snippet")
    pair = optimism_table([scores, leaking], *HOW)
    assert set(pair["candidate"]) == {f"{CHOSEN} (by snippet), {words} (by infant)"}
    assert list(chosen_table([make_scores(HAND)])["reason"]) == ["there is one alone"] * 2


def test_what_leaks_says_so() -> None:
    pair = [make_scores(HAND, HAND, split=s) for s in ("infant", "snippet")]
    table = study_table(pair, *HOW)
    assert set(table.loc[table["split"] == "snippet", "leaks"]) == {LEAKS}
    assert set(table.loc[table["split"] == "infant", "leaks"]) == {""}
    assert set(optimism_table(pair, *HOW)["leaks"]) == {LEAKS}
    chosen = chosen_table(pair)
    assert set(chosen.loc[chosen["split"] == "snippet", "leaks"]) == {LEAKS}
    assert set(majority_rows(pair, 0.95)["leaks"]) == {""}


def test_one_infant_in_several_folds() -> None:
    """Under the published split: each snippet by its own model, then the infant as a whole."""
    scores = make_scores(HAND, split="snippet")
    fold = np.arange(14) % 2 + 1
    scores = replace(scores, internal=replace(scores.internal, fold=fold))
    scores.threshold[0] = [0.0, 1.0]  # an infant's mean threshold is about a half
    table = study_table([scores], *HOW)
    assert figure(table, "snippet", "accuracy")["value"] == pytest.approx(7 / 14)
    assert figure(table, "infant", "accuracy_60")["value"] == pytest.approx(2 / 4)
    assert figure(table, "infant", "accuracy_60")["n_infants"] == 4
    # a: 0.5; b: 3 of 5 by model 1, so 0.4; c: 0.5; d: 2 of 3 by model 2, so 2/3 or 1/3.
    by_hand = [0.425 < 0.5, np.mean(fold[4:9] == 2) > 0.42, 0.65 >= 0.5, False]
    by_hand[3] = np.mean(fold[11:] == 2) <= 0.7 / 3
    found = figure(table, "infant", "accuracy_threshold")["value"]
    assert found == pytest.approx(np.mean(by_hand))


def test_three_classes() -> None:
    base = make_scores(HAND | {"a": (0, [0.1, 0.2, 0.9, 0.45])})
    risk = np.asarray(base.internal.probability[..., 1])
    three = np.stack([1 - risk, 0.4 * risk, 0.6 * risk], axis=-1)
    label = np.where(np.array(base.internal.infant) == "d", 2, base.internal.label)
    scores = replace(
        base,
        classes=("normal", "absent", "abnormal"),
        at_risk=(False, True, True),
        internal=replace(base.internal, probability=three, label=label),
        external=replace(base.external, probability=np.empty((1, 2, 0, 3), np.float32)),
    )
    pd.testing.assert_frame_equal(study_table([scores], *HOW), study_table([base], *HOW))
    pd.testing.assert_frame_equal(majority_rows([scores], 0.95), majority_rows([base], 0.95))


def test_undefined_is_nan_and_keeps_its_n() -> None:
    table = study_table([make_scores({"a": (0, [0.1, 0.2]), "b": (0, [0.1])})], *HOW)
    for metric in ("sensitivity_60", "sensitivity_threshold", "auc"):
        row = figure(table, "infant", metric)
        assert np.isnan([row["value"], row["low"], row["high"]]).all()
    assert figure(table, "infant", "sensitivity_60")["n_infants"] == 0
    assert figure(table, "infant", "specificity_60")["value"] == 1
    broken = make_scores(HAND)
    broken.internal.probability[0, 0, 0] = np.nan
    table = study_table([broken], *HOW)
    assert table["value"].isna().all()
    assert set(table["method"]) == {"undefined"}
    assert figure(table, "infant", "accuracy_60")["n_infants"] == 4
    # The other fold's model is not touched by it.
    assert figure(table, "snippet", "accuracy")["fold_values"] == f"nan {3 / 8:.4f}"


def test_nobody_at_all() -> None:
    nothing = make_scores({})
    told = study_table([nothing], *HOW)
    assert set(told["set"]) == {"development"}
    assert told["value"].isna().all()
    assert set(told["method"]) == {"undefined"}
    assert set(told["n_infants"]) == set(told["n_snippets"]) == {0}
    assert study_table([], *HOW).empty
    assert majority_rows([nothing], 0.95).empty
    assert speed_rows({}, [nothing], *HOW).empty
    assert list(optimism_table([nothing], *HOW).columns) == list(OPTIMISM_COLUMNS)
    pair = [nothing, replace(nothing, split="snippet")]
    row = optimism_table(pair, *HOW).iloc[0]
    assert np.isnan(row["optimism"])
    assert row["n_infants"] == 0


probabilities = st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), min_size=1, max_size=6)
cohorts = st.lists(st.tuples(st.integers(0, 1), probabilities), min_size=1, max_size=6).map(
    lambda found: {f"i{k}": infant for k, infant in enumerate(found)}
)


@settings(max_examples=25, deadline=None)
@given(cohorts, st.randoms(use_true_random=False))
def test_the_order_of_snippets_does_not_matter(cohort: Infants, random) -> None:
    scores = make_scores(cohort)
    order = list(range(len(scores.internal)))
    random.shuffle(order)
    own = scores.internal
    shuffled = SnippetSet(
        infant=tuple(own.infant[k] for k in order),
        recording=tuple(own.recording[k] for k in order),
        start_s=own.start_s[order],
        label=own.label[order],
        fold=own.fold[order],
        probability=own.probability[:, :, order],
    )
    how = (0.95, 100, 3)
    pd.testing.assert_frame_equal(
        study_table([scores], *how), study_table([replace(scores, internal=shuffled)], *how)
    )


@settings(max_examples=25, deadline=None)
@given(cohorts)
def test_no_optimism_where_both_splits_agree(cohort: Infants) -> None:
    pair = [make_scores(cohort, split=s) for s in ("infant", "snippet")]
    row = optimism_table(pair, 0.95, 100, 1).iloc[0]
    assert row["optimism"] == 0
    assert row["low"] <= 0 <= row["high"]
    assert row["snippet_split"] == row["infant_split"]
    assert row["n_infants"] == len(cohort)


@settings(max_examples=25, deadline=None)
@given(cohorts)
def test_intervals_hold_their_figure_and_stay_in_bounds(cohort: Infants) -> None:
    table = study_table([make_scores(cohort, cohort)], 0.95, 100, 1)
    known = table[table["value"].notna()]
    assert known[["low", "high"]].notna().all().all()
    assert known["value"].between(0, 1).all()
    assert (known["low"] >= 0).all()
    assert (known["high"] <= 1).all()
    assert (known["n_infants"] > 0).all()
    # BCa limits may pass a little beyond a figure at the edge of its resamples.
    sure = known[~known["method"].str.startswith("bootstrap")]
    assert sure["value"].between(sure["low"] - 1e-12, sure["high"] + 1e-12).all()


def test_optimism_by_hand() -> None:
    fair = {f"i{k}": (k % 2, [0.1, 0.9][: 1 + k % 2] * 2) for k in range(6)}
    flat = {name: (c, [float(c)] * len(p)) for name, (c, p) in fair.items()}
    scores = [
        make_scores(fair),
        make_scores(flat | {"only": (0, [0.9] * 50)}, split="snippet"),
        make_scores(fair, model="unpaired"),
    ]
    table = optimism_table(scores, *HOW)
    assert list(table["model"]) == ["cnn1d"] * 3
    assert list(zip(table["level"], table["metric"], strict=True)) == list(OPTIMISM_METRICS)
    row = table.iloc[0]
    # Class 1: half of four snippets right. The infant of one split alone does not count.
    assert row["snippet_split"] == 1
    assert row["infant_split"] == pytest.approx((3 * 2 + 3 * 2) / (3 * 2 + 3 * 4))
    assert row["optimism"] == pytest.approx(1 - 12 / 18)
    assert (row["n_infants"], row["n_snippets"]) == (6, 18)
    # Infants of a side agree: an interval of six single observations on either side.
    assert row["method"] == "wilson by infant, joined"
    one, other = wilson_by_infant(1.0, 6, 0.95), wilson_by_infant(12 / 18, 6, 0.95)
    gap = np.hypot(1 - one.low, other.high - other.value)
    assert row["low"] == pytest.approx(1 / 3 - gap)
    assert row["high"] == pytest.approx(1 / 3 + 12 / 18 - other.low)
    # Half of its snippets call an infant at risk by the rule of 60 %; its mean is just below 0.5.
    sixty, threshold = table.iloc[1], table.iloc[2]
    names = ["snippet_split", "infant_split", "optimism"]
    assert list(sixty[names]) == [1, 1, 0]
    assert list(threshold[names]) == [1, 0.5, 0.5]
    known = proportion(3, 6)
    assert (threshold["infant_low"], threshold["infant_high"]) == (known.low, known.high)
    for infants in (sixty, threshold):
        assert infants["method"] == "wilson by infant, joined"
        assert infants["low"] < infants["optimism"] < infants["high"]
        assert infants["n_infants"] == 6


def test_optimism_of_infants_is_resampled_in_pairs() -> None:
    fair = {f"i{k:02d}": (k % 2, [0.1 if (k % 8 < 4) == (k % 2) else 0.9]) for k in range(24)}
    known = {name: (c, [0.9 * c + 0.05]) for name, (c, _) in fair.items()}
    table = optimism_table([make_scores(fair), make_scores(known, split="snippet")], *HOW)
    for _, row in table[table["level"] == "infant"].iterrows():
        wrong = sum((p[0] > 0.5) != bool(c) for c, p in fair.values())
        assert row["infant_split"] == pytest.approx(1 - wrong / 24)
        assert row["optimism"] == pytest.approx(wrong / 24)
        assert row["method"] == "bootstrap BCa by infant, paired"
        assert 0 < row["low"] < row["optimism"] < row["high"] < 1
        assert row["leaks"] == LEAKS


def refuse(scores: SnippetScores, candidate: int, fold: int) -> SnippetScores:
    """Take a fold model away, as a refusal does; its snippets stay."""
    scores.validation_loss[candidate, fold - 1] = scores.threshold[candidate, fold - 1] = np.nan
    scores.internal.probability[candidate, 0, scores.internal.fold == fold] = np.nan
    scores.external.probability[candidate, fold - 1] = np.nan
    return scores


def test_a_refused_fold_model() -> None:
    outside = {"x": (0, [0.1, 0.2]), "y": (1, [0.9, 0.2])}
    scores = make_scores(HAND, outside, n_folds=3)
    scores.external.probability[0, 2] = two_classes(np.full(4, 0.95))
    scores.threshold[0] = [0.2, np.nan, 0.4]
    table = study_table([refuse(scores, 0, 2)], *HOW)
    inside = table[table["set"] == "development"]
    assert inside["value"].isna().all()
    assert set(inside["method"]) == {"undefined"}
    # The other two: means 0.525, 0.575, 0.925, 0.575 of the snippets, and a threshold of 0.3.
    row = figure(table, "snippet", "accuracy", set="external")
    assert row["value"] == pytest.approx(2 / 4)
    assert row["fold_values"] == "0.7500 nan 0.5000"
    reached = figure(table, "infant", "specificity_threshold", set="external")
    assert reached["value"] == 0
    assert reached["fold_values"] == "1.0000 nan 0.0000"
    for fold in (1, 3):
        refuse(scores, 0, fold)
    nobody = study_table([scores], *HOW)
    assert nobody["value"].isna().all()
    assert set(nobody["method"]) == {"undefined"}
    assert figure(nobody, "infant", "auc", set="external")["n_infants"] == 2
    assert set(nobody["fold_values"]) == {"nan nan nan"}


def test_the_mean_threshold_is_of_those_that_answer() -> None:
    scores = make_scores(HAND, {"x": (0, [0.5]), "y": (1, [0.5])})
    scores.threshold[0] = [0.6, 0.1]
    table = study_table([refuse(scores, 0, 2)], *HOW)
    # Neither reaches 0.6, though both would reach 0.35.
    assert figure(table, "infant", "specificity_threshold", set="external")["value"] == 1
    assert figure(table, "infant", "sensitivity_threshold", set="external")["value"] == 0


def test_a_refused_candidate_is_not_chosen() -> None:
    scores = make_scores(HAND, HAND, candidates=("small", "large"))
    table = study_table([refuse(scores, 0, 1)], *HOW)
    inside = {"set": "development"}
    assert np.isnan(figure(table, "snippet", "accuracy", candidate="small", **inside)["value"])
    assert figure(table, "snippet", "accuracy", candidate=CHOSEN, **inside)["value"] == 7 / 14
    assert list(chosen_table([scores])["candidate"]) == ["large", "small"]


def test_a_model_that_was_asked_nothing_is_told_of() -> None:
    pair = [
        make_scores({}, model="refused", split=split, candidates=("a", "b"))
        for split in ("infant", "snippet")
    ]
    for scores in pair:
        scores.validation_loss[:] = scores.threshold[:] = np.nan
    others = [make_scores(HAND, HAND, split=split) for split in ("infant", "snippet")]
    table = study_table([*pair, *others], *HOW)
    own = table[table["model"] == "refused"]
    assert set(zip(own["split"], own["set"], strict=True)) == {
        (split, role) for split in ("infant", "snippet") for role in ("development", "external")
    }
    assert own["value"].isna().all()
    assert set(own["n_infants"]) == {0}
    assert set(nested(own)["candidate"]) == {f"{CHOSEN}; no model in 2 of 2 folds"}
    assert set(chosen_table(pair)["reason"]) == {"none was trained"}
    optimism = optimism_table([*pair, *others], *HOW)
    assert optimism.loc[optimism["model"] == "refused", "optimism"].isna().all()
    # Baselines are those of the infants that others were asked about.
    majority = majority_rows([*pair, *others], 0.95)
    pd.testing.assert_frame_equal(majority, majority_rows(others, 0.95))
    speed = dict.fromkeys(HAND, 1.0)
    assert set(speed_rows(speed, [*pair, *others], *HOW)["n_infants"]) == {4}
    alone = make_scores({})
    alone.threshold[:] = np.nan
    assert set(chosen_table([alone])["reason"]) == {"none was trained"}


def test_optimism_is_resampled_in_pairs() -> None:
    share = np.linspace(0.1, 0.8, 12)
    n = 40

    def cohort(gain: float) -> Infants:
        made = {}
        for k, s in enumerate(share):
            right = round(n * min(s + gain * (k % 4), 1))
            good, bad = (0.1, 0.9) if k % 2 == 0 else (0.9, 0.1)
            made[f"i{k:02d}"] = (k % 2, [good] * right + [bad] * (n - right))
        return made

    pair = [make_scores(cohort(0.0)), make_scores(cohort(0.05), split="snippet")]
    row = optimism_table(pair, *HOW).iloc[0]
    single = study_table(pair[:1], *HOW)
    alone = figure(single, "snippet", "accuracy")
    assert row["method"] == "bootstrap BCa by infant, paired"
    assert row["low"] < row["optimism"] < row["high"]
    # What infants differ in is the same on both sides and cancels.
    assert row["high"] - row["low"] < 0.3 * (alone["high"] - alone["low"])


def test_wilson_by_infant_is_wilson() -> None:
    for right, n in ((0, 3), (1, 1), (3, 7), (10, 10)):
        found, known = wilson_by_infant(right / n, n, 0.9), proportion(right, n, 0.9)
        assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)
        assert found.n == n
    assert wilson_by_infant(1.0, 5, 0.95).high == 1
    assert wilson_by_infant(0.0, 5, 0.95).low == 0


def test_more_snippets_of_the_same_infants_tell_no_more() -> None:
    """Every snippet a hundred times: the same interval."""
    rng = np.random.default_rng(0)
    right, total = rng.integers(1, 10, 12), np.full(12, 10)
    side = np.arange(12) % 2 == 0
    how = {"confidence": 0.95, "resamples": 500, "seed": 3}
    once = share_estimate(right, total, side, **how)
    often = share_estimate(100 * right, 100 * total, side, **how)
    assert (once.low, once.high) == pytest.approx((often.low, often.high))
    assert once.method == "bootstrap BCa by infant"
    assert once.high - once.low > 2 * (proportion(100 * int(right.sum()), 12000).high - once.value)


def test_infants_that_agree_count_once_each() -> None:
    side = np.array([True, True, False, False, False])
    how = {"confidence": 0.95, "resamples": 200, "seed": 0}
    total = np.array([30, 10, 20, 40, 50])
    for right in (total, 0 * total, total // 10 * 5, np.where(side, total, 0)):
        found = share_estimate(right, total, side, **how)
        assert found.method == "wilson by infant"
        assert found.n == 5
        assert found.high - found.low > 0.3
    assert np.isnan(share_estimate(total[:0], total[:0], side[:0], **how).value)


def test_intervals_cover() -> None:
    """Infants' own shares scatter widely; binomial intervals of snippets would hold about half."""
    rng = np.random.default_rng(7)
    side = np.arange(24) % 2 == 0
    hits, naive, n = 0, 0, 200
    for k in range(n):
        share = np.where(side, rng.beta(2, 2, 24), rng.beta(4, 1, 24))
        total = rng.integers(20, 40, 24)
        right = rng.binomial(total, share)
        truth = (0.5 + 0.8) / 2
        found = share_estimate(right, total, side, confidence=0.95, resamples=200, seed=k)
        hits += found.low <= truth <= found.high
        snippets = proportion(int(right.sum()), int(total.sum()))
        naive += snippets.low <= truth <= snippets.high
    assert hits / n > 0.88
    assert naive / n < 0.75


def test_majority_by_hand() -> None:
    outside = {"x": (1, [0.5] * 9), "y": (0, [0.5]), "z": (1, [0.5] * 2)}
    inside = HAND | {"e": (0, [0.5] * 6)}
    pair = [
        make_scores(inside, outside, split=s, model=m) for s in ("infant", "snippet") for m in "ab"
    ]
    table = majority_rows(pair, 0.95)
    assert set(table["model"]) == {MAJORITY}
    assert set(table["kind"]) == {BASELINE_KIND}
    assert len(table) == 2 * 4  # once an input and overlap, whatever the models
    # Three of five are normal: so is everybody.
    row = figure(table, "snippet", "accuracy", set="development")
    assert row["value"] == pytest.approx(15 / 20)
    known = wilson_by_infant(15 / 20, 5, 0.95)
    assert (row["low"], row["high"], row["n_infants"]) == (known.low, known.high, 5)
    assert figure(table, "infant", "accuracy", set="development")["value"] == pytest.approx(3 / 5)
    assert figure(table, "infant", "sensitivity", set="development")["value"] == 0
    assert figure(table, "snippet", "accuracy", set="external")["value"] == pytest.approx(1 / 12)
    assert figure(table, "infant", "accuracy", set="external")["value"] == pytest.approx(1 / 3)
    tie = majority_rows([make_scores(HAND)], 0.95)
    assert figure(tie, "infant", "sensitivity")["value"] == 1  # of equal sides: at risk


def test_speed_by_hand() -> None:
    outside = {"x": (1, [0.5] * 2), "y": (0, [0.5]), "z": (1, [0.5])}
    scores = [make_scores(HAND, outside), make_scores(HAND, outside, split="snippet")]
    slow = {"a": 3.0, "b": 4.0, "c": 1.0, "d": 2.0, "x": 5.0, "y": 4.0, "elsewhere": 0.0}
    table = speed_rows(slow, scores, *HOW)
    assert set(table["model"]) == {BASELINE}
    inside = figure(table, "infant", "auc", set="development")
    assert inside["value"] == 1
    assert "slower is at risk" in inside["method"]
    external = figure(table, "infant", "auc", set="external")
    assert external["value"] == 0  # the development infants' direction, come what may
    assert external["n_infants"] == 2  # z has no speed
    assert external["n_snippets"] == 0
    fast = speed_rows({k: -v for k, v in slow.items()}, scores[:1], *HOW)
    assert "faster is at risk" in figure(fast, "infant", "auc", set="external")["method"]
    # Nobody has a speed; only the external infants have none.
    unknown = speed_rows({}, scores, *HOW)
    assert list(unknown["set"]) == ["development", "external"]
    assert unknown["value"].isna().all()
    assert set(unknown["n_infants"]) == {0}
    assert set(unknown["method"]) == {
        "undefined: no infant has coordinates_2d or coordinates_3d in the main line's features"
    }
    inside = speed_rows({k: v for k, v in slow.items() if k in HAND}, scores, *HOW)
    assert list(inside["value"].isna()) == [False, True]


def test_who_is_left_out() -> None:
    scores = replace(make_scores(HAND), left_out={"z": "too short", "f": "no label"})
    table = left_out_table([scores, replace(scores, model="other")])
    assert list(table["id"]) == ["f", "z"]
    assert list(table["reason"]) == ["no label", "too short"]
    assert set(table["split"]) == {"infant"}
    # Each split has its own reason for a model of one name; what is of both stands once.
    pair = [
        replace(make_scores(HAND, split=s), left_out={"z": "too short", "svm, fold 2": f"{s} GB"})
        for s in ("infant", "snippet")
    ]
    table = left_out_table(pair)
    assert sorted(zip(table["id"], table["split"], table["reason"], strict=True)) == [
        ("svm, fold 2", "infant", "infant GB"),
        ("svm, fold 2", "snippet", "snippet GB"),
        ("z", "infant, snippet", "too short"),
    ]


def test_half_a_million_snippets_take_seconds() -> None:
    import time

    rng = np.random.default_rng(0)
    cohort = {f"i{k:03d}": (k % 2, rng.uniform(size=5000)) for k in range(100)}
    scores = make_scores(cohort, n_folds=5)
    start = time.perf_counter()
    table = study_table([scores], 0.95, 1000, 0)
    assert time.perf_counter() - start < 10  # about one, on two cores shared with others
    assert figure(table, "snippet", "accuracy")["value"] == pytest.approx(0.5, abs=0.01)
