"""Options of the ``median`` background method, apart from its heavy libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fidgety.config.base import Section


class TemporalMedianOptions(Section):
    """Options of the ``median`` background method."""

    threshold_sigma: Annotated[float, Field(gt=0)] = 6.0
    """Difference from the background that counts as body, in standard deviations of the
    picture's noise."""
    min_difference: Annotated[float, Field(gt=0, le=255)] = 14.0
    """Smallest difference that counts as body, in grey levels."""
    min_area: Annotated[float, Field(ge=0, lt=1)] = 0.001
    """Smaller pieces, as a share of the picture, are taken for noise."""
    min_piece: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Pieces smaller than this share of the largest one are dropped: limbs stay, shadows and
    hands at the edge go."""
    closing: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    """Gaps up to this share of the longest side are closed."""


Options = TemporalMedianOptions
