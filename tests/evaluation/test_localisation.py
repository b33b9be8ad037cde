"""Intervals from scores, matching and average precision: by hand, by brute force, by planting."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.datasets.clips import Rating
from fidgety.errors import Outcome
from fidgety.evaluation.localisation import (
    IOUS,
    METHODS,
    WHOLE,
    Detections,
    Judged,
    Located,
    Method,
    ap_rows,
    average_precision,
    detect,
    fm_score,
    found_by,
    iou,
    localisation_table,
    locate,
    match,
    merged,
    score_text,
    suppress,
    time_scores,
)
from fidgety.training.results import ModelPrediction

HOW = {"resamples": 200, "confidence": 0.95, "seed": 1}
ONE = Method((0.5,), 1, None, "")

spans = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1]))
scored = st.lists(st.tuples(spans, st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.9])), max_size=8)


def test_overlap_by_hand() -> None:
    found = iou([(0, 10), (20, 30)], [(0, 10), (5, 15), (9, 11), (40, 41)])
    np.testing.assert_allclose(found, [[1, 5 / 15, 1 / 11, 0], [0, 0, 0, 0]])
    # Intervals that touch share nothing.
    assert iou([(0, 10)], [(10, 20)]).tolist() == [[0]]


@given(st.lists(spans, min_size=1, max_size=5), st.lists(spans, min_size=1, max_size=5))
def test_overlap_is_that_of_seconds_counted(first, second) -> None:
    found = iou(first, second)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            one, other = set(range(*a)), set(range(*b))
            assert found[i, j] == pytest.approx(len(one & other) / len(one | other))
    np.testing.assert_allclose(found, iou(second, first).T)


def test_time_has_the_mean_score_of_the_instances_that_cover_it() -> None:
    edges, value = time_scores([0.0, 6.0, 30.0], [9.6, 15.6, 39.6], [0.2, 0.8, 1.0])
    assert edges.tolist() == [0, 6, 9.6, 15.6, 30, 39.6]
    np.testing.assert_allclose(value, [0.2, 0.5, 0.8, np.nan, 1.0])
    # Clips that follow one another make no slivers, whatever the last digit says.
    start = 0.8 * np.arange(300)
    edges, value = time_scores(start, start + 0.8, np.arange(300.0))
    np.testing.assert_allclose(value, np.arange(300.0))
    assert [len(x) for x in time_scores([], [], [])] == [0, 0]


def test_runs_above_a_threshold_are_intervals_with_their_mean_score() -> None:
    start = 10.0 * np.arange(6)
    found = detect(start, start + 10, [0.9, 0.7, 0.5, 0.6, 0.1, 1.0], ONE)
    # 0.5 is not above 0.5.
    assert found.span.tolist() == [[50, 60], [0, 20], [30, 40]]
    np.testing.assert_allclose(found.score, [1.0, 0.8, 0.6])
    # A gap between recordings' instances ends an interval.
    apart = detect([0.0, 15.0], [10.0, 25.0], [0.9, 0.9], ONE)
    assert apart.span.tolist() == [[0, 10], [15, 25]]
    # The mean is over time: two thirds of it is covered by the first instance alone.
    overlapping = detect([0.0, 5.0], [10.0, 15.0], [0.6, 1.0], ONE)
    assert overlapping.span.tolist() == [[0, 15]]
    np.testing.assert_allclose(overlapping.score, (0.6 + 0.8 + 1.0) / 3)
    assert not len(detect([], [], [], ONE).score)


def test_luo_takes_two_clips_above_seven_tenths() -> None:
    start = 0.8 * np.arange(8)
    score = [0.8, 0.1, 0.75, 0.95, 0.7, 0.2, 0.71, 0.72]
    found = detect(start, start + 0.8, score, METHODS["luo2022"])
    np.testing.assert_allclose(found.span, [[1.6, 3.2], [4.8, 6.4]])
    np.testing.assert_allclose(found.score, [0.85, 0.715])
    # Of windows that overlap, too, two are asked for: they last 15.6 s together.
    windows = detect([0.0, 6.0, 30.0], [9.6, 15.6, 39.6], [0.8, 0.9, 0.99], METHODS["luo2022"])
    np.testing.assert_allclose(windows.span, [[0, 15.6]])


def test_the_best_of_overlapping_intervals_stays() -> None:
    given_ = Detections.of([(0, 10), (1, 10), (8, 20), (30, 40)], [0.5, 0.9, 0.4, 0.1])
    kept = suppress(given_, 0.5)
    assert kept.span.tolist() == [[1, 10], [8, 20], [30, 40]]


@given(scored)
def test_what_stays_overlaps_little_and_what_goes_overlaps_a_better_one(found) -> None:
    given_ = Detections.of([s for s, _ in found], [p for _, p in found])
    kept = suppress(given_, 0.5)
    inner = iou(kept.span, kept.span) - np.eye(len(kept.score))
    assert (inner <= 0.5).all()
    for span, score in zip(given_.span, given_.score, strict=True):
        if not (kept.span == span).all(axis=1).any():
            better = kept.score >= score
            assert iou([span], kept.span[better]).max() > 0.5


def test_a_raters_intervals_that_touch_are_one() -> None:
    assert merged([(5.0, 8.0), (0.0, 5.0), (7.0, 9.0), (12.0, 13.0), (20.0, 20.0)]).tolist() == [
        [0, 9],
        [12, 13],
    ]


def test_matching_by_hand() -> None:
    found = Detections.of([(0, 10), (0, 8), (20, 26), (50, 60)], [0.9, 0.8, 0.7, 0.6])
    truth = [(0, 10), (20, 30), (70, 80)]
    hit = match(found, truth, (0.5, 0.7))
    # The second one comes late for the first interval; 6 of 10 s are enough for 0.5 alone.
    assert hit.tolist() == [[True, False, True, False], [True, False, False, False]]
    # One interval finds one, and leaves the other to the next.
    both = match(Detections.of([(0, 20), (0, 20)], [0.9, 0.8]), [(0, 10), (10, 20)], (0.5,))
    assert both.tolist() == [[True, True]]
    assert match(found, [], (0.5,)).tolist() == [[False] * 4]


def test_average_precision_by_hand() -> None:
    """Three annotated intervals; found with the first, third and fifth of five.

    Precision is 1, 1/2, 2/3, 2/4, 3/5 at recalls 1/3, 1/3, 2/3, 2/3, 1.
    """
    score, hit = [0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 1]
    assert average_precision(score, hit, 3) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # Precision is made to fall: a late rise lifts what came before.
    assert average_precision([0.9, 0.8, 0.7], [0, 1, 1], 2) == pytest.approx(2 / 3)
    # What is never found costs its recall.
    assert average_precision([0.9], [1], 4) == pytest.approx(1 / 4)
    assert average_precision([0.9], [0], 4) == 0
    assert average_precision([], [], 4) == 0
    assert np.isnan(average_precision([0.9], [0], 0))
    assert np.isnan(average_precision([], [], 0))


def test_equal_scores_come_at_once() -> None:
    for hit in ([1, 0, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]):
        assert average_precision([0.5] * 4, hit, 2) == pytest.approx(1 / 2)


def brute_average_precision(found: list[tuple[float, bool]], n_true: int) -> float:
    """Integrate the highest precision at no lower recall, one annotated interval at a time."""
    points = []
    for threshold in sorted({score for score, _ in found}, reverse=True):
        shown = [hit for score, hit in found if score >= threshold]
        points.append((sum(shown), sum(shown) / len(shown)))
    total = 0.0
    for k in range(1, n_true + 1):
        total += max((p for right, p in points if right >= k), default=0.0)
    return total / n_true


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans()), max_size=14),
    st.integers(0, 4),
)
def test_average_precision_is_that_of_brute_force(found, missed) -> None:
    n_true = sum(hit for _, hit in found) + missed
    if not n_true:
        return
    score, hit = [s for s, _ in found], [h for _, h in found]
    value = average_precision(score, hit, n_true)
    assert value == pytest.approx(brute_average_precision(found, n_true))
    # A weight of two is the same infant twice.
    owner = np.zeros(len(found), dtype=int)
    twice = average_precision(score, hit, [2 * n_true], owner, [[2.0]])
    assert twice.tolist() == pytest.approx([float(value)])


def brute_match(found: Detections, truth, least: float) -> list[bool]:
    """ActivityNet's matching, literally: the intervals by falling overlap, the first free one."""
    taken: set[int] = set()
    hits = []
    for span in found.span.tolist():
        hit = False
        overlap = [iou([span], [t])[0, 0] for t in truth]
        for j in sorted(range(len(truth)), key=lambda k: -overlap[k]):
            if overlap[j] < least:
                break
            if j in taken:
                continue
            taken.add(j)
            hit = True
            break
        hits.append(hit)
    return hits


@given(scored, st.lists(spans, max_size=5), st.sampled_from(IOUS))
def test_matching_is_that_of_activitynet(found, truth, least) -> None:
    given_ = Detections.of([s for s, _ in found], [p for _, p in found])
    assert match(given_, truth, (least,))[0].tolist() == brute_match(given_, truth, least)


@given(scored, st.lists(spans, max_size=5))
def test_more_overlap_asked_for_is_never_more_found(found, truth) -> None:
    given_ = Detections.of([s for s, _ in found], [p for _, p in found])
    counts = match(given_, truth).sum(axis=1)
    assert counts.max() <= min(len(truth), len(found))
    assert (np.diff(counts[[0, -1]]) <= 0).all()


def test_what_could_not_be_judged_counts_neither_way() -> None:
    found = {"r": Detections.of([(0, 10), (20, 30)], [0.9, 0.8])}
    rated = {"r": Rating([(20.0, 30.0)], [(0.0, 6.0)])}
    own = locate(found, rated, False)
    assert own.score.tolist() == [0.8]
    assert own.hit.all()
    assert own.intervals == 1
    less = locate(found, {"r": Rating([(20.0, 30.0)], [(0.0, 5.0)])}, False)
    assert less.score.tolist() == [0.9, 0.8]


def located(score, hit, intervals, at_risk=False) -> Located:
    return Located(np.array(score), np.tile(np.array(hit, dtype=bool), (5, 1)), intervals, at_risk)


def test_infants_without_an_interval_add_false_positives() -> None:
    some = [located([0.9, 0.5], [1, 1], 2), located([0.8], [1], 1)]
    rows = ap_rows(some, **HOW)
    assert [row["ap"] for row in rows] == [1.0] * 6
    none = located([0.95, 0.7], [0, 0], 0, at_risk=True)
    rows = ap_rows([*some, none], **HOW)
    # Shown in turn: wrong, right, right, wrong, right.
    assert rows[0]["ap"] == pytest.approx((2 / 3 + 2 / 3 + 3 / 5) / 3)
    assert {k: rows[0][k] for k in ("n", "n_with", "intervals", "detections")} == {
        "n": 3,
        "n_with": 2,
        "intervals": 3,
        "detections": 5,
    }
    assert [row["iou"] for row in rows] == ["0.1", "0.2", "0.3", "0.4", "0.5", "mean"]


def test_one_infant_with_intervals_has_no_interval_of_the_figure() -> None:
    rows = ap_rows([located([0.9, 0.5], [0, 1], 2), located([0.8], [0], 0)], **HOW)
    assert np.isnan([rows[0]["low"], rows[0]["high"]]).all()


def test_the_bootstrap_draws_infants_and_keeps_both_groups() -> None:
    """Drawn by hand: of each infant's figures with how often it came, in one pool."""
    rng = np.random.default_rng(3)
    infants = [
        located(rng.random(4), rng.random(4) < 0.5, int(4 - 2 * (k % 2)), bool(k % 2))
        for k in range(12)
    ]
    infants = [replace(i, intervals=max(i.intervals, int(i.hit[0].sum()))) for i in infants]
    (row, *_) = ap_rows(infants, **HOW)
    assert row["low"] < row["ap"] < row["high"]
    draws = []
    for _ in range(400):
        chosen = [
            infants[k]
            for side in (0, 1)
            for k in rng.choice(np.arange(side, 12, 2), size=6, replace=True)
        ]
        found = [
            (float(s), bool(h)) for i in chosen for s, h in zip(i.score, i.hit[0], strict=True)
        ]
        draws.append(brute_average_precision(found, sum(i.intervals for i in chosen)))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.06)


def said(fm, start=None, length=1.0, recording="r", **changes) -> ModelPrediction:
    values = np.asarray(fm, dtype=float)
    n = values.shape[-1]
    begin = np.arange(n) * length if start is None else np.asarray(start, dtype=float)
    values = values.reshape(-1, n)
    given_ = {
        "outcome": Outcome(),
        "kind": "mam",
        "classes": ("normal", "risk"),
        "at_risk": (False, True),
        "folds": tuple(range(1, len(values) + 1)),
        "probability": np.stack([values, 1 - values], axis=-1),
        "start_s": begin,
        "stop_s": begin + length,
        "recording": (recording,) * n,
        "sources": (recording,),
        "detects_fidgety": True,
    }
    return ModelPrediction(**(given_ | changes))


def test_the_score_is_the_classes_not_at_risk_by_whatever_they_say() -> None:
    one = said([[0.2, 0.6], [0.4, 0.8]])
    np.testing.assert_allclose(fm_score(one), [0.3, 0.7])
    assert score_text(one) == "probability of fidgety movements"
    three = {"classes": ("a", "b", "risk"), "at_risk": (False, False, True)}
    shares = np.array([[[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]])
    other = said([0.5, 0.5], **three, probability=shares, detects_fidgety=False)
    np.testing.assert_allclose(fm_score(other), [0.5, 0.2])
    assert score_text(other) == "probability that the infant is not at risk"
    # Scores of classes by themselves add up to nothing: the highest one, of the fold models' mean.
    scores = np.array([[[0.9, 0.3, 0.99], [0.1, 0.1, 0.1]], [[0.5, 0.1, 0.99], [0.2, 0.5, 0.1]]])
    apart = said([0.5, 0.5], **three, detects_fidgety=False, class_score=scores)
    np.testing.assert_allclose(fm_score(apart), [0.7, 0.3])
    assert "each by itself" in score_text(apart)


def planted(seed: int, gain: float, n: int = 12) -> tuple[list[Judged], dict[str, Rating]]:
    """Infants of whom half have two stretches each; a model that sees them, and one that does not.

    Parameters
    ----------
    gain
        How much higher the score is within a stretch.
    """
    rng = np.random.default_rng(seed)
    infants, rated = [], {}
    for k in range(n):
        at_risk, recording = bool(k % 2), f"r{k}"
        first, second = rng.uniform(2, 10), rng.uniform(25, 35)
        fidgety = [] if at_risk else [(first, first + 12), (second, second + 15)]
        rated[recording] = Rating(fidgety, [])
        middle = np.arange(60) + 0.5
        inside = np.zeros(60, dtype=bool)
        for a, b in fidgety:
            inside |= (middle >= a) & (middle <= b)
        seen = np.clip(0.5 + gain * np.where(inside, 1, -1) + rng.normal(0, 0.02, 60), 0, 1)
        blind = rng.uniform(0.4, 0.6, 60)
        models = {
            "seeing": said(seen, recording=recording, sources=(recording,)),
            "blind": said(blind, recording=recording, sources=(recording,)),
        }
        infants.append(Judged(f"i{k}", at_risk, models))
    return infants, rated


def test_a_planted_movement_is_found_where_it_is() -> None:
    infants, rated = planted(0, 0.35)
    table = localisation_table({"external": infants}, rated, **HOW)
    value = table.set_index(["model", "method", "iou"])["ap"]
    assert value["seeing", "thresholds", "0.5"] > 0.9
    assert value["seeing", "luo2022", "0.5"] > 0.95
    assert value["blind", "thresholds", "0.5"] < 0.2
    # One interval over all of a recording: six of twelve hold two of the twelve stretches each.
    assert value[WHOLE, "", "0.1"] == pytest.approx(0.5 * 0.5)
    assert value[WHOLE, "", "0.5"] == 0
    for _, own in table[table["iou"] != "mean"].groupby(["model", "method"]):
        assert all(a >= b - 1e-9 for a, b in pairwise(own["ap"]))
    ends = table.groupby(["model", "method"])["ap"]
    np.testing.assert_allclose(
        ends.last(), ends.apply(lambda own: own.iloc[:-1].mean()), rtol=1e-12
    )
    assert set(table["n"]) == {12}
    assert set(table["n_with"]) == {6}
    assert set(table["intervals"]) == {12}


def test_without_intervals_there_is_no_row() -> None:
    infants, rated = planted(0, 0.3, n=4)
    assert localisation_table({"external": infants}, {}, **HOW).empty
    empty = {name: Rating([], []) for name in rated}
    assert localisation_table({"external": infants}, empty, **HOW).empty
    assert localisation_table({}, rated, **HOW).empty


def test_a_recording_that_one_model_alone_reads_costs_the_other_its_intervals() -> None:
    whole = said([0.9] * 5 + [0.1] * 5, recording="a", sources=("a",))
    other = said([0.9] * 5 + [0.1] * 5, recording="b", sources=("b",))
    one = Judged("i", False, {"first": whole, "second": other})
    rated = {
        "a": Rating([(0.0, 5.0)], []),
        "b": Rating([(0.0, 5.0)], []),
        "c": Rating([(0, 1)], []),
    }
    assert one.rated_in(rated) == ["a", "b"]
    found = found_by(whole, ["a", "b"], METHODS["thresholds"])
    assert len(found["b"].score) == 0
    table = localisation_table({"external": [one]}, rated, **HOW)
    value = table.set_index(["model", "method", "iou"])["ap"]
    assert value["first", "thresholds", "0.5"] == pytest.approx(0.5)
    assert isinstance(table, pd.DataFrame)
