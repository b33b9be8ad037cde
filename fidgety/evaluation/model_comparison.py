"""Models beside each other on the same infants, as tables.

Only infants of whom every model has a result are compared: a model that leaves out the difficult
ones would win otherwise. Thresholds and zones of doubt are those of validation infants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation.comparison import compare_areas, compare_decisions
from fidgety.evaluation.intervals import proportion
from fidgety.evaluation.metrics import Counts
from fidgety.evaluation.records import LABELLED, Assessment
from fidgety.evaluation.screening import net_benefit, screening, uncertain_zone
from fidgety.evaluation.tables import judged, metric_table

COMPARISON_SCHEMA = "comparison/1"
#: Probabilities from which one would act, for the decision curve.
ACT_FROM = np.round(np.arange(0.02, 0.61, 0.02), 2)

PAIR_COLUMNS = (
    "set",
    "measure",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "n",
)
SCREENING_COLUMNS = ("set", "model", "prevalence", "measure", "value", "low", "high", "n")
ZONE_COLUMNS = (
    "set",
    "model",
    "zone_low",
    "zone_high",
    "chosen_on",
    "measure",
    "value",
    "low",
    "high",
    "n",
)
BENEFIT_COLUMNS = ("set", "model", "threshold", "net_benefit", "n")


@dataclass(frozen=True)
class Validation:
    """What fold models of one system said of their validation infants.

    Parameters
    ----------
    positive : sequence of bool
        Who is at risk.
    score : sequence of float
        Probability of being at risk, by the fold model that kept the infant aside.
    """

    positive: Sequence[bool]
    score: Sequence[float]


def in_common(records: Sequence[Assessment], models: Sequence[str]) -> list[Assessment]:
    """Return the records of infants with a label of whom every model has a result."""
    answered: dict[str, set[str]] = {}
    for record in records:
        if record.outcome.ok and record.label:
            answered.setdefault(record.infant, set()).add(record.model)
    return [r for r in records if answered.get(r.infant, set()) >= set(models)]


def _sets(records: Sequence[Assessment]) -> list[str]:
    return [role for role in LABELLED if any(r.role == role for r in records)]


def _risk(classes: Mapping[str, bool]) -> list[str]:
    return [name for name, at_risk in classes.items() if at_risk]


def figures(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    seed: int,
) -> pd.DataFrame:
    """Tabulate every model's figures on the infants in common (as ``evaluation/metrics.tsv``)."""
    return metric_table(in_common(records, models), models, classes, config, seed)


def pair_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Compare every pair of models: areas by DeLong, decisions by McNemar, corrected by Holm.

    The correction is over the pairs of one measure on one set.
    """
    common, risk, rows = in_common(records, models), _risk(classes), []
    for role in _sets(common):
        own = {m: judged(common, m, role) for m in models}
        truth = [r.label in risk for r in own[models[0]]]
        scores = {m: [r.probability for r in own[m]] for m in models}
        calls = {m: [bool(r.at_risk) for r in own[m]] for m in models}
        tests = {
            "auc": compare_areas(truth, scores, config.confidence),
            "accuracy": compare_decisions(truth, calls, config.confidence),
        }
        for measure, found in tests.items():
            for t in found:
                d = t.difference
                pair = (role, measure, t.first, t.second)
                rows.append((*pair, d.value, d.low, d.high, t.p, t.p_adjusted, d.n))
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def screening_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Carry sensitivity and specificity over to the clinic's prevalence.

    ``evaluation.prevalence``; without one, the set's own share of infants at risk.
    """
    common, risk, rows = in_common(records, models), _risk(classes), []
    for role in _sets(common):
        for model in models:
            own = judged(common, model, role)
            truth = np.array([r.label in risk for r in own], dtype=bool)
            share = config.prevalence or float(truth.mean())
            if not 0 < share < 1:
                continue
            counts = Counts.of(truth, [bool(r.at_risk) for r in own])
            found = screening(counts, share, config.confidence)
            for measure in ("ppv", "npv", "lr_positive", "lr_negative"):
                e = getattr(found, measure)
                rows.append((role, model, share, measure, e.value, e.low, e.high, e.n))
    return pd.DataFrame(rows, columns=list(SCREENING_COLUMNS))


def zone_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Validation],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Ask again or ask an expert: a zone of doubt of every model, and what lies outside of it.

    The zone keeps ``evaluation.wanted_sensitivity`` and ``evaluation.wanted_specificity`` on
    validation infants. Measures: ``uncertain``, the share of infants in it; ``missed``, of the
    infants at risk those below; ``false_alarms``, of the others those above.
    """
    common, risk, rows = in_common(records, models), _risk(classes), []
    for model in models:
        kept = validation[model]
        zone = uncertain_zone(
            kept.positive, kept.score, config.wanted_sensitivity, config.wanted_specificity
        )
        if zone is None:
            continue
        for role in _sets(common):
            own = judged(common, model, role)
            calls = [(r.label in risk, zone.call(r.probability)) for r in own]
            n_risk = sum(positive for positive, _ in calls)
            shares = {
                "uncertain": (sum(c == "uncertain" for _, c in calls), len(calls)),
                "missed": (sum(p and c == "not_at_risk" for p, c in calls), n_risk),
                "false_alarms": (
                    sum(not p and c == "at_risk" for p, c in calls),
                    len(calls) - n_risk,
                ),
            }
            for measure, (hits, trials) in shares.items():
                e = proportion(hits, trials, config.confidence)
                chosen = (role, model, zone.low, zone.high, len(kept.score))
                rows.append((*chosen, measure, e.value, e.low, e.high, e.n))
    return pd.DataFrame(rows, columns=list(ZONE_COLUMNS))


def benefit_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Return the decision curves of all models, and of acting on everybody (``all``)."""
    common, risk, parts = in_common(records, models), _risk(classes), []
    for role in _sets(common):
        for model in models:
            own = judged(common, model, role)
            truth = np.array([r.label in risk for r in own], dtype=bool)
            if truth.all() or not truth.any():
                continue
            curve = net_benefit(truth, [r.probability for r in own], ACT_FROM, config.prevalence)
            for name in ("model", "all") if model == models[0] else ("model",):
                parts.append(
                    pd.DataFrame(
                        {
                            "set": role,
                            "model": model if name == "model" else "all",
                            "threshold": curve["threshold"],
                            "net_benefit": curve[name],
                            "n": len(own),
                        }
                    )
                )
    if not parts:
        return pd.DataFrame(columns=list(BENEFIT_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def validation_of(descriptions: Sequence[Mapping[str, Any]], risk: Sequence[str]) -> Validation:
    """Gather what the fold models of one system said of their validation infants."""
    rows = [row for one in descriptions for row in one["validation"]]
    return Validation([r["label"] in risk for r in rows], [float(r["score"]) for r in rows])
