"""The ``inclusion`` section."""

from __future__ import annotations

from typing import Literal

from fidgety.config.base import Section


class InclusionConfig(Section):
    """Who is in the study; keys given here win over the preset's."""

    preset: Literal["none", "gao2023", "kaur2025", "hashimoto2022"] = "none"
    """Criteria of a published study."""
    corrected_age_weeks: tuple[float, float] | None = None
    """Youngest and oldest corrected age, both included."""
    min_duration_s: float | None = None
    """Shortest recording."""
    require: tuple[str, ...] | None = None
    """Columns of the sheet that must not be empty."""
    exclude_fm_types: tuple[str, ...] | None = None
    """Types of fidgety movements that are left out."""
