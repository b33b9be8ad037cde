"""The plain baseline: how fast an infant moves on average.

If the mean speed alone told the groups apart, the task would be trivial; its area under the
curve stands beside the models'. Which direction means risk is chosen on the development
infants, so the development figure is 0.5 or more by construction; the external one is fair.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fidgety.evaluation.metrics import auc
from fidgety.features.speed import SPEEDS


def infant_speeds(cohort: pd.DataFrame, owner: Mapping[str, str]) -> tuple[str, dict[str, float]]:
    """Average the recordings' mean speeds by infant.

    Parameters
    ----------
    cohort
        Rows of cohort tables, with the measures :data:`~fidgety.features.speed.SPEEDS`.
    owner
        Recording to infant; other recordings are not looked at.

    Returns
    -------
    name : str
        Feature set that the speeds are of: the one that most infants have, the first among
        equals.
    speed : dict
        Infant to mean speed, those who have it.
    """
    rows = cohort[cohort["recording"].isin(set(owner))]
    infants = rows["recording"].map(dict(owner))
    candidates = []
    for measure, name in SPEEDS.items():
        speed = pd.to_numeric(rows[measure]) if measure in rows else pd.Series(np.nan, rows.index)
        by_infant = speed.groupby(infants).mean().dropna()
        candidates.append((name, {str(i): float(v) for i, v in by_infant.items()}))
    return max(candidates, key=lambda c: len(c[1]))


def direction(positive: ArrayLike, speed: ArrayLike) -> int:
    """Return 1 if faster means at risk among these infants, else -1.

    With a class absent, or no difference, less movement counts as risk.
    """
    return 1 if auc(positive, speed) > 0.5 else -1
