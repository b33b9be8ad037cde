"""Continuous or intermittent: what fidgety movements are called by their frequency."""

from __future__ import annotations

import math

TYPES = CONTINUOUS, INTERMITTENT = "continuous", "intermittent"


def called_type(frequency: float, positive: bool | None, continuous_from: float | str) -> str:
    """Call fidgety movements continuous or intermittent by their frequency (Gao 2023, Fig. 3e).

    Empty where that is not to be said: of an infant called at risk (whose movements are sporadic
    or absent), in whom none were found, without a frequency, without a threshold.
    """
    if positive is None or positive or isinstance(continuous_from, str):
        return ""
    if not frequency > 0 or not math.isfinite(continuous_from):
        return ""
    return CONTINUOUS if frequency >= continuous_from else INTERMITTENT
