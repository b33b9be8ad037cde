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
from dataclasses import dataclass
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
from fidgety.storage import job_seed
from fidgety.training.results import KAUR_NORMAL_SHARE
from fidgety.training.snippet_scores import SnippetScores, SnippetSet

#: Candidate of the row in which every fold has the options that its validation data chose.
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
LEFT_OUT_COLUMNS = ("features", "overlap", "id", "reason")

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
        if not self.whole:
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
    """Judge every snippet by all models: their mean, and each by itself."""
    risk, threshold = scores.external_risk(candidate), scores.external_threshold(candidate)
    folds = [owners.calls(r, float(t)) for r, t in zip(risk, threshold, strict=True)]
    return _Judged(owners.calls(risk.mean(axis=0), float(threshold.mean())), folds)


_JUDGES = {"development": _development, "external": _external}


def _snippets(scores: SnippetScores, role: str) -> SnippetSet:
    return scores.internal if role == "development" else scores.external


def _candidates(scores: SnippetScores) -> dict[str, int | None]:
    """Return the rows of a model: the nested choice, then every candidate of a grid."""
    if scores.candidates == ("",):
        return {"": None}
    return {CHOSEN: None, **{words: k for k, words in enumerate(scores.candidates)}}


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
        risk for a sensitivity. A set without snippets has no rows.
    """
    rows: list[dict[str, Any]] = []
    for one in scores:
        for role, judge in _JUDGES.items():
            if not len(_snippets(one, role)):
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
    return table[table["candidate"].isin(["", CHOSEN])]


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
        splits. ``optimism`` is the development snippets' accuracy under the split by snippet
        minus that under the split by infant, of the infants that are in both.
    """
    pairs: dict[tuple[str, int, str], dict[str, SnippetScores]] = {}
    for one in scores:
        pairs.setdefault((one.features, one.overlap, one.model), {})[one.split] = one
    rows = [
        _optimism_row(pair["snippet"], pair["infant"], confidence, resamples, seed)
        for pair in pairs.values()
        if {"snippet", "infant"} <= set(pair)
    ]
    return pd.DataFrame(rows, columns=list(OPTIMISM_COLUMNS))


def _optimism_row(
    leaking: SnippetScores, fair: SnippetScores, confidence: float, resamples: int, seed: int
) -> dict[str, Any]:
    names = _names(leaking)
    del names["split"]
    how: dict[str, Any] = {
        "confidence": confidence,
        "resamples": resamples,
        "seed": job_seed(seed, "optimism", *(str(v) for v in names.values())),
    }
    both = [_development(s, _Owners.of(s.internal, s.at_risk), None).whole for s in (leaking, fair)]
    common = np.intersect1d(both[0].infant.astype(str), both[1].infant.astype(str))
    a, b = (calls.take(np.isin(calls.infant.astype(str), common)) for calls in both)
    accuracies = [calls.accuracy(**how) for calls in (a, b)]
    found = _difference(a, b, *accuracies, **how)
    return (
        names
        | {"candidate": next(iter(_candidates(leaking)))}
        | {
            f"{prefix}_{part}": getattr(estimate, name)
            for prefix, estimate in zip(("snippet", "infant"), accuracies, strict=True)
            for part, name in (("split", "value"), ("low", "low"), ("high", "high"))
        }
        | {"n_snippets": int(a.snippets.sum()), "optimism": found.value}
        | {k: v for k, v in _figures(found).items() if k != "value"}
    )


def _difference(
    a: Calls,
    b: Calls,
    first: Estimate,
    second: Estimate,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """Estimate the difference of two accuracies on the same infants, resampled together."""
    value, n = first.value - second.value, int(a.infant.size)
    if not np.isfinite(value):
        return Estimate(NAN, n=n, method="undefined")

    def gap(index: NDArray[np.int64]) -> NDArray[np.float64]:
        one, other = (c.right[index].sum(axis=-1) / c.snippets[index].sum(axis=-1) for c in (a, b))
        return np.asarray(one - other)

    low, high = _bootstrap_infants(
        gap,
        a.right / a.snippets - b.right / b.snippets,
        a.positive,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    if np.isfinite(low):
        return Estimate(value, low, high, n, "bootstrap BCa by infant, paired")
    # Newcombe's way to join two intervals; it takes them for independent, so it is too wide
    # rather than too narrow for the same infants.
    one, other = (wilson_by_infant(e.value, n, confidence) for e in (first, second))
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
    """Return one of the scores of every input and overlap: its infants are all models'."""
    found: dict[tuple[str, int], SnippetScores] = {}
    for one in scores:
        found.setdefault((one.features, one.overlap), one)
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
        chosen on the development infants and told in ``method``; no snippet stands behind it.
    """
    config = EvaluationConfig(bootstrap=resamples, confidence=confidence)
    rows: list[dict[str, Any]] = []
    for one in _inputs(scores).values():
        known = [infant for role in LABELLED for infant in _known(one, role)]
        classes = dict(zip(one.classes, one.at_risk, strict=True))
        table, sign = baseline_table(known, speed, classes, config, seed)
        words = "faster is at risk" if sign > 0 else "slower is at risk"
        for found in table.to_dict("records"):
            estimate = Estimate(
                float(found["value"]),
                float(found["low"]),
                float(found["high"]),
                int(found["n"]),
                f"{found['method']}; {words}",
            )
            row = _baseline_row(one, BASELINE, str(found["set"]), "infant", "auc", 0)
            rows.append(row | _figures(estimate))
    return pd.DataFrame(rows, columns=list(STUDY_COLUMNS))


def chosen_table(scores: Sequence[SnippetScores]) -> pd.DataFrame:
    """Tabulate what every fold chose of each model's grid, and its threshold.

    Returns
    -------
    DataFrame
        Columns :data:`CHOSEN_COLUMNS`; ``candidate`` is empty for a model without a grid.
    """
    rows = []
    for one in scores:
        for index, (fold, candidate) in enumerate(zip(one.folds, one.chosen, strict=True)):
            loss = float(one.validation_loss[candidate, index])
            reason = "lowest validation loss" if np.isfinite(loss) else "no validation data"
            rows.append(
                _names(one)
                | {
                    "fold": fold,
                    "candidate": one.candidates[candidate],
                    "validation_loss": loss,
                    "threshold": float(one.threshold[candidate, index]),
                    "reason": reason if one.candidates != ("",) else "there is one alone",
                }
            )
    return pd.DataFrame(rows, columns=list(CHOSEN_COLUMNS))


def left_out_table(scores: Sequence[SnippetScores]) -> pd.DataFrame:
    """Tabulate infants and recordings without a snippet: columns :data:`LEFT_OUT_COLUMNS`."""
    rows = {
        (one.features, one.overlap, who): why
        for one in scores
        for who, why in sorted(one.left_out.items())
    }
    return pd.DataFrame([(*key, why) for key, why in rows.items()], columns=list(LEFT_OUT_COLUMNS))
