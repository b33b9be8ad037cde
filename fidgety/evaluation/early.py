"""How early a model could have decided: its figures when recordings are cut off at a time.

Predictions files say, for every instance, what the infant's probability would have been if its
recordings had ended there (``early_probability``, exact for every kind of model: the pooling is
done anew, by the network where it needs the network). Recordings of an infant follow one another
(``seen_s``). Thresholds are the model's own, chosen on whole recordings.

A decision is final from the time on after which it never changes. What is over keeps its last
decision; before its first instance an infant has none, and counts in no area, sensitivity or
specificity, and as not final.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.errors import StorageError
from fidgety.evaluation.comparison import delong
from fidgety.evaluation.fms import median_interval
from fidgety.evaluation.intervals import NAN, Estimate, newcombe_auc, proportion
from fidgety.evaluation.metrics import Counts
from fidgety.training.results import ModelPrediction
from fidgety.training.risk import risk_probability

Array = NDArray[np.float64]

EARLY_COLUMNS = ("set", "model", "time_s", "measure", "value", "low", "high", "n")
#: Measures of a moment, and the one of the whole: the median time to the final decision.
CURVES = ("auc", "sensitivity", "specificity", "final")
FINAL_S = "final_s"
#: Steps of a curve, seconds: the first of which :data:`MOST_POINTS` reach the end.
STEPS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
MOST_POINTS = 40
#: Times closer than this, seconds, are one.
SAME_S = 1e-6


@dataclass(frozen=True)
class Course:
    """What a model said of an infant as time went by.

    Parameters
    ----------
    time_s : ndarray of shape (moment,)
        When something new was known, in order; at least one.
    probability : ndarray of shape (moment,)
        Of being at risk.
    threshold
        From it on an infant is called at risk.
    at_risk
        By its label.
    """

    time_s: Array
    probability: Array
    threshold: float
    at_risk: bool

    @property
    def decision(self) -> NDArray[np.bool_]:
        """Decision at every moment."""
        return np.asarray(self.probability >= self.threshold)

    @property
    def final_s(self) -> float:
        """When the decision was the final one and did not change any more."""
        other = np.flatnonzero(self.decision != self.decision[-1])
        return float(self.time_s[other[-1] + 1 if len(other) else 0])

    def known_at(self, time_s: float) -> int:
        """Return the index of the last moment by some time; -1 before the first."""
        return int(np.searchsorted(self.time_s, time_s + SAME_S, side="right")) - 1


def course_of(prediction: ModelPrediction, at_risk: bool) -> Course:
    """Take the mean over the fold models that may judge the infant, as its own result does.

    Raises
    ------
    StorageError
        If the predictions file is of a version that did not say it.
    """
    if prediction.early_probability is None or prediction.seen_s is None:
        raise StorageError(
            "a predictions file does not say what was known when: delete results/predictions and "
            "run the workflow again."
        )
    risk = risk_probability(prediction.early_probability, prediction.at_risk).mean(axis=0)
    return Course(prediction.seen_s, risk, float(prediction.threshold.mean()), at_risk)


def times(longest_s: float) -> Array:
    """Return the times of a curve: equal steps to the end of the longest recording."""
    step = next((s for s in STEPS_S if longest_s <= s * MOST_POINTS), STEPS_S[-1])
    return np.asarray(step * np.arange(1, max(math.ceil(longest_s / step - SAME_S), 1) + 1))


def area(positive: NDArray[np.bool_], score: Array, confidence: float) -> Estimate:
    """Area under the ROC curve with Newcombe's interval, as of subgroups: infants may be few."""
    found = delong(positive, score)
    return newcombe_auc(float(found.value[0]), found.positives, found.negatives, confidence)


def at_time(courses: Sequence[Course], time_s: float, confidence: float) -> dict[str, Estimate]:
    """Judge a model by what it knew at a time.

    Parameters
    ----------
    courses
        Of all infants of a set.
    time_s
        Seconds watched.
    confidence
        Of the intervals: Newcombe's of the area, Wilson's of the others.

    Returns
    -------
    dict
        :data:`CURVES` to figures. ``final``: share of all infants whose decision never changes any
        more; the others are of the infants of whom anything is known.
    """
    known = [(c, c.known_at(time_s)) for c in courses]
    known = [(c, k) for c, k in known if k >= 0]
    truth = np.array([c.at_risk for c, _ in known], dtype=bool)
    score = np.array([c.probability[k] for c, k in known], dtype=np.float64)
    counts = Counts.of(truth, [bool(c.decision[k]) for c, k in known])
    final = sum(c.final_s <= time_s + SAME_S for c in courses)
    return {
        "auc": area(truth, score, confidence),
        "sensitivity": proportion(*counts.fraction("sensitivity"), confidence),
        "specificity": proportion(*counts.fraction("specificity"), confidence),
        "final": proportion(final, len(courses), confidence),
    }


def early_table(
    by_set: Mapping[str, Mapping[str, Sequence[Course]]],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """Tabulate the curves of every set and model.

    Parameters
    ----------
    by_set
        Set to model to the courses of its infants, the same ones for all models.
    resamples, confidence, seed
        Of the median's interval; the others have closed forms.

    Returns
    -------
    DataFrame
        Of :data:`EARLY_COLUMNS`. ``final_s`` is the median time to the final decision, and has no
        ``time_s``.
    """
    rows: list[tuple[Any, ...]] = []
    for role, models in by_set.items():
        ends = [c.time_s[-1] for courses in models.values() for c in courses]
        if not ends:
            continue
        for model, courses in models.items():
            for time_s in times(float(max(ends))).tolist():
                for measure, e in at_time(courses, time_s, confidence).items():
                    rows.append((role, model, time_s, measure, e.value, e.low, e.high, e.n))
            final = [c.final_s for c in courses]
            limits = median_interval(final, resamples=resamples, confidence=confidence, seed=seed)
            rows.append((role, model, NAN, FINAL_S, float(np.median(final)), *limits, len(final)))
    return pd.DataFrame(rows, columns=list(EARLY_COLUMNS))
