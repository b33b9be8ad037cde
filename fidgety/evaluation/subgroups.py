"""Whom a model serves worse: its figures by corrected age, preterm or term, sex, site and so on.

Every figure has its infants and its interval, and a warning where these are few. A subgroup is
compared with the rest of its grouping, and all comparisons of a model on a set are corrected
together (Holm): among many subgroups some look bad by chance. Shares of right answers and Brier
scores are given but not compared, as they differ wherever the share of infants at risk does.

References
----------
Vergouwe et al. 2005, J Clin Epidemiol 58:475, and Collins, Ogundimu & Altman 2016, Stat Med 35:214
(at least 100 infants with the outcome, and 100 without, to judge discrimination and calibration).
Sun et al. 2014, JAMA 311:405 (how to read subgroups).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import Status
from fidgety.evaluation import calibration
from fidgety.evaluation.differences import (
    NOTHING,
    Area,
    Difference,
    difference_of_areas,
    difference_of_shares,
    difference_of_wald,
    holm,
)
from fidgety.evaluation.intervals import NAN, Estimate, proportion
from fidgety.evaluation.metrics import Counts, auc
from fidgety.evaluation.model_comparison import compared
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import LABELLED, Assessment
from fidgety.evaluation.serial import ages, at_first_age
from fidgety.files import job_seed

#: Grouping to the column of the sheet that it is made of.
GROUPINGS = {
    "corrected_age": "corrected_age_weeks",
    "term": "gestational_age_weeks",
    "sex": "sex",
    "site": "site",
    "device": "device",
    "setting": "setting",
}
GROUPING_TEXTS = {
    "all": "All infants",
    "corrected_age": "Corrected age at the first recording",
    "term": "Preterm or term",
    "sex": "Sex",
    "site": "Site",
    "device": "Device",
    "setting": "Home or hospital",
}
#: In brackets, as a site may have any name.
EVERYBODY = "(everybody)"
NOT_RECORDED = "(not recorded)"
SEVERAL = "(more than one)"
#: Born before 37 completed weeks (WHO).
TERM_WEEKS = 37.0
PRETERM, TERM = "preterm, before 37 weeks", "term, from 37 weeks on"
#: Bands of age are counted from the beginning of the fidgety age.
FIRST_WEEK = 9
#: Fewer than these of a side are not to be read: of four right answers out of four, Wilson's
#: interval still begins at 0.51.
FEWEST = 5
#: Fewer than these of a side do not settle discrimination or calibration (Collins 2016).
ENOUGH = 100
#: A share of results is no discrimination: its interval says enough.
ENOUGH_OF = {"with_result": FEWEST}
MEASURES = (
    "with_result",
    "auc",
    "sensitivity",
    "specificity",
    "accuracy",
    "calibration_intercept",
    "brier",
)
#: What is compared. The first four do not depend on the share of infants at risk. The intercept
#: does, by as much as its logit, where scores mean the same: it says that probabilities are wrong
#: there, not that the model tells infants apart any worse. Accuracy and Brier score mix both.
TESTED = ("with_result", "auc", "sensitivity", "specificity", "calibration_intercept")
SUBGROUP_COLUMNS = (
    "set",
    "model",
    "grouping",
    "group",
    "n_at_risk",
    "n_not_at_risk",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "method",
    "difference",
    "difference_low",
    "difference_high",
    "n_rest",
    "p",
    "p_holm",
    "warning",
)


def age_band(age_weeks: float, width: int) -> str:
    """Name the band of an age in completed weeks; ``9`` or, of bands of two, ``9 to 10``."""
    if not np.isfinite(age_weeks):
        return NOT_RECORDED
    start = FIRST_WEEK + width * int(np.floor((age_weeks - FIRST_WEEK) / width))
    last = start + width - 1
    return f"{start} weeks" if width == 1 else f"{start} to {last} weeks"


def _term(value: str) -> str:
    return PRETERM if float(value) < TERM_WEEKS else TERM


def _one(values: Sequence[str]) -> str:
    """Return the group of an infant whose recordings are in these."""
    known = set(values)
    if not known:
        return NOT_RECORDED
    return known.pop() if len(known) == 1 else SEVERAL


def groups_of(cohort: pd.DataFrame, grouping: str, width: int) -> dict[str, str]:
    """Return every infant's group, by its recordings that could be assessed (all, if none could).

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    grouping
        One of :data:`GROUPINGS`. By age an infant belongs where its first recording does.
    width
        Of a band of age, in weeks.

    Returns
    -------
    dict
        Infant to group: a value, :data:`NOT_RECORDED`, or :data:`SEVERAL` where the recordings
        differ.
    """
    column = GROUPINGS[grouping]
    found = {}
    for infant, every in cohort[cohort["role"].isin(LABELLED)].groupby("infant"):
        fit = every[every["status"] == Status.OK.value]
        rows = every if fit.empty else fit
        values = [str(v) for v in rows[column] if v] if column in rows else []
        if grouping == "corrected_age":
            found[str(infant)] = age_band(min(map(float, values), default=NAN), width)
        elif grouping == "term":
            found[str(infant)] = _one([_term(v) for v in values])
        else:
            found[str(infant)] = _one(values)
    return found


def _order(group: str) -> tuple[int, float, str]:
    """Sort ages by their weeks and names by the alphabet; what is no value comes last."""
    special = (SEVERAL, NOT_RECORDED)
    if group in special:
        return 1 + special.index(group), 0.0, group
    first = group.split(" ")[0]
    is_age = group.endswith(" weeks") and first.lstrip("-").isdigit()
    return 0, float(first) if is_age else 0.0, group.casefold()


@dataclass(frozen=True)
class Group:
    """Infants of a set that belong together, and one model's results of them.

    Parameters
    ----------
    records
        Of those who are compared.
    asked, answered
        How many infants with a label there are, and how many of these the model has a result of.
    """

    records: tuple[Assessment, ...]
    asked: int
    answered: int

    def __add__(self, other: Group) -> Group:
        return Group(
            self.records + other.records, self.asked + other.asked, self.answered + other.answered
        )

    def truth(self, risk: Sequence[str]) -> NDArray[np.bool_]:
        """Return who is at risk."""
        return np.array([r.label in risk for r in self.records], dtype=bool)

    def score(self) -> NDArray[np.float64]:
        """Return the probabilities of being at risk."""
        return np.array([r.probability for r in self.records], dtype=np.float64)

    def counts(self, risk: Sequence[str]) -> Counts:
        """Return right and wrong calls."""
        return Counts.of(self.truth(risk), [bool(r.at_risk) for r in self.records])

    def area(self, risk: Sequence[str]) -> Area:
        """Return the area under the ROC curve."""
        truth = self.truth(risk)
        positive = int(truth.sum())
        return Area(auc(truth, self.score()), positive, len(self.records) - positive)

    def sides(self, measure: str, risk: Sequence[str]) -> list[int]:
        """Return the numbers of infants that a measure rests on: the smallest one decides."""
        if measure == "with_result":
            return [self.asked]
        positive = int(self.truth(risk).sum())
        negative = len(self.records) - positive
        return {"sensitivity": [positive], "specificity": [negative]}.get(
            measure, [positive, negative]
        )


def figures_of(
    group: Group, risk: Sequence[str], config: EvaluationConfig, seed: int
) -> dict[str, Estimate]:
    """Estimate the :data:`MEASURES` of a group; areas have Newcombe's interval (2006)."""
    truth, score, counts = group.truth(risk), group.score(), group.counts(risk)
    shares = {
        m: proportion(*counts.fraction(m), config.confidence)
        for m in ("sensitivity", "specificity", "accuracy")
    }
    found = {
        "with_result": proportion(group.answered, group.asked, config.confidence),
        "auc": group.area(risk).estimate(config.confidence),
        **shares,
        "calibration_intercept": calibration.intercept(truth, score, config.confidence),
        "brier": calibration.brier(
            truth, score, resamples=config.bootstrap, confidence=config.confidence, seed=seed
        ),
    }
    return {name: found[name] for name in MEASURES}


def difference_of(
    measure: str, first: Group, second: Group, risk: Sequence[str], confidence: float
) -> Difference:
    """Compare one of :data:`TESTED` between groups; not where either has too few infants."""
    if min(*first.sides(measure, risk), *second.sides(measure, risk)) < FEWEST:
        return NOTHING
    if measure == "with_result":
        return difference_of_shares(
            (first.answered, first.asked), (second.answered, second.asked), confidence
        )
    if measure in ("sensitivity", "specificity"):
        return difference_of_shares(
            first.counts(risk).fraction(measure), second.counts(risk).fraction(measure), confidence
        )
    if measure == "auc":
        return difference_of_areas(first.area(risk), second.area(risk), confidence)
    return difference_of_wald(
        calibration.intercept(first.truth(risk), first.score(), confidence),
        calibration.intercept(second.truth(risk), second.score(), confidence),
        confidence,
    )


def too_few(sides: Sequence[int], enough: int = ENOUGH) -> str:
    """Warn of a figure that rests on few infants; nothing where there are enough.

    Parameters
    ----------
    sides
        Infants that the figure rests on, each side by itself.
    enough
        How many of a side settle it.
    """
    fewest = min(sides)
    whom = "infants" if len(sides) == 1 else "of a side"
    if fewest < FEWEST:
        return f"do not read: {fewest} {whom}, fewer than {FEWEST}"
    return f"uncertain: {fewest} {whom}, fewer than {enough}" if fewest < enough else ""


@dataclass(frozen=True)
class _Row:
    """A row to be, with the place of its comparison among all of its model and set."""

    cells: Mapping[str, Any]
    test: int | None = None


def _compare(
    groups: Mapping[str, Group],
    risk: Sequence[str],
    confidence: float,
    tests: list[float],
) -> dict[tuple[str, str], tuple[Difference, int, int]]:
    """Compare every group with the rest of those with a value.

    Of two groups one comparison is made, and told from both sides.

    Returns
    -------
    dict
        (Group, measure) to the difference, the infants of the rest, and where its p stands in
        ``tests``.
    """
    named = [g for g in groups if g != NOT_RECORDED]
    found: dict[tuple[str, str], tuple[Difference, int, int]] = {}
    for name, group in groups.items():
        others = [groups[g] for g in named if g != name]
        if not others:
            continue
        rest = sum(others[1:], others[0])
        for measure in TESTED:
            twin = found.get((named[0], measure)) if len(named) == 2 and name == named[1] else None
            if twin is not None:
                e = twin[0].estimate
                turned = Estimate(-e.value, -e.high, -e.low, e.n, e.method)
                found[name, measure] = (
                    Difference(turned, twin[0].p),
                    sum(rest.sides(measure, risk)),
                    twin[2],
                )
                continue
            difference = difference_of(measure, group, rest, risk, confidence)
            if np.isfinite(difference.p):
                tests.append(difference.p)
                found[name, measure] = difference, sum(rest.sides(measure, risk)), len(tests) - 1
    return found


def _grouped(
    asked: Sequence[Assessment], group_of: Mapping[str, str], records: Sequence[Assessment]
) -> dict[str, Group]:
    """Part the infants of a set; in the order of the tables.

    Parameters
    ----------
    asked
        One model's records of all infants with a label.
    group_of
        Infant to group.
    records
        Those of them that are compared.
    """
    kept = {r.infant: r for r in records}
    found: dict[str, Group] = {}
    for name in sorted({group_of[r.infant] for r in asked}, key=_order):
        own = [r for r in asked if group_of[r.infant] == name]
        found[name] = Group(
            tuple(kept[r.infant] for r in own if r.infant in kept),
            len(own),
            sum(r.outcome.ok for r in own),
        )
    return found


def _rows(
    where: Mapping[str, str],
    groups: Mapping[str, Group],
    risk: Sequence[str],
    config: EvaluationConfig,
    seed: int,
    tests: list[float],
) -> list[_Row]:
    """Make the rows of one grouping; its p values are added to ``tests``."""
    compare = _compare(groups, risk, config.confidence, tests)
    rows = []
    for name, group in groups.items():
        at_risk = int(group.truth(risk).sum())
        resampled = job_seed(seed, "subgroups", *where.values(), name)
        for measure, e in figures_of(group, risk, config, resampled).items():
            difference, rest, test = compare.get((name, measure), (NOTHING, 0, None))
            cells = {
                **where,
                "group": name,
                "n_at_risk": at_risk,
                "n_not_at_risk": len(group.records) - at_risk,
                "measure": measure,
                **_figure(e, difference, rest),
                "warning": too_few(group.sides(measure, risk), ENOUGH_OF.get(measure, ENOUGH)),
            }
            rows.append(_Row(cells, test))
    return rows


def _by_first_age(
    records: Sequence[Assessment],
    predictions: Mapping[str, InfantPredictions],
    age: Mapping[str, float],
    at_risk: Sequence[bool],
    width: int,
) -> tuple[list[Assessment], dict[str, str]]:
    """Take the first recording's own result, so that age and probability belong together."""
    taken, group_of = [], {}
    for record in records:
        first, probability = at_first_age(
            predictions[record.infant].models[record.model], age, at_risk
        )
        taken.append(
            record if probability is None else replace(record, fold_probability=probability)
        )
        group_of[record.infant] = age_band(first, width)
    return taken, group_of


def recorded(cohort: pd.DataFrame, role: str, grouping: str) -> bool:
    """Tell whether the sheet says anything of a grouping, of any infant of a set."""
    column = GROUPINGS[grouping]
    return column in cohort and bool((cohort.loc[cohort["role"] == role, column] != "").any())


def not_grouped(cohort: pd.DataFrame) -> list[str]:
    """Say, a line each, by which columns infants cannot be grouped."""
    return [
        f"{role}: by {GROUPING_TEXTS[grouping].lower()}, as {column} is not recorded of any infant"
        for role in LABELLED
        if (cohort["role"] == role).any()
        for grouping, column in GROUPINGS.items()
        if not recorded(cohort, role, grouping)
    ]


def subgroup_table(
    records: Sequence[Assessment],
    models: Sequence[str],
    cohort: pd.DataFrame,
    predictions: Sequence[InfantPredictions],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    seed: int,
) -> pd.DataFrame:
    """Tabulate every model's figures by subgroup, and how each differs from the rest.

    Infants are those of the comparison: of whom every model with a result on the set has one.

    Parameters
    ----------
    records, models, predictions
        As in :func:`fidgety.evaluation.records.collect`.
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    classes
        Class to whether it is at risk, in the order of the models' outputs.
    config, seed
        Of the intervals and the bands of age.

    Returns
    -------
    DataFrame
        Columns :data:`SUBGROUP_COLUMNS`. ``with_result`` is the share of the infants with a label
        that the model has a result of. ``p_holm`` is over all comparisons of a model on a set.
    """
    risk = [name for name, at_risk in classes.items() if at_risk]
    known, age = {p.infant: p for p in predictions}, ages(cohort)
    width = config.age_band_weeks
    found: list[dict[str, Any]] = []
    parted_by = {g: groups_of(cohort, g, width) for g in GROUPINGS}
    for one in compared(records, models):
        sheet = {g: of for g, of in parted_by.items() if recorded(cohort, one.role, g)}
        for model in one.models:
            asked = [r for r in records if r.model == model and r.role == one.role and r.label]
            own = [r for r in one.records if r.model == model]
            tests: list[float] = []
            rows: list[_Row] = []
            everybody = dict.fromkeys((r.infant for r in asked), EVERYBODY)
            parted = {"all": _grouped(asked, everybody, own)}
            for grouping, group_of in sheet.items():
                taken = own
                if grouping == "corrected_age":
                    taken, by_age = _by_first_age(own, known, age, list(classes.values()), width)
                    group_of = {**group_of, **by_age}
                parted[grouping] = _grouped(asked, group_of, taken)
            for grouping, groups in parted.items():
                where = {"set": one.role, "model": model, "grouping": grouping}
                rows += _rows(where, groups, risk, config, seed, tests)
            corrected = holm(tests)
            found += [
                {**row.cells, "p_holm": NAN if row.test is None else corrected[row.test]}
                for row in rows
            ]
    return pd.DataFrame(found, columns=list(SUBGROUP_COLUMNS))


def _figure(e: Estimate, difference: Difference, rest: int) -> dict[str, Any]:
    d = difference.estimate
    return {
        "value": e.value,
        "low": e.low,
        "high": e.high,
        "n": e.n,
        "method": e.method,
        "difference": d.value,
        "difference_low": d.low,
        "difference_high": d.high,
        "n_rest": rest if np.isfinite(difference.p) else NAN,
        "p": difference.p,
    }


def comparisons(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a comparison, each once: two groups have one between them.

    Parameters
    ----------
    table
        Of :func:`subgroup_table`.
    """
    named = table[table["group"] != NOT_RECORDED]
    twice = [
        index
        for _, own in named.groupby(["set", "model", "grouping"], sort=False)
        if len(groups := list(dict.fromkeys(own["group"]))) == 2
        for index in own.index[own["group"] == groups[1]]
    ]
    return table[table["p"].notna() & ~table.index.isin(twice)]
