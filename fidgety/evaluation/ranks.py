"""Mean ranks of several models on the same infants, and how far apart they must be.

Every infant ranks the models by its placement: the share of the infants of the other group that a
model ranks right against it, 1 the best. (The mean of these shares is the area under the ROC
curve.) It knows the order of scores alone. Distances of probabilities from the truth would not do:
whoever exaggerates all probabilities is nearer to the truth in every infant whom he calls rightly.
An infant is placed among those whom the same fold models judge, as scores of others have another
scale. Infants are the blocks, and not folds: folds are few, and their training infants mostly the
same. So the test speaks of these trained models and of infants like these; how another training
would have turned out it does not tell. And placements of infants hang together by the infants that
they are compared with, which the test takes no account of.

References
----------
Demsar 2006, J Mach Learn Res 7:1 (Friedman's test, then Nemenyi's; the critical-difference
picture). Friedman 1937, J Am Stat Assoc 32:675. Nemenyi 1963, thesis, Princeton.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fidgety.evaluation.comparison import placements
from fidgety.evaluation.intervals import NAN
from fidgety.evaluation.model_comparison import Compared, compared
from fidgety.evaluation.records import Assessment
from fidgety.evaluation.tables import judged

#: Friedman's test is for three models or more; of two, the tests of pairs tell all.
MIN_MODELS = 3

RANK_COLUMNS = (
    "set",
    "model",
    "mean_rank",
    "low",
    "high",
    "critical_difference",
    "friedman_p",
    "n",
)


def critical_difference(models: int, blocks: int, confidence: float = 0.95) -> float:
    """Return how far apart two mean ranks must be to differ (Nemenyi; Demsar 2006, section 3.2.2).

    Parameters
    ----------
    models, blocks
        How many models are ranked, and how often.
    confidence
        1 minus the share of rankings without any difference in which one is found.
    """
    q = float(stats.studentized_range.ppf(confidence, models, np.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * blocks))


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of models, best first.

    Parameters
    ----------
    mean
        Model to its mean rank, 1 is best.
    p
        Of Friedman's test that all are alike; NaN where all errors are equal.
    critical_difference
        Of two mean ranks (:func:`critical_difference`).
    groups
        The largest groups of neighbours of which no two differ by more than that.
    n
        Blocks.
    confidence
        As in :func:`critical_difference`.
    """

    mean: Mapping[str, float]
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    n: int
    confidence: float = 0.95


def groups_of(mean: Mapping[str, float], difference: float) -> tuple[tuple[str, ...], ...]:
    """Find the largest groups of neighbouring models whose mean ranks lie within a difference.

    Groups of one, and those within another one, are left out.
    """
    names = sorted(mean, key=lambda m: mean[m])
    found: list[tuple[str, ...]] = []
    reached = 0
    for first, name in enumerate(names):
        last = first
        while last + 1 < len(names) and mean[names[last + 1]] - mean[name] <= difference:
            last += 1
        if last > first and last > reached:
            found.append(tuple(names[first : last + 1]))
            reached = last
    return tuple(found)


def compare_ranks(errors: Mapping[str, ArrayLike], confidence: float = 0.95) -> Ranks:
    """Rank models block by block, the lowest error first; equal errors share their ranks.

    Parameters
    ----------
    errors
        Model to its errors, in the same blocks: arrays of shape (block,).
    confidence
        As in :func:`critical_difference`.

    Raises
    ------
    ValueError
        With fewer than three models, or without any block.
    """
    names = list(errors)
    values: NDArray[np.float64] = np.array([errors[m] for m in names], dtype=np.float64)
    if len(names) < MIN_MODELS or not values.shape[1]:
        raise ValueError(f"{len(names)} models in {values.shape[-1]} blocks cannot be ranked")
    ranks = stats.rankdata(values, axis=0).mean(axis=1)
    mean = {names[k]: float(ranks[k]) for k in np.argsort(ranks, kind="stable")}
    some = bool((np.ptp(values, axis=0) > 0).any())
    p = float(stats.friedmanchisquare(*values).pvalue) if some else NAN
    apart = critical_difference(len(names), values.shape[1], confidence)
    groups = groups_of(mean, apart)
    return Ranks(mean, p, apart, groups, values.shape[1], confidence)


def ranks_of(
    records: Sequence[Assessment],
    models: Sequence[str],
    classes: Mapping[str, bool],
    confidence: float = 0.95,
) -> dict[str, Ranks]:
    """Rank the models of every set that has three or more.

    Returns
    -------
    dict
        Set to its ranks.
    """
    found = {}
    for one in compared(records, models):
        if len(one.models) < MIN_MODELS:
            continue
        errors = placement_errors(one, classes)
        if errors:
            found[one.role] = compare_ranks(errors, confidence)
    return found


def placement_errors(one: Compared, classes: Mapping[str, bool]) -> dict[str, list[float]]:
    """Return, for every model, the share of the other group that each infant is wrong against.

    Parameters
    ----------
    one
        A set.
    classes
        Class to whether it is at risk.

    Returns
    -------
    dict
        Model to its shares, of the infants whose fold models judge infants of both groups; empty
        without any.
    """
    own = {m: judged(one.records, m, one.role) for m in one.models}
    some = own[one.models[0]]
    together: dict[tuple[int, ...], list[int]] = {}
    for k, r in enumerate(some):
        together.setdefault(tuple(r.folds), []).append(k)
    errors: dict[str, list[float]] = {}
    for members in together.values():
        truth = [classes.get(some[k].label, False) for k in members]
        if all(truth) or not any(truth):
            continue
        scores = [[own[m][k].probability for k in members] for m in one.models]
        for m, placed in zip(one.models, placements(truth, scores), strict=True):
            errors.setdefault(m, []).extend((1 - placed).tolist())
    return errors


def rank_table(found: Mapping[str, Ranks]) -> pd.DataFrame:
    """Tabulate mean ranks.

    Returns
    -------
    DataFrame
        Columns :data:`RANK_COLUMNS`. Two models whose intervals, half a critical difference to
        either side, do not meet differ.
    """
    rows = [
        (
            *(role, model, mean),
            *(mean - one.critical_difference / 2, mean + one.critical_difference / 2),
            *(one.critical_difference, one.p, one.n),
        )
        for role, one in found.items()
        for model, mean in one.mean.items()
    ]
    return pd.DataFrame(rows, columns=list(RANK_COLUMNS))
