"""Agreement of raters with each other and with the model, and accuracy with and without help.

Every kappa is computed from one confusion matrix an infant, summed: one count for a verdict, a
count a second for intervals. Infants are resampled, never seconds. Accuracy with and without help
is compared on the infants that a rater judged both times, by McNemar's exact test; all raters
together by resampling infants.

References
----------
Cohen 1960, Educ Psychol Meas 20:37; 1968, Psychol Bull 70:213 (weighted). Fleiss 1971,
Psychol Bull 76:378. Gao et al. 2023, Figure 4b (beginners with and without the model).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from fidgety.evaluation.comparison import compare_decisions
from fidgety.evaluation.intervals import NAN, Estimate, percentile_interval, proportion
from fidgety.evaluation.metrics import Counts
from fidgety.evaluation.multiclass import Matrix, confusion, overall
from fidgety.reading.texts import MOS_R

MODEL = "(model)"
ALL = "(all raters)"
#: Cohen's kappa with quadratic weights.
QUADRATIC = "cohen_quadratic"
MOS_TOTAL = "mos_total"
VERDICTS = ("at_risk", "not_at_risk")
AGREEMENT_COLUMNS = ("what", "help", "measure", "first", "second", "value", "low", "high", "n")
ACCURACY_COLUMNS = ("rater", "part", "measure", "value", "low", "high", "n", "p", "method")
#: Verdicts, or seconds, of a judge: infant to answers.
Answers = Mapping[str, Sequence[str]]


def resampled(
    statistic: Callable[[NDArray[np.intp]], float],
    n: int,
    resamples: int,
    seed: int,
    confidence: float,
) -> Estimate:
    """Estimate a figure of some infants with a percentile interval.

    Parameters
    ----------
    statistic
        Of the infants with some indices.
    n
        Number of infants.
    resamples, seed, confidence
        Of the bootstrap.
    """
    if not n:
        return Estimate(NAN, n=0, method="undefined")
    value = statistic(np.arange(n))
    rng = np.random.default_rng(seed)
    draws = np.array([statistic(rng.integers(0, n, n)) for _ in range(resamples if n > 1 else 0)])
    # Where most resamples are undefined, an interval would only pretend.
    if np.isfinite(draws).sum() <= resamples / 2:
        return Estimate(value, n=n, method="bootstrap by infant")
    return Estimate(value, *percentile_interval(draws, confidence), n, "bootstrap by infant")


def weighted_kappa(matrix: Matrix, distance: Matrix) -> float:
    """Return Cohen's weighted kappa of a confusion matrix; NaN where chance expects no distance.

    Parameters
    ----------
    matrix, distance : ndarray of shape (answer, answer)
    """
    expected = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / max(matrix.sum(), 1.0)
    chance = float((distance * expected).sum())
    return 1 - float((distance * matrix).sum()) / chance if chance > 0 else NAN


def cohen(
    first: Answers,
    second: Answers,
    answers: Sequence[str],
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    distance: Matrix | None = None,
) -> Estimate:
    """Cohen's kappa of two judges over the infants that both judged.

    Parameters
    ----------
    first, second
        Infant to its answers: one verdict, or one a second; in step.
    answers
        All that can be answered.
    resamples, seed, confidence
        Of the bootstrap by infant.
    distance : ndarray of shape (answer, answer), optional
        How far two answers disagree, for a weighted kappa; None: all that differ, alike.
    """
    both = sorted(set(first) & set(second))
    matrices = np.array([confusion(first[i], second[i], answers) for i in both])

    def kappa(chosen: NDArray[np.intp]) -> float:
        matrix = matrices[chosen].sum(axis=0)
        if distance is not None:
            return weighted_kappa(matrix, distance)
        return float(overall(matrix)["class_kappa"])

    return resampled(kappa, len(both), resamples, seed, confidence)


def fleiss(
    judges: Sequence[Answers],
    answers: Sequence[str],
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Estimate:
    """Fleiss' kappa over the infants that all judges judged, of one answer an infant."""
    if len(judges) < 2:
        return Estimate(NAN, n=0, method="undefined")
    shared = sorted(set.intersection(*(set(judge) for judge in judges)))
    if not shared:
        return Estimate(NAN, n=0, method="undefined")
    codes = np.array([[answers.index(judge[i][0]) for judge in judges] for i in shared])
    counts, _ = aggregate_raters(codes, n_cat=len(answers))

    def kappa(chosen: NDArray[np.intp]) -> float:
        drawn = counts[chosen]
        if (drawn.sum(axis=0) > 0).sum() < 2:
            return NAN  # one answer alone: chance explains all
        return float(fleiss_kappa(drawn))

    return resampled(kappa, len(shared), resamples, seed, confidence)


def by_second(intervals: Sequence[tuple[float, float]], duration_s: float) -> list[str]:
    """Return for every whole second whether its middle lies in an interval: ``yes`` or ``no``."""
    middles = np.arange(int(duration_s)) + 0.5
    inside = np.zeros(middles.size, dtype=bool)
    for start, stop in intervals:
        inside |= (middles >= start) & (middles < stop)
    return ["yes" if one else "no" for one in inside]


def answers_of(readings: pd.DataFrame, column: str, known: Sequence[str]) -> dict[str, Answers]:
    """Return rater to infant to the one answer, of those answers that are known."""
    kept = readings[readings[column].isin(list(known))]
    return {
        str(rater): {str(i): [str(v)] for i, v in zip(rows["infant"], rows[column], strict=True)}
        for rater, rows in kept.groupby("rater")
    }


def agreement_rows(
    what: str,
    with_help: bool,
    judges: Mapping[str, Answers],
    answers: Sequence[str],
    *,
    resamples: int,
    seed: int,
    confidence: float,
    model: Answers | None = None,
) -> list[dict[str, Any]]:
    """Return the agreement of every pair, of each rater with the model, and of all raters.

    Parameters
    ----------
    what
        ``verdict``, ``type`` or ``seconds``.
    with_help
        Of which readings.
    judges
        Rater to answers.
    answers
        All that can be answered.
    resamples, seed, confidence
        Of the bootstrap.
    model
        The model's answers, if it gives any.
    """
    head = {"what": what, "help": with_help}
    sides = {**judges, **({MODEL: model} if model else {})}
    rows = []
    for a, b in combinations(sides, 2):
        found = cohen(sides[a], sides[b], answers, resamples, seed, confidence)
        rows.append({**head, "measure": "cohen", "first": a, "second": b, **_figures(found)})
    if len(judges) > 1 and what != "seconds":
        found = fleiss(list(judges.values()), answers, resamples, seed, confidence)
        rows.append({**head, "measure": "fleiss", "first": ALL, "second": "", **_figures(found)})
    return rows


def mos_rows(
    readings: pd.DataFrame, with_help: bool, *, resamples: int, seed: int, confidence: float
) -> list[dict[str, Any]]:
    """Return the agreement of every pair of raters on the points of MOS-R: items and total.

    Parameters
    ----------
    readings
        Judged ones, without help or with.
    with_help
        Which.
    resamples, seed, confidence
        Of the bootstrap.
    """
    points = {item.name: sorted(map(int, item.answers)) for item in MOS_R}
    points[MOS_TOTAL] = list(range(sum(p[0] for p in points.values()), 29))
    rows = []
    for name, known in points.items():
        # An item's answers are steps, 1, 4 and 12 points no lengths; the total is a sum.
        step = np.arange(len(known), dtype=np.float64)
        answers = [str(p) for p in known]
        said = readings.assign(**{name: pd.to_numeric(readings[name]).astype("Int64").astype(str)})
        judges = answers_of(said, name, answers)
        for a, b in combinations(judges, 2):
            found = cohen(
                judges[a],
                judges[b],
                answers,
                resamples,
                seed,
                confidence,
                np.subtract.outer(step, step) ** 2,
            )
            head = {"what": name, "help": with_help, "measure": QUADRATIC, "first": a, "second": b}
            rows.append({**head, **_figures(found)})
    return rows


def _figures(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def _shares(
    rater: str,
    part: str,
    truth: Mapping[str, bool],
    said: Mapping[str, bool],
    confidence: float,
) -> list[dict[str, Any]]:
    known = sorted(set(truth) & set(said))
    counts = Counts.of([truth[i] for i in known], [said[i] for i in known])
    rows = []
    for measure in ("accuracy", "sensitivity", "specificity"):
        found = proportion(*counts.fraction(measure), confidence)
        rows.append(
            {
                "rater": rater,
                "part": part,
                "measure": measure,
                **_figures(found),
                "p": NAN,
                "method": "Wilson",
            }
        )
    return rows


def calls(readings: pd.DataFrame) -> dict[str, dict[str, bool]]:
    """Return rater to infant to whether it was called at risk; who was not judged is left out."""
    return {
        rater: {infant: verdict[0] == "at_risk" for infant, verdict in said.items()}
        for rater, said in answers_of(readings, "verdict", VERDICTS).items()
    }


def gain(
    rater: str,
    truth: Mapping[str, bool],
    without: Mapping[str, bool],
    helped: Mapping[str, bool],
    confidence: float,
) -> dict[str, Any]:
    """Compare a rater's accuracy with help to that without, on the infants judged both times."""
    both = sorted(set(truth) & set(without) & set(helped))
    said = {"help": [helped[i] for i in both], "without": [without[i] for i in both]}
    test = compare_decisions([truth[i] for i in both], said, confidence)[0]
    return {
        "rater": rater,
        "part": "with help less without",
        "measure": "accuracy",
        **_figures(test.difference),
        "p": test.p,
        "method": "McNemar",
    }


def _all_raters(
    part: str,
    truth: Mapping[str, bool],
    plus: Mapping[str, Mapping[str, bool]],
    minus: Mapping[str, Mapping[str, bool]] | None,
    resamples: int,
    seed: int,
    confidence: float,
    helped_first: Set[str] = frozenset(),
) -> dict[str, Any]:
    """Return all raters' accuracy, or its difference, over the readings that both sides have.

    An infant counts with the readings of it; infants are resampled with all of theirs, raters are
    fixed. A difference is the mean over the two sequences (help first, or without help first) of
    the mean within each: so help and period do not mix where the sequences are unequal.
    """
    infants = sorted(truth)
    sums = np.zeros((len(infants), 2, 2))
    for k, infant in enumerate(infants):
        for rater, said in plus.items():
            sequence = int(minus is not None and rater in helped_first)
            other = None if minus is None else minus.get(rater, {})
            if infant not in said or (other is not None and infant not in other):
                continue
            right = float(said[infant] == truth[infant])
            sums[k, sequence] += (
                right - (0.0 if other is None else other[infant] == truth[infant]),
                1,
            )
    sums = sums[sums[:, :, 1].sum(axis=1) > 0]
    there = sums[:, :, 1].sum(axis=0) > 0

    def mean(chosen: NDArray[np.intp]) -> float:
        total = sums[chosen].sum(axis=0)[there]
        if not total[:, 1].all():
            return NAN  # a sequence of which no infant was drawn
        return float((total[:, 0] / total[:, 1]).mean())

    found = resampled(mean, len(sums), resamples, seed, confidence)
    head = {"rater": ALL, "part": part, "measure": "accuracy"}
    return {**head, **_figures(found), "p": NAN, "method": found.method}


def began_with_help(readings: pd.DataFrame) -> set[str]:
    """Return the raters whose first period was with help."""
    first = readings["help"].astype(bool) == (readings["period"] == 1)
    return set(readings[first]["rater"].astype(str))


def sequences(readings: pd.DataFrame) -> tuple[int, int]:
    """Return how many raters of both periods began without help, and with it."""
    periods = readings.groupby("rater")["period"].nunique()
    both = {str(rater) for rater, n in periods.items() if n > 1}
    helped = len(both & began_with_help(readings))
    return len(both) - helped, helped


def accuracy_table(
    readings: pd.DataFrame,
    truth: Mapping[str, bool],
    model: Mapping[str, bool],
    *,
    resamples: int,
    seed: int,
    confidence: float,
) -> pd.DataFrame:
    """Return accuracy by rater with and without help, what help changes, and by period.

    Parameters
    ----------
    readings
        As :func:`fidgety.reading.returned.tabulate` gives them.
    truth
        Infant to whether it is at risk, of those with a label.
    model
        Infant to whether the model calls it at risk.
    resamples, seed
        Of the bootstrap by infant.
    confidence
        Of all intervals.
    """
    helped, without = calls(readings[readings["help"]]), calls(readings[~readings["help"]])
    how = resamples, seed, confidence
    rows = []
    for part, said in (("without help", without), ("with help", helped)):
        for rater, own in said.items():
            rows += _shares(rater, part, truth, own, confidence)
        rows.append(_all_raters(part, truth, said, None, *how))
    rows += [
        gain(r, truth, without[r], helped[r], confidence)
        for r in sorted(set(helped) & set(without))
    ]
    sequence = began_with_help(readings)
    rows.append(_all_raters("with help less without", truth, helped, without, *how, sequence))
    # What the second time changes by itself.
    first, second = (calls(readings[readings["period"] == period]) for period in (1, 2))
    rows.append(_all_raters("second period less first", truth, second, first, *how, sequence))
    rows += _shares(MODEL, "alone", truth, model, confidence)
    return pd.DataFrame(rows, columns=list(ACCURACY_COLUMNS))
