"""Models beside each other on the same infants, as tables.

On every set the models that have a result of any infant are compared, on the infants of whom all
of these have one: a model that leaves out the difficult ones would win otherwise. Thresholds and
zones of doubt are those of validation infants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation.comparison import adjusted, compare_areas, compare_decisions
from fidgety.evaluation.intervals import proportion
from fidgety.evaluation.metrics import Counts
from fidgety.evaluation.records import LABELLED, Assessment
from fidgety.evaluation.screening import Zone, net_benefit, screening, uncertain_zone
from fidgety.evaluation.tables import METRIC_COLUMNS, judged, metric_table

#: Stands among the models for acting on everybody; no model can be called that.
EVERYBODY = "(everybody)"
#: All models together (:mod:`fidgety.evaluation.ensembles`); no model can be called that either.
MEAN = "(mean)"
STACKED = "(stacked)"
ENSEMBLES = (MEAN, STACKED)
#: A model is named without which more infants than this times those there could be compared.
NARROW = 1.25
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
BENEFIT_COLUMNS = ("set", "model", "threshold", "net_benefit", "low", "high", "n")


@dataclass(frozen=True)
class Validation:
    """What one fold model said of the infants that it kept aside.

    Parameters
    ----------
    infant
        Ids.
    positive : sequence of bool
        Who is at risk.
    score : sequence of float
        Probability of being at risk.
    """

    infant: Sequence[str]
    positive: Sequence[bool]
    score: Sequence[float]


@dataclass(frozen=True)
class Compared:
    """One set: what is compared on it.

    Parameters
    ----------
    role
        Name of the set.
    models
        Those that have a result of any infant with a label.
    records
        Of the infants with a label of whom all of these have a result.
    """

    role: str
    models: tuple[str, ...]
    records: tuple[Assessment, ...]


def compared(records: Sequence[Assessment], models: Sequence[str]) -> list[Compared]:
    """Find, for every set, the models with a result and the infants of whom all have one."""
    found = []
    for role in LABELLED:
        present = tuple(m for m in models if judged(records, m, role))
        answered = [{r.infant for r in judged(records, m, role)} for m in present]
        common = set.intersection(*answered) if answered else set()
        own = tuple(r for r in records if r.role == role and r.infant in common)
        if own:
            found.append(Compared(role, present, tuple(r for r in own if r.model in present)))
    return found


def left_out(records: Sequence[Assessment], models: Sequence[str]) -> list[str]:
    """Say, a line each, which models and infants are not compared on a set, and why."""
    lines = []
    by_role = {one.role: one for one in compared(records, models)}
    for role in LABELLED:
        own = [r for r in records if r.role == role and r.label]
        here = by_role.get(role)
        present = here.models if here else tuple(m for m in models if judged(records, m, role))
        for model in models:
            reasons = Counter(
                r.outcome.reason.value
                for r in own
                if r.model == model and r.outcome.reason is not None
            )
            if own and model not in present:
                told = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
                lines.append(f"{role}: {model} has no result of any infant: {told}")
        kept = {r.infant for r in here.records} if here else set()
        lines += _narrow(own, present, len(kept), role)
        for infant in dict.fromkeys(r.infant for r in own):
            lacking = [
                f"{r.model} ({r.outcome.reason.value if r.outcome.reason else 'no result'})"
                for r in own
                if r.infant == infant and r.model in present and not r.outcome.ok
            ]
            if infant not in kept and lacking:
                lines.append(f"{role}: {infant}, of whom no result has {', '.join(lacking)}")
    return lines


def _narrow(records: Sequence[Assessment], models: Sequence[str], n: int, role: str) -> list[str]:
    """Name the models without which many more infants could be compared."""
    answered = {m: {r.infant for r in records if r.model == m and r.outcome.ok} for m in models}
    lines = []
    for model in models if len(models) > 1 else ():
        without = len(set.intersection(*(own for m, own in answered.items() if m != model)))
        if without > NARROW * n:
            lines.append(
                f"{role}: {model} has a result of {len(answered[model])} infants; all models are "
                f"compared on {n}, and without it would be on {without}"
            )
    return lines


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
    parts = [
        metric_table(one.records, one.models, classes, config, seed)
        for one in compared(records, models)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=METRIC_COLUMNS)


def pair_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Compare every pair of models: areas by DeLong, decisions by McNemar, corrected by Holm.

    The correction is over the pairs of one measure on one set; pairs with an ensemble are a family
    of their own, so that those of models among themselves do not pay for them.
    """
    risk, rows = _risk(classes), []
    for one in compared(records, models):
        role = one.role
        own = {m: judged(one.records, m, role) for m in one.models}
        truth = [r.label in risk for r in own[one.models[0]]]
        scores = {m: [r.probability for r in own[m]] for m in one.models}
        calls = {m: [bool(r.at_risk) for r in own[m]] for m in one.models}
        tests = {
            "auc": compare_areas(truth, scores, config.confidence),
            "accuracy": compare_decisions(truth, calls, config.confidence),
        }
        for measure, found in tests.items():
            alone = [t for t in found if not {t.first, t.second} & set(ENSEMBLES)]
            together = [t for t in found if t not in alone]
            for t in (*adjusted(alone), *adjusted(together)):
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
    risk, rows = _risk(classes), []
    for one in compared(records, models):
        role = one.role
        for model in one.models:
            own = judged(one.records, model, role)
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


def zones_of(
    validation: Mapping[int, Validation], config: EvaluationConfig
) -> dict[int, Zone] | None:
    """Choose the zone of doubt of every fold model on the infants that it kept aside.

    Returns
    -------
    dict of fold to Zone, or None
        None where any fold model has no validation infants of both groups.
    """
    zones = {}
    for fold, kept in validation.items():
        zone = uncertain_zone(
            kept.positive, kept.score, config.zone_sensitivity, config.zone_specificity
        )
        if zone is None:
            return None
        zones[fold] = zone
    return zones or None


def no_zone(validation: Mapping[str, Mapping[int, Validation]]) -> list[str]:
    """Say, a line each, which models have no zone of doubt, and why."""
    lines = []
    for model, folds in validation.items():
        lacking = [
            str(k) for k, kept in folds.items() if all(kept.positive) or not any(kept.positive)
        ]
        if lacking or not folds:
            lines.append(
                f"{model} has no zone of doubt: infants of both groups must have been kept aside "
                f"by every fold model, and were not by {', '.join(lacking) or 'any'}"
            )
    return lines


def _call(record: Assessment, zones: Mapping[int, Zone]) -> str:
    """Call an infant by the mean of its fold models and of their zones, as with thresholds."""
    low = float(np.mean([zones[k].low for k in record.folds]))
    high = float(np.mean([zones[k].high for k in record.folds]))
    return Zone(low, high, 0.0).call(record.probability)


def zone_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Mapping[int, Validation]],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Ask again or ask an expert: a zone of doubt of every model, and what lies outside of it.

    Every fold model's zone keeps ``evaluation.zone_sensitivity`` and
    ``evaluation.zone_specificity`` on the infants that it kept aside, who are never those whom it
    judges. Measures: ``uncertain``, the share of infants in it; ``missed``, of the infants at risk
    those below; ``false_alarms``, of the others those above.
    """
    risk, rows = _risk(classes), []
    for one in compared(records, models):
        for model in one.models:
            zones = zones_of(validation[model], config)
            if zones is None:
                continue
            own = judged(one.records, model, one.role)
            calls = [(r.label in risk, _call(r, zones)) for r in own]
            n_risk = sum(positive for positive, _ in calls)
            shares = {
                "uncertain": (sum(c == "uncertain" for _, c in calls), len(calls)),
                "missed": (sum(p and c == "not_at_risk" for p, c in calls), n_risk),
                "false_alarms": (
                    sum(not p and c == "at_risk" for p, c in calls),
                    len(calls) - n_risk,
                ),
            }
            chosen = (
                one.role,
                model,
                float(np.mean([z.low for z in zones.values()])),
                float(np.mean([z.high for z in zones.values()])),
                len({i for kept in validation[model].values() for i in kept.infant}),
            )
            for measure, (hits, trials) in shares.items():
                e = proportion(hits, trials, config.confidence)
                rows.append((*chosen, measure, e.value, e.low, e.high, e.n))
    return pd.DataFrame(rows, columns=list(ZONE_COLUMNS))


def benefit_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> pd.DataFrame:
    """Return the decision curves of all models, and of acting on everybody."""
    risk, parts = _risk(classes), []
    for one in compared(records, models):
        role = one.role
        for model in one.models:
            own = judged(one.records, model, role)
            truth = np.array([r.label in risk for r in own], dtype=bool)
            if truth.all() or not truth.any():
                continue
            curve = net_benefit(
                truth,
                [r.probability for r in own],
                ACT_FROM,
                config.prevalence,
                config.confidence,
            )
            for name in ("model", "all") if model == one.models[0] else ("model",):
                parts.append(
                    pd.DataFrame(
                        {
                            "set": role,
                            "model": model if name == "model" else EVERYBODY,
                            "threshold": curve["threshold"],
                            "net_benefit": curve[name],
                            # What acting on everybody is worth follows from the prevalence.
                            "low": curve["low"] if name == "model" else np.nan,
                            "high": curve["high"] if name == "model" else np.nan,
                            "n": len(own),
                        }
                    )
                )
    if not parts:
        return pd.DataFrame(columns=list(BENEFIT_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def validation_of(
    descriptions: Mapping[int, Mapping[str, Any]], risk: Sequence[str]
) -> dict[int, Validation]:
    """Gather what every fold model of a system said of the infants that it kept aside."""
    found = {}
    for fold, one in descriptions.items():
        rows = one.get("validation", [])
        found[fold] = Validation(
            [str(r["infant"]) for r in rows],
            [r["label"] in risk for r in rows],
            [float(r["score"]) for r in rows],
        )
    return found
