"""The study of Kaur 2025 as tables: how well snippets and infants are told apart.

A snippet is called at risk if its probability of being at risk is more than 0.5, and is right if
its infant is. An infant is called by two rules: Kaur's (normal if MORE than 60 % of the snippets
are normal) and the mean probability of the snippets against the threshold that was chosen on
validation infants.

Infants are the unit of every interval. Snippets of one infant overlap and resemble each other,
so that thousands of them may say no more than ten infants do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import Outcome
from fidgety.evaluation.intervals import NAN, Estimate, auc_estimate, bootstrap, proportion
from fidgety.evaluation.metrics import Counts, auc
from fidgety.evaluation.records import LABELLED, Infant
from fidgety.evaluation.tables import BASELINE, MAJORITY, RULE_METRICS, baseline_table
from fidgety.files import job_seed
from fidgety.training.results import KAUR_NORMAL_SHARE
from fidgety.training.snippet_scores import SnippetScores, SnippetSet

#: Begins the candidate of the row in which every fold has the options that its validation data
#: chose; what follows says where there were none.
CHOSEN = "chosen on validation data"
#: Kind of the rows that are no model's.
BASELINE_KIND = "baseline"
#: Names of the two infant rules, as they end the metrics' names.
RULES = ("60", "threshold")
#: Level and metric of every row of a model on a set, in order.
METRICS = (
    ("snippet", "accuracy"),
    *(("infant", f"{metric}_{rule}") for rule in RULES for metric in RULE_METRICS),
    ("infant", "auc"),
)
#: Level and metric of what the published split may flatter, in order.
OPTIMISM_METRICS = (
    ("snippet", "accuracy"),
    *(("infant", f"accuracy_{rule}") for rule in RULES),
)
#: Why there is no mean speed.
NO_SPEED = "undefined: no infant has coordinates_2d or coordinates_3d in the main line's features"
#: Decimals of an infant's means. The rest is rounding, which depends on the snippets' order: it
#: must neither break a tie nor keep a mean from its threshold.
DECIMALS = 12

STUDY_COLUMNS = (
    "split",
    "features",
    "overlap",
    "model",
    "kind",
    "candidate",
    "set",
    "level",
    "metric",
    "value",
    "low",
    "high",
    "n_infants",
    "n_snippets",
    "method",
    "fold_values",
    "leaks",
)
OPTIMISM_COLUMNS = (
    "features",
    "overlap",
    "model",
    "kind",
    "candidate",
    "level",
    "metric",
    "snippet_split",
    "snippet_low",
    "snippet_high",
    "infant_split",
    "infant_low",
    "infant_high",
    "optimism",
    "low",
    "high",
    "n_infants",
    "n_snippets",
    "method",
    "leaks",
)
CHOSEN_COLUMNS = (
    "split",
    "features",
    "overlap",
    "model",
    "kind",
    "fold",
    "candidate",
    "validation_loss",
    "threshold",
    "reason",
    "leaks",
)
LEFT_OUT_COLUMNS = ("features", "overlap", "split", "id", "reason")

_Share = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def share_estimate(
    right: NDArray[np.int64],
    total: NDArray[np.int64],
    positive: NDArray[np.bool_],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """Estimate a share of snippets, with an interval by infant.

    Infants are resampled, those at risk and the others apart, and bring all their snippets. Where
    a side has fewer than two infants, or the infants of each side agree, resamples tell nothing:
    then the interval is Wilson's, as if every infant were one single observation.

    Parameters
    ----------
    right, total : ndarray of shape (infant,)
        Numbers of snippets.
    positive : ndarray of shape (infant,)
        Whether the infant is at risk.
    confidence, resamples, seed
        Of the interval.
    """
    n = int(total.size)
    if not n:
        return Estimate(NAN, n=0, method="undefined")

    def share(index: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(right[index].sum(axis=-1) / total[index].sum(axis=-1))

    value = float(right.sum() / total.sum())
    low, high = _bootstrap_infants(
        share, right / total, positive, confidence=confidence, resamples=resamples, seed=seed
    )
    if np.isnan(low):
        return wilson_by_infant(value, n, confidence)
    return Estimate(value, low, high, n, "bootstrap BCa by infant")


def wilson_by_infant(share: float, n: int, confidence: float) -> Estimate:
    """Wilson's interval of a share of snippets with the number of infants as its n.

    The widest that resemblance within infants can make it, if all have about as many snippets.
    """
    z2 = float(stats.norm.ppf(0.5 + confidence / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low, high = max(float(middle - half), 0.0), min(float(middle + half), 1.0)
    # At the borders the limit is the border; rounding would miss it.
    return Estimate(
        share, 0.0 if share <= 0 else low, 1.0 if share >= 1 else high, n, "wilson by infant"
    )


def _bootstrap_infants(
    statistic: _Share,
    shares: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Resample infants, the two sides apart.

    Parameters
    ----------
    statistic
        Of infants' indices, over the last axis.
    shares : ndarray of shape (infant,)
        What the statistic pools; where they are equal within both sides, the resamples could
        differ by the infants' numbers of snippets alone.
    positive : ndarray of shape (infant,)
    confidence, resamples, seed
        Of the interval.

    Returns
    -------
    tuple of float
        NaN where resamples tell nothing.
    """
    sides = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    spread = [float(np.ptp(shares[side])) for side in sides if side.size]
    if max(spread, default=0.0) < 10.0**-DECIMALS:
        return NAN, NAN

    def pooled(a: NDArray[Any], b: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
        index = np.concatenate([np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)], axis=-1)
        return statistic(index.astype(np.int64))

    return bootstrap(
        pooled,
        sides[0].astype(np.float64),
        sides[1].astype(np.float64),
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


@dataclass(frozen=True)
class Calls:
    """What is made of infants from their snippets.

    Parameters
    ----------
    infant : ndarray of shape (infant,)
        Ids, sorted; those with a snippet.
    positive : ndarray of shape (infant,)
        Whether at risk.
    snippets, right, normal : ndarray of shape (infant,)
        Numbers of snippets: all, rightly called, called normal.
    risk : ndarray of shape (infant,)
        Mean probability of being at risk.
    excess : ndarray of shape (infant,)
        How far it is above the mean threshold of the models that judged; each of them counts by
        its snippets, as in the mean probability.
    """

    infant: NDArray[np.object_]
    positive: NDArray[np.bool_]
    snippets: NDArray[np.int64]
    right: NDArray[np.int64]
    normal: NDArray[np.int64]
    risk: NDArray[np.float64]
    excess: NDArray[np.float64]

    @property
    def whole(self) -> bool:
        """Whether every probability is a number."""
        return bool(np.isfinite(self.risk).all())

    def called(self, rule: str) -> NDArray[np.bool_]:
        """Return which infants a rule calls at risk."""
        if rule == "threshold":
            return self.excess >= 0
        return ~(self.normal / self.snippets > KAUR_NORMAL_SHARE)

    def counts(self, rule: str) -> Counts:
        """Return a rule's confusion matrix."""
        return Counts.of(self.positive, self.called(rule))

    def asked(self, metric: str) -> NDArray[np.bool_]:
        """Return the infants that a metric is about."""
        sides = {"sensitivity": self.positive, "specificity": ~self.positive}
        return sides.get(metric.split("_")[0], np.ones(self.infant.size, dtype=bool))

    def values(self) -> dict[tuple[str, str], float]:
        """Return all of :data:`METRICS`; NaN where undefined."""
        if not self.whole or not self.infant.size:
            return dict.fromkeys(METRICS, NAN)
        counts = {rule: self.counts(rule) for rule in RULES}
        return {
            ("snippet", "accuracy"): float(self.right.sum() / self.snippets.sum()),
            ("infant", "auc"): auc(self.positive, self.risk),
            **{
                ("infant", f"{metric}_{rule}"): counts[rule].value(metric)
                for rule in RULES
                for metric in RULE_METRICS
            },
        }

    def accuracy(self, *, confidence: float, resamples: int, seed: int) -> Estimate:
        """Estimate the snippets' accuracy with its interval by infant."""
        if not self.whole:
            return Estimate(NAN, n=int(self.infant.size), method="undefined")
        return share_estimate(
            self.right,
            self.snippets,
            self.positive,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )

    def estimates(
        self, *, confidence: float, resamples: int, seed: int
    ) -> dict[tuple[str, str], Estimate]:
        """Estimate all of :data:`METRICS` with their intervals by infant."""
        if not self.whole or not self.infant.size:
            return {
                (level, metric): Estimate(NAN, n=int(self.asked(metric).sum()), method="undefined")
                for level, metric in METRICS
            }
        counts = {rule: self.counts(rule) for rule in RULES}
        how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
        return {
            ("snippet", "accuracy"): self.accuracy(**how),
            ("infant", "auc"): auc_estimate(self.positive, self.risk, **how),
            **{
                ("infant", f"{metric}_{rule}"): proportion(
                    *counts[rule].fraction(metric), confidence
                )
                for rule in RULES
                for metric in RULE_METRICS
            },
        }

    def take(self, keep: NDArray[np.bool_]) -> Calls:
        """Return some of the infants."""
        return Calls(
            self.infant[keep],
            self.positive[keep],
            self.snippets[keep],
            self.right[keep],
            self.normal[keep],
            self.risk[keep],
            self.excess[keep],
        )


@dataclass(frozen=True)
class _Owners:
    """Whose the snippets of a set are.

    Parameters
    ----------
    infant : ndarray of shape (infant,)
        Ids, sorted.
    code : ndarray of shape (snippet,)
        Index of each snippet's infant.
    positive : ndarray of shape (infant,)
        Whether at risk.
    """

    infant: NDArray[np.object_]
    code: NDArray[np.int64]
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, snippets: SnippetSet, at_risk: Sequence[bool]) -> _Owners:
        """Find the infants of snippets."""
        names = np.array(snippets.infant, dtype=object)
        code, infants = pd.factorize(names, sort=True)
        positive = np.zeros(len(infants), dtype=bool)
        positive[code] = np.asarray(at_risk, dtype=bool)[snippets.label]
        return cls(np.asarray(infants, dtype=object), code.astype(np.int64), positive)

    def calls(
        self,
        risk: NDArray[np.float64],
        threshold: NDArray[np.float64] | float,
        some: NDArray[np.bool_] | None = None,
    ) -> Calls:
        """Judge infants by their snippets.

        Parameters
        ----------
        risk : ndarray of shape (snippet,)
        threshold : ndarray of shape (snippet,) or float
        some : ndarray of shape (snippet,), optional
            Which snippets count; all of them by default.
        """
        above = risk - threshold
        code = self.code
        if some is not None:
            risk, above, code = risk[some], above[some], code[some]
        at_risk = risk > 0.5
        n = len(self.infant)
        count = np.bincount(code, minlength=n)
        right = np.bincount(code[at_risk == self.positive[code]], minlength=n)
        normal = np.bincount(code[~at_risk], minlength=n)
        divisor = np.maximum(count, 1)  # infants without a snippet go below
        everybody = Calls(
            self.infant,
            self.positive,
            count,
            right,
            normal,
            np.round(np.bincount(code, weights=risk, minlength=n) / divisor, DECIMALS),
            np.round(np.bincount(code, weights=above, minlength=n) / divisor, DECIMALS),
        )
        return everybody.take(count > 0)


@dataclass(frozen=True)
class _Judged:
    """One candidate on one set: the infants as a whole, and by every fold model."""

    whole: Calls
    folds: list[Calls]


def _development(scores: SnippetScores, owners: _Owners, candidate: int | None) -> _Judged:
    """Judge every snippet by the model of its fold."""
    risk, threshold = scores.internal_risk(candidate), scores.internal_threshold(candidate)
    folds = [owners.calls(risk, threshold, scores.internal.fold == k) for k in scores.folds]
    return _Judged(owners.calls(risk, threshold), folds)


def _external(scores: SnippetScores, owners: _Owners, candidate: int | None) -> _Judged:
    """Judge every snippet by all models that answer: their mean, and each by itself."""
    risk, threshold = scores.external_risk(candidate), scores.external_threshold(candidate)
    folds = [owners.calls(r, float(t)) for r, t in zip(risk, threshold, strict=True)]
    answered = ~np.isnan(risk).all(axis=1)
    if not answered.any():
        return _Judged(owners.calls(np.full(risk.shape[1], NAN), NAN), folds)
    mean = risk[answered].mean(axis=0)
    return _Judged(owners.calls(mean, float(threshold[answered].mean())), folds)


_JUDGES = {"development": _development, "external": _external}


def _snippets(scores: SnippetScores, role: str) -> SnippetSet:
    return scores.internal if role == "development" else scores.external


def _validated(scores: SnippetScores) -> NDArray[np.bool_]:
    """Return for every fold whether a candidate has a validation loss."""
    return np.asarray(np.isfinite(scores.validation_loss).any(axis=0))


def _trained(scores: SnippetScores) -> NDArray[np.bool_]:
    """Return for every fold whether a candidate was trained: a model has a threshold."""
    return np.asarray(np.isfinite(scores.threshold).any(axis=0))


def _nested_words(scores: SnippetScores) -> str:
    """Name the nested choice, with the folds in which there was none; empty without a grid."""
    if scores.candidates == ("",):
        return ""
    trained, n = _trained(scores), len(scores.folds)
    first = int((trained & ~_validated(scores)).sum())
    missing = int((~trained).sum())
    words = CHOSEN
    if first:
        words += f"; none in {first} of {n} folds: the first of the grid"
    if missing:
        words += f"; no model in {missing} of {n} folds"
    return words


def _candidates(scores: SnippetScores) -> dict[str, int | None]:
    """Return the rows of a model: the nested choice, then every candidate of a grid."""
    if scores.candidates == ("",):
        return {"": None}
    return {_nested_words(scores): None, **{words: k for k, words in enumerate(scores.candidates)}}


def _names(scores: SnippetScores) -> dict[str, Any]:
    return {
        "split": scores.split,
        "features": scores.features,
        "overlap": scores.overlap,
        "model": scores.model,
        "kind": scores.kind,
        "leaks": scores.leaks,
    }


def _figures(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n_infants": estimate.n,
        "method": estimate.method,
    }


def fold_text(values: Iterable[float]) -> str:
    """Write the fold models' values, separated by spaces; ``nan`` where undefined."""
    return " ".join(f"{value:.4f}" for value in values)


def study_table(
    scores: Sequence[SnippetScores], confidence: float, resamples: int, seed: int
) -> pd.DataFrame:
    """Tabulate every figure of the study.

    Parameters
    ----------
    scores
        One a split, input, overlap and model.
    confidence, resamples, seed
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`STUDY_COLUMNS`. ``fold_values`` has the fold models' own figures: of
        development snippets each model's on those it is tested on, of external ones each model's
        on all of them. ``n_infants`` and ``n_snippets`` count what the metric is about: those at
        risk for a sensitivity. A model that was asked about no snippet has rows, too, of no
        infants; external ones where another model was asked about external snippets.
    """
    outside = any(len(one.external) for one in scores)
    rows: list[dict[str, Any]] = []
    for one in scores:
        for role, judge in _JUDGES.items():
            if role == "external" and not outside:
                continue
            owners = _Owners.of(_snippets(one, role), one.at_risk)
            for words, candidate in _candidates(one).items():
                names = _names(one) | {"candidate": words, "set": role}
                own = job_seed(seed, *(str(v) for v in names.values()))
                judged = judge(one, owners, candidate)
                rows += [names | row for row in _metric_rows(judged, confidence, resamples, own)]
    return pd.DataFrame(rows, columns=list(STUDY_COLUMNS))


def _metric_rows(
    judged: _Judged, confidence: float, resamples: int, seed: int
) -> list[dict[str, Any]]:
    whole = judged.whole
    found = whole.estimates(confidence=confidence, resamples=resamples, seed=seed)
    folds = [fold.values() for fold in judged.folds]
    return [
        {
            "level": key[0],
            "metric": key[1],
            "n_snippets": int(whole.snippets[whole.asked(key[1])].sum()),
            "fold_values": fold_text(values[key] for values in folds),
        }
        | _figures(found[key])
        for key in METRICS
    ]


def nested(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without a choice after the fact: baselines, and models as chosen."""
    candidate = table["candidate"].astype(str)
    return table[(candidate == "") | candidate.str.startswith(CHOSEN)]


def optimism_table(
    scores: Sequence[SnippetScores], confidence: float, resamples: int, seed: int
) -> pd.DataFrame:
    """Tabulate how much the published split flatters.

    Parameters
    ----------
    scores, confidence, resamples, seed
        As in :func:`study_table`.

    Returns
    -------
    DataFrame
        Columns :data:`OPTIMISM_COLUMNS`: one row an input, overlap and model that has both
        splits, for each of :data:`OPTIMISM_METRICS`. ``optimism`` is the development snippets' or
        infants' accuracy under the split by snippet minus that under the split by infant, of the
        infants that are in both.
    """
    pairs: dict[tuple[str, int, str], dict[str, SnippetScores]] = {}
    for one in scores:
        pairs.setdefault((one.features, one.overlap, one.model), {})[one.split] = one
    rows = [
        row
        for pair in pairs.values()
        if {"snippet", "infant"} <= set(pair)
        for row in _optimism_rows(pair["snippet"], pair["infant"], confidence, resamples, seed)
    ]
    return pd.DataFrame(rows, columns=list(OPTIMISM_COLUMNS))


def _optimism_rows(
    leaking: SnippetScores, fair: SnippetScores, confidence: float, resamples: int, seed: int
) -> list[dict[str, Any]]:
    names = _names(leaking)
    del names["split"]
    how: dict[str, Any] = {
        "confidence": confidence,
        "resamples": resamples,
        "seed": job_seed(seed, "optimism", *(str(v) for v in names.values())),
    }
    words = [_nested_words(s) for s in (leaking, fair)]
    if words[0] != words[1]:
        words[0] = f"{words[0]} (by snippet), {words[1]} (by infant)"
    both = [_development(s, _Owners.of(s.internal, s.at_risk), None).whole for s in (leaking, fair)]
    common = np.intersect1d(both[0].infant.astype(str), both[1].infant.astype(str))
    a, b = (calls.take(np.isin(calls.infant.astype(str), common)) for calls in both)
    rows = []
    for level, metric in OPTIMISM_METRICS:
        pair = [_accuracy(calls, level, metric, **how) for calls in (a, b)]
        shares = [_right(calls, level, metric) for calls in (a, b)]
        found = _difference(shares, a.positive, pair, **how)
        rows.append(
            names
            | {"candidate": words[0], "level": level, "metric": metric}
            | {
                f"{prefix}_{part}": getattr(estimate, name)
                for prefix, estimate in zip(("snippet", "infant"), pair, strict=True)
                for part, name in (("split", "value"), ("low", "low"), ("high", "high"))
            }
            | {"n_snippets": int(a.snippets.sum()), "optimism": found.value}
            | {k: v for k, v in _figures(found).items() if k != "value"}
        )
    return rows


def _accuracy(
    calls: Calls, level: str, metric: str, *, confidence: float, resamples: int, seed: int
) -> Estimate:
    """Estimate one of :data:`OPTIMISM_METRICS`, as in :func:`study_table`."""
    if level == "snippet":
        return calls.accuracy(confidence=confidence, resamples=resamples, seed=seed)
    if not calls.whole or not calls.infant.size:
        return Estimate(NAN, n=int(calls.infant.size), method="undefined")
    counts = calls.counts(metric.removeprefix("accuracy_"))
    return proportion(*counts.fraction("accuracy"), confidence)


def _right(calls: Calls, level: str, metric: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for every infant how many snippets, or whether it itself, are right, and of what."""
    if level == "snippet":
        return calls.right, calls.snippets
    called = calls.called(metric.removeprefix("accuracy_"))
    return (called == calls.positive).astype(np.int64), np.ones(called.size, dtype=np.int64)


def _difference(
    shares: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    positive: NDArray[np.bool_],
    pair: Sequence[Estimate],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """Estimate the difference of two accuracies on the same infants, resampled together.

    Parameters
    ----------
    shares
        Of either: numbers right and numbers in all, of shape (infant,).
    positive : ndarray of shape (infant,)
        Whether at risk.
    pair
        The two accuracies.
    confidence, resamples, seed
        Of the interval.
    """
    first, second = pair
    value, n = first.value - second.value, int(positive.size)
    if not np.isfinite(value):
        return Estimate(NAN, n=n, method="undefined")

    def gap(index: NDArray[np.int64]) -> NDArray[np.float64]:
        one, other = (right[index].sum(axis=-1) / of[index].sum(axis=-1) for right, of in shares)
        return np.asarray(one - other)

    (right_a, of_a), (right_b, of_b) = shares
    low, high = _bootstrap_infants(
        gap,
        right_a / of_a - right_b / of_b,
        positive,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    if np.isfinite(low):
        return Estimate(value, low, high, n, "bootstrap BCa by infant, paired")
    # Newcombe's way to join two intervals; it takes them for independent, so it is too wide
    # rather than too narrow for the same infants.
    one, other = (wilson_by_infant(e.value, n, confidence) for e in pair)
    below = np.hypot(one.value - one.low, other.high - other.value)
    above = np.hypot(one.high - one.value, other.value - other.low)
    return Estimate(
        value,
        max(float(value - below), -1.0),
        min(float(value + above), 1.0),
        n,
        "wilson by infant, joined",
    )


def _inputs(scores: Sequence[SnippetScores]) -> dict[tuple[str, int], SnippetScores]:
    """Return scores of every input and overlap with the sets of the model asked about most.

    A model that was refused in a fold is not asked about that fold's snippets.
    """
    found: dict[tuple[str, int], SnippetScores] = {}
    for one in scores:
        key = one.features, one.overlap
        known = found.setdefault(key, one)
        if len(one.internal) > len(known.internal):
            known = replace(known, internal=one.internal)
        if len(one.external) > len(known.external):
            known = replace(known, external=one.external)
        found[key] = known
    return found


def _baseline_row(
    one: SnippetScores, model: str, role: str, level: str, metric: str, n_snippets: int
) -> dict[str, Any]:
    return _names(one) | {
        "split": "",
        "model": model,
        "kind": BASELINE_KIND,
        "candidate": "",
        "set": role,
        "level": level,
        "metric": metric,
        "n_snippets": n_snippets,
        "fold_values": "",
        "leaks": "",  # nothing is learned from snippets
    }


def majority_rows(scores: Sequence[SnippetScores], confidence: float) -> pd.DataFrame:
    """Tabulate what always answering the larger side of the development infants gives.

    Parameters
    ----------
    scores
        As in :func:`study_table`.
    confidence
        Of the intervals.

    Returns
    -------
    DataFrame
        Columns :data:`STUDY_COLUMNS`, one set of rows an input and overlap; the split is empty,
        as it plays no part. Infants have ``accuracy``, ``sensitivity`` and ``specificity``: both
        rules say the same. Of equal sides the answer is "at risk".
    """
    rows: list[dict[str, Any]] = []
    for one in _inputs(scores).values():
        if not len(one.internal):
            continue
        answer = bool(_Owners.of(one.internal, one.at_risk).positive.mean() >= 0.5)
        for role in LABELLED:
            snippets = _snippets(one, role)
            if len(snippets):
                rows += _majority(one, role, answer, confidence)
    return pd.DataFrame(rows, columns=list(STUDY_COLUMNS))


def _majority(
    one: SnippetScores, role: str, answer: bool, confidence: float
) -> list[dict[str, Any]]:
    owners = _Owners.of(_snippets(one, role), one.at_risk)
    n = len(owners.code)
    constant = owners.calls(np.full(n, float(answer)), 0.5)
    # Wilson at once: what is uncertain is the mixture of infants, which resamples keep.
    share = wilson_by_infant(
        constant.values()["snippet", "accuracy"], int(constant.infant.size), confidence
    )
    rows = [_baseline_row(one, MAJORITY, role, "snippet", "accuracy", n) | _figures(share)]
    counts = constant.counts("60")
    for metric in RULE_METRICS:
        behind = int(constant.snippets[constant.asked(metric)].sum())
        rows.append(
            _baseline_row(one, MAJORITY, role, "infant", metric, behind)
            | _figures(proportion(*counts.fraction(metric), confidence))
        )
    return rows


def _known(one: SnippetScores, role: str) -> list[Infant]:
    """Return the infants of a set as the evaluation knows them."""
    snippets = _snippets(one, role)
    labels = dict(zip(snippets.infant, snippets.label.tolist(), strict=True))
    return [
        Infant(name, role, one.classes[label], (), False, Outcome())
        for name, label in sorted(labels.items())
    ]


def speed_rows(
    speed: Mapping[str, float],
    scores: Sequence[SnippetScores],
    confidence: float,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Tabulate the area under the curve of the infants' mean speed.

    Parameters
    ----------
    speed
        Infant to mean speed; those without one are left out, and so not in ``n_infants``.
    scores, confidence, resamples, seed
        As in :func:`study_table`.

    Returns
    -------
    DataFrame
        Columns :data:`STUDY_COLUMNS`, of the infants of every input and overlap. The direction is
        chosen on the development infants and told in ``method``; no snippet stands behind it. A
        set in which nobody has a speed has a row that says so.
    """
    config = EvaluationConfig(bootstrap=resamples, confidence=confidence)
    rows: list[dict[str, Any]] = []
    for one in _inputs(scores).values():
        known = [infant for role in LABELLED for infant in _known(one, role)]
        classes = dict(zip(one.classes, one.at_risk, strict=True))
        table, sign = baseline_table(known, speed, classes, config, seed)
        words = "faster is at risk" if sign > 0 else "slower is at risk"
        by_set = {str(found["set"]): found for found in table.to_dict("records")}
        for role in dict.fromkeys(infant.role for infant in known):
            estimate = Estimate(NAN, method=NO_SPEED)
            if role in by_set:
                found = by_set[role]
                estimate = Estimate(
                    float(found["value"]),
                    float(found["low"]),
                    float(found["high"]),
                    int(found["n"]),
                    f"{found['method']}; {words}",
                )
            rows.append(_baseline_row(one, BASELINE, role, "infant", "auc", 0) | _figures(estimate))
    return pd.DataFrame(rows, columns=list(STUDY_COLUMNS))


def chosen_table(scores: Sequence[SnippetScores]) -> pd.DataFrame:
    """Tabulate what every fold chose of each model's grid, and its threshold.

    Returns
    -------
    DataFrame
        Columns :data:`CHOSEN_COLUMNS`; ``candidate`` is empty for a model without a grid, and
        the first of the grid where nothing could be chosen: ``reason`` says why.
    """
    rows = []
    for one in scores:
        trained = _trained(one)
        for index, (fold, candidate) in enumerate(zip(one.folds, one.chosen, strict=True)):
            loss = float(one.validation_loss[candidate, index])
            reason = "lowest validation loss" if np.isfinite(loss) else "no validation data"
            if one.candidates == ("",):
                reason = "there is one alone"
            if not trained[index]:
                reason = "none was trained"
            rows.append(
                _names(one)
                | {
                    "fold": fold,
                    "candidate": one.candidates[candidate],
                    "validation_loss": loss,
                    "threshold": float(one.threshold[candidate, index]),
                    "reason": reason,
                }
            )
    return pd.DataFrame(rows, columns=list(CHOSEN_COLUMNS))


def left_out_table(scores: Sequence[SnippetScores]) -> pd.DataFrame:
    """Tabulate who has no snippet and which models are not there, with the reason.

    Returns
    -------
    DataFrame
        Columns :data:`LEFT_OUT_COLUMNS`; ``id`` is an infant, a recording, or a model with its
        options and fold, ``split`` all splits of which it holds.
    """
    splits: dict[tuple[str, int, str, str], dict[str, None]] = {}
    for one in scores:
        for who, why in sorted(one.left_out.items()):
            splits.setdefault((one.features, one.overlap, who, why), {})[one.split] = None
    rows = [
        (features, overlap, ", ".join(sorted(own)), who, why)
        for (features, overlap, who, why), own in splits.items()
    ]
    return pd.DataFrame(rows, columns=list(LEFT_OUT_COLUMNS))
