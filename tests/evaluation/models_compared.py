"""Records and validation infants of planted models, for the tests of comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fidgety.evaluation.model_comparison import Validation
from fidgety.evaluation.records import Assessment


def record(
    infant: str,
    model: str,
    label: str,
    probability: float | Sequence[float],
    *,
    role: str = "development",
    folds: Sequence[int] = (1,),
    threshold: float = 0.5,
    classes: Sequence[float] | None = None,
) -> Assessment:
    """One model's result of one infant; a probability of every fold, or the same one of all."""
    p = np.broadcast_to(np.asarray(probability, dtype=float), (len(folds),)).copy()
    mean = float(p.mean())
    return Assessment(
        infant,
        role,
        label,
        model,
        fold_probability=p,
        fold_threshold=np.full(len(folds), threshold),
        folds=tuple(folds),
        class_probability=np.array([1 - mean, mean] if classes is None else classes),
    )


def kept(positive: Sequence[bool], score: Sequence[float], fold: int = 1) -> Validation:
    """Infants that a fold model kept aside."""
    names = [f"v{fold}-{k}" for k in range(len(positive))]
    return Validation(names, [bool(y) for y in positive], [float(s) for s in score])


def planted(
    rng: np.random.Generator,
    gain: Mapping[str, float],
    *,
    infants: int = 60,
    folds: int = 3,
    aside: int = 20,
    role: str = "development",
) -> tuple[list[Assessment], dict[str, dict[int, Validation]]]:
    """Models whose logits rise with risk by a gain (below 0: they fall), and noise of sd 1.

    Returns
    -------
    records
        Of a set of infants of two equal groups, dealt over the folds; external infants have every
        fold's score.
    validation
        Model and fold to infants kept aside, the same ones for all models.
    """

    def scores(truth: np.ndarray, by: float) -> np.ndarray:
        z = by * np.where(truth, 1.0, -1.0) + rng.normal(size=len(truth))
        return 1 / (1 + np.exp(-z))

    truth = np.arange(infants) % 2 == 1
    fold_of = 1 + np.arange(infants) // 2 % folds
    records = []
    for model, by in gain.items():
        p = np.stack([scores(truth, by) for _ in range(folds)], axis=1)
        for k in range(infants):
            label = "risk" if truth[k] else "normal"
            name = f"{role[:3]}{k}"
            if role == "development":
                own = int(fold_of[k])
                records.append(record(name, model, label, p[k, own - 1], folds=[own]))
            else:
                every = range(1, folds + 1)
                records.append(record(name, model, label, p[k], role=role, folds=list(every)))
    aside_truth = np.arange(aside) % 2 == 1
    validation = {
        model: {
            f: kept(list(aside_truth), list(scores(aside_truth, by)), f)
            for f in range(1, folds + 1)
        }
        for model, by in gain.items()
    }
    return records, validation
