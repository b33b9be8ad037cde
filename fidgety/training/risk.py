"""The probability of being at risk, of the probabilities of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def risk_probability(probability: ArrayLike, at_risk: Sequence[bool]) -> NDArray[np.float64]:
    """Sum the probabilities of the classes at risk.

    Parameters
    ----------
    probability : array of shape (..., class)
        Probabilities that sum to 1 over the last axis.
    at_risk
        For each class whether it counts as positive.

    Returns
    -------
    ndarray of shape (...)

    Raises
    ------
    ValueError
        If the number of classes disagrees.
    """
    values = np.asarray(probability, dtype=np.float64)
    mask = np.asarray(at_risk, dtype=bool)
    if values.shape[-1] != mask.size:
        raise ValueError(f"{values.shape[-1]} probabilities for {mask.size} classes")
    return np.asarray(values[..., mask].sum(axis=-1))
