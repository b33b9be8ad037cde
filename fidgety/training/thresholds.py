"""What is chosen on validation infants, and never on those that it is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fidgety.config.evaluation import EvaluationConfig

DEFAULT = 0.5


@dataclass(frozen=True)
class Threshold:
    """Lowest probability of being at risk that counts as positive.

    Parameters
    ----------
    value
        0 to 1.
    rule
        ``youden``, ``sensitivity``, ``fixed``, or ``default`` where no rule could be applied.
    detail
        What it was chosen on, for a person.
    """

    value: float
    rule: str
    detail: str


def choose_threshold(
    score: Sequence[float], positive: Sequence[bool], config: EvaluationConfig
) -> Threshold:
    """Choose a threshold on validation infants.

    Candidates lie halfway between neighbouring scores. ``youden`` takes the one with the largest
    sensitivity + specificity - 1, among equals the one closest to 0.5. ``sensitivity`` takes the
    highest that reaches the wanted sensitivity.

    Parameters
    ----------
    score : sequence of shape (infant,)
        Probability of being at risk.
    positive : sequence of shape (infant,)
        Whether the infant is at risk.
    config
        Rule.

    Returns
    -------
    Threshold
        0.5 if a side has no validation infant, or if the scores tell nothing (no candidate with a
        Youden index above 0).
    """
    if not isinstance(config.threshold, str):
        return Threshold(float(config.threshold), "fixed", "set in config.yaml")
    s, y = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    n = f"{int(y.sum())} validation infants at risk, {int((~y).sum())} not"
    if not y.any() or y.all():
        return Threshold(DEFAULT, "default", f"{n}: too few to choose on")
    distinct = np.unique(s)
    candidates = np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2])
    called = s[None, :] >= candidates[:, None]
    sensitivity = called[:, y].mean(axis=1)
    specificity = 1 - called[:, ~y].mean(axis=1)
    if config.threshold == "sensitivity":
        reached = candidates[sensitivity >= config.wanted_sensitivity - 1e-9]
        return Threshold(float(reached.max()), "sensitivity", n)
    youden = sensitivity + specificity - 1
    best = float(youden.max())
    if best <= 1e-9:
        return Threshold(DEFAULT, "default", f"{n}: their scores do not tell them apart")
    equal = candidates[youden >= best - 1e-9]
    value = equal[np.argmin(np.abs(equal - DEFAULT))]
    return Threshold(float(value), "youden", f"{n}; Youden index {best:.3f}")


def validation_loss(loss: Mapping[str, float], labels: Mapping[str, str]) -> float:
    """Return the loss by which one combination of options is preferred to another.

    Parameters
    ----------
    loss
        Validation infant to its loss.
    labels
        The same infants to their class.

    Returns
    -------
    float
        Mean over classes of the mean over their infants, so that neither a long recording nor a
        frequent class counts for more; NaN without validation infants.
    """
    by_class: dict[str, list[float]] = {}
    for infant, value in loss.items():
        by_class.setdefault(labels[infant], []).append(value)
    if not by_class:
        return float("nan")
    return float(np.mean([np.mean(values) for values in by_class.values()]))
