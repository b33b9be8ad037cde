"""Where in a recording fidgety movements are: detected intervals against annotated ones.

A model scores instances. From their scores come intervals, and these are judged as in temporal
action localisation, by average precision (AP) at several temporal intersections over union (IoU):

1. **Scores of time.** Instances may overlap. Every piece of time between two edges of instances
   has the mean score of the instances that cover it; where there is none, an interval ends.
2. **Intervals** (:class:`Method`). Runs of pieces above a threshold; an interval's score is its
   mean over time. ``thresholds`` takes nine thresholds, and of intervals that overlap by more than
   half the best one (non-maximum suppression). ``luo2022`` takes what Luo 2022 publishes for clips:
   above 0.7, at least two clips long.
3. **Matching.** All infants' intervals in the order of their scores, each to the annotated interval
   of its recording with the highest IoU that is not taken yet. One interval has one match; a
   second one on it is a false positive, and so is all that is found in infants without any.
4. **AP**, as ActivityNet defines it: precision is made to fall with recall (at each recall the
   highest of those at no lower one), and integrated over recall. Equal scores come at once.

There is one class, so that the mean AP is the mean over the IoUs. Intervals of the figures are
bootstrap percentiles over infants, those at risk and the others resampled apart.

References
----------
Caba Heilbron F et al. (2015). ActivityNet. CVPR, 961-970 (and its evaluation code). Luo T et al.
(2022). Weakly supervised online action detection for infant general movements. MICCAI, 721-731.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fidgety.datasets.clips import Rating, Stretches
from fidgety.datasets.windows import in_intervals
from fidgety.evaluation.fms import HALF, fm_probability
from fidgety.evaluation.intervals import NAN, percentile_interval
from fidgety.training.results import ModelPrediction

Array = NDArray[np.float64]

#: Temporal intersections over union at which an interval counts as found (Luo 2022).
IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
MEAN = "mean"
#: Stands among the models for one interval a recording, all of it: what finds nothing in time.
WHOLE = "(whole recording)"
#: Edges closer than this, seconds, are one.
DECIMALS = 6
LOCALISATION_COLUMNS = (
    "set", "model", "scores", "method", "iou", "ap", "low", "high", "n", "n_with", "intervals",
    "detections",
)  # fmt: skip


@dataclass(frozen=True)
class Method:
    """How scores of time become intervals.

    Parameters
    ----------
    thresholds
        A piece of time belongs to an interval if its score is above.
    least_instances
        So many instances must lie wholly in an interval.
    suppress_above
        Of two intervals with a higher IoU, the one with the higher score stays; None keeps all.
    text
        For a person.
    """

    thresholds: tuple[float, ...]
    least_instances: int
    suppress_above: float | None
    text: str


METHODS: Mapping[str, Method] = {
    "thresholds": Method(
        tuple(round(0.1 * k, 1) for k in range(1, 10)),
        1,
        0.5,
        "nine thresholds, the best of overlapping intervals",
    ),
    "luo2022": Method((0.7,), 2, None, "above 0.7, at least two instances (Luo 2022)"),
}


@dataclass(frozen=True)
class Detections:
    """Scored intervals of one recording, the highest score first.

    Parameters
    ----------
    span : ndarray of shape (detection, 2)
        Start and end, seconds.
    score : ndarray of shape (detection,)
    """

    span: Array
    score: Array

    @classmethod
    def of(cls, span: ArrayLike, score: ArrayLike) -> Detections:
        """Sort by score; among equals, by start and end."""
        spans = np.asarray(span, dtype=np.float64).reshape(-1, 2)
        scores = np.asarray(score, dtype=np.float64)
        order = np.lexsort((spans[:, 1], spans[:, 0], -scores))
        return cls(spans[order], scores[order])


def fm_score(prediction: ModelPrediction) -> Array:
    """Return every instance's score of fidgety movements, mean over the fold models.

    The probability of the classes not at risk; where a model scores every class by itself, the
    highest score among these.
    """
    if prediction.class_score is None:
        return fm_probability(prediction)
    normal = ~np.asarray(prediction.at_risk, dtype=bool)
    return np.asarray(prediction.class_score.mean(axis=0)[:, normal].max(axis=1))


def score_text(prediction: ModelPrediction) -> str:
    """Say what the scores of a model's instances mean."""
    if prediction.detects_fidgety:
        return "probability of fidgety movements"
    if prediction.class_score is not None:
        return "score of the classes not at risk, each by itself"
    return "probability that the infant is not at risk"


def iou(first: ArrayLike, second: ArrayLike) -> Array:
    """Return the temporal intersection over union of every pair.

    Parameters
    ----------
    first : array of shape (a, 2)
    second : array of shape (b, 2)
        Start and end; the end lies behind the start.

    Returns
    -------
    ndarray of shape (a, b)
    """
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 2)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 2)
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    shared = np.maximum(shared, 0.0)
    return np.asarray(shared / (a[..., 1] - a[..., 0] + b[..., 1] - b[..., 0] - shared))


def time_scores(start_s: ArrayLike, stop_s: ArrayLike, score: ArrayLike) -> tuple[Array, Array]:
    """Spread the scores of instances over time.

    Parameters
    ----------
    start_s, stop_s, score : array of shape (instance,)
        Of one recording.

    Returns
    -------
    edges : ndarray of shape (piece + 1,)
        Where an instance begins or ends, seconds.
    value : ndarray of shape (piece,)
        Mean score of the instances that cover it; NaN without any.
    """
    start = np.round(np.asarray(start_s, dtype=np.float64), DECIMALS)
    stop = np.round(np.asarray(stop_s, dtype=np.float64), DECIMALS)
    edges = np.unique(np.concatenate([start, stop]))
    if len(edges) < 2:
        return edges, np.empty(0)
    covers = (start[:, None] <= edges[:-1]) & (edges[1:] <= stop[:, None])
    count = covers.sum(axis=0)
    total = np.asarray(score, dtype=np.float64) @ covers
    return edges, np.where(count > 0, total / np.maximum(count, 1), NAN)


def detect(start_s: ArrayLike, stop_s: ArrayLike, score: ArrayLike, method: Method) -> Detections:
    """Make scored intervals of one recording's instances.

    Parameters
    ----------
    start_s, stop_s, score : array of shape (instance,)
    method
        How.
    """
    edges, value = time_scores(start_s, stop_s, score)
    start = np.round(np.asarray(start_s, dtype=np.float64), DECIMALS)
    stop = np.round(np.asarray(stop_s, dtype=np.float64), DECIMALS)
    length = np.diff(edges)
    found: dict[tuple[float, float], float] = {}
    for threshold in method.thresholds:
        above = np.concatenate([[False], value > threshold, [False]]).astype(np.int8)
        change = np.diff(above)
        ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
        for first, last in zip(*ends, strict=True):
            begin, end = float(edges[first]), float(edges[last])
            if int(((start >= begin) & (stop <= end)).sum()) >= method.least_instances:
                mean = np.average(value[first:last], weights=length[first:last])
                found[begin, end] = float(mean)
    detections = Detections.of(list(found), list(found.values()))
    if method.suppress_above is None:
        return detections
    return suppress(detections, method.suppress_above)


def suppress(detections: Detections, above: float) -> Detections:
    """Drop what overlaps an interval with a higher score by more than an IoU."""
    overlap = iou(detections.span, detections.span)
    kept: list[int] = []
    for k in range(len(detections.score)):
        if not kept or overlap[k, kept].max() <= above:
            kept.append(k)
    return Detections(detections.span[kept], detections.score[kept])


def merged(stretches: Stretches) -> Array:
    """Return a rater's intervals in order, those that touch or overlap as one: (interval, 2)."""
    found: list[list[float]] = []
    for begin, end in sorted(stretches):
        if end <= begin:
            continue
        if found and begin <= found[-1][1] + 10.0**-DECIMALS:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([begin, end])
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def match(
    detections: Detections, truth: ArrayLike, at: Sequence[float] = IOUS
) -> NDArray[np.bool_]:
    """Say which intervals are found ones, in the order of their scores.

    Parameters
    ----------
    detections
        Of one recording.
    truth : array of shape (interval, 2)
        Annotated in it.
    at
        IoU from which on an interval is found.

    Returns
    -------
    ndarray of shape (iou, detection)
    """
    true = np.asarray(truth, dtype=np.float64).reshape(-1, 2)
    overlap = iou(detections.span, true)
    hit = np.zeros((len(at), len(detections.score)), dtype=bool)
    for row, least in enumerate(at):
        taken = np.zeros(len(true), dtype=bool)
        for k in range(len(detections.score)):
            open_ = np.where(taken, -1.0, overlap[k])
            best = int(open_.argmax()) if len(true) else -1
            if best >= 0 and open_[best] >= least:
                taken[best] = hit[row, k] = True
    return hit


def average_precision(
    score: ArrayLike,
    hit: ArrayLike,
    n_true: ArrayLike,
    owner: ArrayLike | None = None,
    often: ArrayLike | None = None,
) -> Array:
    """Return the interpolated average precision (ActivityNet's).

    Parameters
    ----------
    score : array of shape (detection,)
    hit : array of bool of shape (detection,)
        Whether it found an annotated interval, which none else did.
    n_true : array of shape (...)
        Annotated intervals, found or not.
    owner : array of int of shape (detection,), optional
        Index of the infant.
    often : array of shape (..., infant), optional
        How often each infant counts; once where left out.

    Returns
    -------
    ndarray of shape (...)
        NaN without an annotated interval.
    """
    scores, right = np.asarray(score, dtype=np.float64), np.asarray(hit, dtype=bool)
    total = np.asarray(n_true, dtype=np.float64)
    whose = np.zeros(scores.size, dtype=np.int64) if owner is None else np.asarray(owner)
    counts = np.ones(int(whose.max(initial=0)) + 1) if often is None else np.asarray(often)
    order = np.argsort(-scores, kind="stable")
    right, whose = right[order], whose[order]
    # Equal scores come at once: a point of the curve for each value of the score. Points without
    # a hit have the recall of the one before at a lower precision, and are never on the envelope.
    value = np.cumsum(np.diff(scores[order], prepend=np.inf) != 0) - 1
    gains = np.bincount(value, weights=right) > 0
    point: NDArray[np.int64] = (np.cumsum(gains) - gains)[value]
    n_points, n_infants = int(gains.sum()), counts.shape[-1]
    shown, found = np.zeros((2, n_points + 1, n_infants))
    np.add.at(shown, (point, whose), 1)
    np.add.at(found, (point, whose), right)
    gained = counts @ found[:n_points].T
    above = np.cumsum(counts @ shown[:n_points].T, axis=-1)
    precision = np.cumsum(gained, axis=-1) / np.maximum(above, 1e-12)
    best = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    area = (gained * best).sum(axis=-1)
    return np.where(total > 0, area / np.where(total > 0, total, 1.0), NAN)


@dataclass(frozen=True)
class Located:
    """What was found in one infant.

    Parameters
    ----------
    score : ndarray of shape (detection,)
    hit : ndarray of shape (iou, detection)
    intervals
        Number of annotated ones.
    at_risk
        Of the infant; groups are resampled apart.
    """

    score: Array
    hit: NDArray[np.bool_]
    intervals: int
    at_risk: bool


def locate(
    by_recording: Mapping[str, Detections], rated: Mapping[str, Rating], at_risk: bool
) -> Located:
    """Judge an infant's intervals.

    An interval of which more than half could not be judged by the rater counts neither way.

    Parameters
    ----------
    by_recording
        Intervals found in every rated recording that is judged, none included.
    rated
        Recording to the rater's intervals.
    at_risk
        Of the infant.
    """
    scores, hits, n = [np.empty(0)], [np.zeros((len(IOUS), 0), dtype=bool)], 0
    for recording, found in by_recording.items():
        own = rated[recording]
        judged = np.array(
            [in_intervals(a, b, own.unjudged) <= HALF for a, b in found.span.tolist()], dtype=bool
        )
        kept = Detections(found.span[judged], found.score[judged])
        truth = merged(own.fidgety)
        scores.append(kept.score)
        hits.append(match(kept, truth))
        n += len(truth)
    return Located(np.concatenate(scores), np.concatenate(hits, axis=1), n, at_risk)


def _resampled(group: NDArray[np.bool_], resamples: int, seed: int) -> Array:
    """Return how often each infant is drawn, both groups apart: (resample, infant)."""
    rng = np.random.default_rng(seed)
    count = np.zeros((resamples, len(group)))
    for side in (False, True):
        own = np.flatnonzero(group == side)
        if len(own):
            count[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), resamples)
    return count


def ap_rows(
    infants: Sequence[Located], *, resamples: int, confidence: float, seed: int
) -> list[dict[str, Any]]:
    """Return AP at every IoU and their mean, with intervals by infant.

    Parameters
    ----------
    infants
        All that are judged, those without an annotated interval included.
    resamples, confidence, seed
        Of the bootstrap.

    Returns
    -------
    list of dict
        ``iou`` (``mean`` for the mean), ``ap``, ``low``, ``high`` (NaN with fewer than two infants
        with an interval, or where all resamples agree), ``n`` infants, ``n_with`` an interval,
        ``intervals``, ``detections``.
    """
    owner = np.repeat(np.arange(len(infants)), [len(one.score) for one in infants])
    score = np.concatenate([np.empty(0), *(one.score for one in infants)])
    hit = np.concatenate([np.zeros((len(IOUS), 0), dtype=bool), *(o.hit for o in infants)], axis=1)
    true = np.array([one.intervals for one in infants], dtype=np.float64)
    counts = {
        "n": len(infants),
        "n_with": int((true > 0).sum()),
        "intervals": int(true.sum()),
        "detections": len(score),
    }
    value = np.array([average_precision(score, own, true.sum()) for own in hit])
    drawn = np.full((len(IOUS), 0), NAN)
    if counts["n_with"] > 1:
        group = np.array([one.at_risk for one in infants], dtype=bool)
        often = _resampled(group, resamples, seed)
        drawn = np.stack([average_precision(score, o, often @ true, owner, often) for o in hit])
    rows = []
    names = [*(f"{at:g}" for at in IOUS), MEAN]
    values = [*value, value.mean()]
    for name, own, draws in zip(names, values, [*drawn, drawn.mean(axis=0)], strict=True):
        low, high = percentile_interval(draws, confidence)
        rows.append({"iou": name, "ap": float(own), "low": low, "high": high, **counts})
    return rows


@dataclass(frozen=True)
class Judged:
    """An infant of a set with what every compared model says of it.

    Parameters
    ----------
    infant
        Id.
    at_risk
        By its label.
    models
        Model to its prediction; all have a result.
    """

    infant: str
    at_risk: bool
    models: Mapping[str, ModelPrediction]

    def rated_in(self, rated: Mapping[str, Rating]) -> list[str]:
        """Return the rated recordings in which any model has an instance."""
        seen = {r for said in self.models.values() for r in said.sources}
        return sorted(seen & set(rated))


def found_by(
    prediction: ModelPrediction, recordings: Sequence[str], method: Method
) -> dict[str, Detections]:
    """Find intervals in some recordings, in each of which a model may have instances or none."""
    score, names = fm_score(prediction), np.array(prediction.recording, dtype=object)
    found = {}
    for recording in recordings:
        own = names == recording
        found[recording] = detect(
            prediction.start_s[own], prediction.stop_s[own], score[own], method
        )
    return found


def _whole(one: Judged, recordings: Sequence[str]) -> dict[str, Detections]:
    """Take each recording for one interval, from its first instance to its last."""
    found = {}
    for recording in recordings:
        edges = [
            float(edge)
            for said in one.models.values()
            for name, start, stop in zip(said.recording, said.start_s, said.stop_s, strict=True)
            if name == recording
            for edge in (start, stop)
        ]
        found[recording] = Detections.of([(min(edges), max(edges))], [1.0])
    return found


def localisation_table(
    by_set: Mapping[str, Sequence[Judged]], rated: Mapping[str, Rating], **how: Any
) -> pd.DataFrame:
    """Tabulate average precision by set, model and method.

    Parameters
    ----------
    by_set
        Set to its infants, of whom all its models have a result.
    rated
        Recording to the rater's intervals.
    how
        ``resamples``, ``confidence``, ``seed``.

    Returns
    -------
    DataFrame
        Of :data:`LOCALISATION_COLUMNS`; :data:`WHOLE` is among the models. No row of a set without
        an annotated interval.
    """
    rows: list[dict[str, Any]] = []
    for role, everybody in by_set.items():
        places = [(one, one.rated_in(rated)) for one in everybody]
        places = [(one, recordings) for one, recordings in places if recordings]
        if not any(len(merged(rated[r].fidgety)) for _, recordings in places for r in recordings):
            continue
        for name, method in METHODS.items():
            for model, first in places[0][0].models.items():
                located = [
                    locate(found_by(one.models[model], rs, method), rated, one.at_risk)
                    for one, rs in places
                ]
                start = {"set": role, "model": model, "scores": score_text(first), "method": name}
                rows += [start | row for row in ap_rows(located, **how)]
        located = [locate(_whole(one, rs), rated, one.at_risk) for one, rs in places]
        start = {"set": role, "model": WHOLE, "scores": "", "method": ""}
        rows += [start | row for row in ap_rows(located, **how)]
    return pd.DataFrame(rows, columns=list(LOCALISATION_COLUMNS))
