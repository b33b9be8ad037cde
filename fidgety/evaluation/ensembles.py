"""All models together: the plain mean of their probabilities, and a mean that is learned.

``(mean)`` is the mean of the models' probabilities, fold by fold. ``(stacked)`` weighs the models'
logits: logit p = b + sum over M models of w_m logit p_m, no w_m below 0, by penalised logistic
regression. The penalty is that of normal priors: each w_m of mean and standard deviation 1 / M (a
model may well count for nothing, or for two), b of mean 0 and standard deviation 1. Where there are
few infants to learn from, the weights so stay near those of the mean of the logits, and no model is
trusted or dropped on the word of a handful.

**Nested.** A development infant is judged with the weights of its own fold, which are learned on
the infants that this fold's models kept aside: neither those models nor the weights have seen the
infant or its label. The usual way (Wolpert 1992; van der Laan's super learner) learns the weights
of a fold on the other folds' out-of-fold scores: many more infants, but those scores come from
models that were trained on the judged infants' labels. A model in which an infant and its neighbour
are right about each other then gains weight by the one and is rewarded for it by the other, and the
area under the curve lies above 0.5 where there is nothing to learn. Van der Laan et al. learn so to
have their predictor, and judge it by a cross-validation around the whole. So it is done here for
external infants, who had a part in nothing: their weights are learned on the out-of-fold scores of
all development infants, and applied to the mean of the fold models. The figures of ``(stacked)`` on
development infants are thus those of weights from fewer infants.

Validation infants did decide when a network stopped and which of a grid's candidates was taken, so
their scores flatter a model that had more to choose from. That costs the ensemble some of its
weights' worth, and flatters no figure.

References
----------
Wolpert 1992, Neural Netw 5:241. Breiman 1996, Mach Learn 24:49 (weights not below 0). van der Laan,
Polley & Hubbard 2007, Stat Appl Genet Mol Biol 6:25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation.calibration import logit
from fidgety.evaluation.model_comparison import MEAN, STACKED, Compared, Validation, compared
from fidgety.evaluation.records import Assessment
from fidgety.evaluation.tables import judged
from fidgety.training.thresholds import choose_threshold

Array = NDArray[np.float64]

#: Probabilities are kept this far from 0 and 1: one sure model shall not outvote all others.
CLIP = 0.01
#: Number of the one stacker that judges external infants, beside folds that count from 1.
ALL_FOLDS = 0

WEIGHT_COLUMNS = ("set", "fold", "term", "weight", "n")


@dataclass(frozen=True)
class Stacker:
    """A weighted sum of logits.

    Parameters
    ----------
    weights : ndarray of shape (model,)
        None below 0.
    intercept
    n
        Infants that it was fitted on.
    """

    weights: Array
    intercept: float
    n: int

    def __call__(self, probability: ArrayLike) -> Array:
        """Return the probability of being at risk.

        Parameters
        ----------
        probability : array of shape (..., model)

        Returns
        -------
        ndarray of shape (...)
        """
        return np.asarray(special.expit(_logits(probability) @ self.weights + self.intercept))


def _logits(probability: ArrayLike) -> Array:
    return logit(np.clip(np.asarray(probability, dtype=np.float64), CLIP, 1 - CLIP))


def fit_stacker(positive: ArrayLike, probability: ArrayLike) -> Stacker | None:
    """Learn weights; the problem is convex, so there is one solution.

    Parameters
    ----------
    positive : array of shape (infant,)
    probability : array of shape (infant, model)
        Of models that have not seen these infants.

    Returns
    -------
    Stacker or None
        None without infants of both groups.
    """
    truth = np.asarray(positive, dtype=bool)
    if not truth.any() or truth.all():
        return None
    x = _logits(probability)
    sign = np.where(truth, 1.0, -1.0)
    design = np.column_stack([x, np.ones(len(x))])
    models = x.shape[1]
    centre = np.append(np.full(models, 1 / models), 0.0)
    penalty = np.append(np.full(models, float(models**2)), 1.0)

    def loss(theta: Array) -> tuple[float, Array]:
        margin = sign * (design @ theta)
        off = theta - centre
        value = float(np.logaddexp(0.0, -margin).sum() + off @ (penalty * off) / 2)
        return value, -design.T @ (sign * special.expit(-margin)) + penalty * off

    bounds = [(0.0, None)] * models + [(None, None)]
    found = optimize.minimize(
        loss,
        centre,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-13, "gtol": 1e-9},
    ).x
    return Stacker(found[:-1], float(found[-1]), len(truth))


def kept_aside(
    validation: Mapping[str, Mapping[int, Validation]], models: Sequence[str], fold: int
) -> tuple[NDArray[np.bool_], Array]:
    """Gather what all models of a fold said of the infants that all of them kept aside.

    Returns
    -------
    positive : ndarray of shape (infant,)
    score : ndarray of shape (infant, model)
    """
    empty = Validation([], [], [])
    kept = [validation.get(m, {}).get(fold, empty) for m in models]
    scores = [dict(zip(k.infant, k.score, strict=True)) for k in kept]
    truth = dict(zip(kept[0].infant, kept[0].positive, strict=True))
    infants = sorted(set.intersection(*(set(s) for s in scores)))
    return (
        np.array([truth[i] for i in infants], dtype=bool),
        np.array([[s[i] for s in scores] for i in infants], dtype=np.float64).reshape(
            len(infants), len(models)
        ),
    )


def _by_infant(one: Compared, models: Sequence[str]) -> list[tuple[Assessment, list[Assessment]]]:
    """Return the records of every infant of a set, one a model; the first stands for the infant."""
    by_model = [{r.infant: r for r in judged(one.records, m, one.role)} for m in models]
    return [(by_model[0][i], [own[i] for own in by_model]) for i in by_model[0]]


def _threshold(positive: ArrayLike, score: ArrayLike, config: EvaluationConfig) -> float:
    truth = [bool(p) for p in np.asarray(positive)]
    return choose_threshold([float(s) for s in np.asarray(score)], truth, config).value


def _with_sum(shares: Array, at_risk: NDArray[np.bool_], wanted: float) -> Array:
    """Scale the probabilities of the classes so that those at risk have the wanted sum."""
    total = float(shares[at_risk].sum())
    return np.where(
        at_risk,
        shares * wanted / total if total > 0 else wanted / max(at_risk.sum(), 1),
        shares * (1 - wanted) / (1 - total)
        if total < 1
        else (1 - wanted) / max((~at_risk).sum(), 1),
    )


def _record(
    infant: Assessment,
    own: Sequence[Assessment],
    name: str,
    folds: Sequence[int],
    probability: Array,
    thresholds: Sequence[float],
    at_risk: NDArray[np.bool_],
) -> Assessment:
    shares = np.mean([r.class_probability for r in own], axis=0)
    return Assessment(
        infant=infant.infant,
        role=infant.role,
        label=infant.label,
        model=name,
        kind=name.strip("()"),
        fold_probability=probability,
        fold_threshold=np.array(thresholds, dtype=np.float64),
        folds=tuple(folds),
        class_probability=_with_sum(shares, at_risk, float(probability.mean())),
    )


@dataclass(frozen=True)
class Ensembles:
    """The ensembles' records beside those of the models.

    Parameters
    ----------
    records
        Of ``(mean)`` and ``(stacked)``, of the infants of whom all compared models have a result.
    weights
        Columns :data:`WEIGHT_COLUMNS`: what each fold's stacker learned, from how many infants;
        ``term`` is a model or ``intercept``, fold 0 the stacker for external infants.
    missing
        Sentences about ensembles that there are not.
    """

    records: tuple[Assessment, ...]
    weights: pd.DataFrame
    missing: tuple[str, ...]


def _means(
    one: Compared,
    validation: Mapping[str, Mapping[int, Validation]],
    config: EvaluationConfig,
    at_risk: NDArray[np.bool_],
) -> list[Assessment]:
    """Take the mean of the models, fold by fold, with thresholds of the infants kept aside."""
    folds = sorted({k for r in one.records for k in r.folds})
    kept = {k: kept_aside(validation, one.models, k) for k in folds}
    thresholds = {k: _threshold(y, s.mean(axis=1), config) for k, (y, s) in kept.items()}
    return [
        _record(
            infant,
            own,
            MEAN,
            infant.folds,
            np.mean([r.fold_probability for r in own], axis=0),
            [thresholds[k] for k in infant.folds],
            at_risk,
        )
        for infant, own in _by_infant(one, one.models)
    ]


def _stacked_within(
    one: Compared,
    stackers: Mapping[int, Stacker],
    validation: Mapping[str, Mapping[int, Validation]],
    config: EvaluationConfig,
    at_risk: NDArray[np.bool_],
) -> list[Assessment]:
    """Judge development infants, each by its own fold's stacker."""
    thresholds = {}
    for k, stacker in stackers.items():
        positive, score = kept_aside(validation, one.models, k)
        thresholds[k] = _threshold(positive, stacker(score), config)
    return [
        _record(
            infant,
            own,
            STACKED,
            infant.folds,
            np.array(
                [
                    float(stackers[k]([r.fold_probability[at] for r in own]))
                    for at, k in enumerate(infant.folds)
                ]
            ),
            [thresholds[k] for k in infant.folds],
            at_risk,
        )
        for infant, own in _by_infant(one, one.models)
    ]


def _out_of_fold(
    development: Compared, models: Sequence[str], classes: Mapping[str, bool]
) -> tuple[NDArray[np.bool_], Array]:
    rows = _by_infant(development, models)
    return (
        np.array([classes.get(infant.label, False) for infant, _ in rows], dtype=bool),
        np.array([[r.probability for r in own] for _, own in rows], dtype=np.float64),
    )


def _weight_rows(
    role: str, fold: int, models: Sequence[str], stacker: Stacker
) -> list[tuple[str, int, str, float, int]]:
    terms = [*zip(models, stacker.weights, strict=True), ("intercept", stacker.intercept)]
    return [(role, fold, term, float(value), stacker.n) for term, value in terms]


def ensembles(
    records: Sequence[Assessment],
    models: Sequence[str],
    validation: Mapping[str, Mapping[int, Validation]],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> Ensembles:
    """Put all compared models together, on every set that has two or more.

    Parameters
    ----------
    records, models
        What is compared.
    validation
        Model and fold to what its fold models said of the infants that they kept aside.
    classes
        Class to whether it is at risk.
    config
        How thresholds are chosen: on infants kept aside; for external infants' stacker on the
        development infants.
    """
    at_risk = np.array(list(classes.values()), dtype=bool)
    made: list[Assessment] = []
    rows: list[tuple[str, int, str, float, int]] = []
    missing = []
    sets = {one.role: one for one in compared(records, models)}
    for role, one in sets.items():
        if len(one.models) < 2:
            missing.append(f"{role}: there is no ensemble of a single model")
            continue
        made += _means(one, validation, config, at_risk)
        stackers: dict[int, Stacker] = {}
        if role == "development":
            needed = sorted({k for r in one.records for k in r.folds})
            for k in needed:
                stacker = fit_stacker(*kept_aside(validation, one.models, k))
                if stacker is not None:
                    stackers[k] = stacker
            lacking = [str(k) for k in needed if k not in stackers]
            if lacking:
                missing.append(
                    f"{role}: nothing is stacked, as no infants of both groups were kept aside by "
                    f"all models of fold {', '.join(lacking)}"
                )
                continue
            made += _stacked_within(one, stackers, validation, config, at_risk)
        else:
            learned = _outside(one, sets.get("development"), classes, config, at_risk)
            if learned is None:
                missing.append(
                    f"{role}: nothing is stacked, as there are no development infants of both "
                    "groups of whom all of these models have a result"
                )
                continue
            stackers = {ALL_FOLDS: learned[0]}
            made += learned[1]
        for k, stacker in stackers.items():
            rows += _weight_rows(role, k, one.models, stacker)
    return Ensembles(tuple(made), pd.DataFrame(rows, columns=list(WEIGHT_COLUMNS)), tuple(missing))


def _outside(
    one: Compared,
    development: Compared | None,
    classes: Mapping[str, bool],
    config: EvaluationConfig,
    at_risk: NDArray[np.bool_],
) -> tuple[Stacker, list[Assessment]] | None:
    """Judge infants of other cohorts by weights from all development infants."""
    if development is None or not set(one.models) <= set(development.models):
        return None
    positive, score = _out_of_fold(development, one.models, classes)
    stacker = fit_stacker(positive, score)
    if stacker is None:
        return None
    threshold = _threshold(positive, stacker(score), config)
    return stacker, [
        _record(
            infant,
            own,
            STACKED,
            (ALL_FOLDS,),
            np.array([float(stacker([r.probability for r in own]))]),
            [threshold],
            at_risk,
        )
        for infant, own in _by_infant(one, one.models)
    ]
