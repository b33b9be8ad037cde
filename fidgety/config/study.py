"""The sections about the study: classes, cohorts, inclusion, phantoms, report."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class Role(StrEnum):
    """What a cohort is for."""

    DEVELOPMENT = "development"
    """Cross-validated: the models are trained on it."""
    EXTERNAL = "external"
    """Tested, never trained on."""
    REFERENCE = "reference"
    """Annotated clips: intervals with and without the movement."""
    NEW = "new"
    """Assessed, without a label."""


class ClassConfig(Section):
    """One class of the outcome."""

    name: str
    """As it stands in the sample sheet's ``label`` column."""
    at_risk: bool = False
    """Whether the class counts as positive for sensitivity and specificity."""


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


class PhantomConfig(Section):
    """The digital phantoms that are added to the sample sheet."""

    preset: Literal["none", "tiny", "small", "validation"] = "small"
    """``small`` is what a fresh clone runs, ``tiny`` is for tests, ``validation`` has at least 20
    external infants a class; ``none`` runs your own recordings alone."""
    duration_s: Annotated[float, Field(gt=0)] | None = None
    """Length of a recording; None takes the preset's."""


class ReportConfig(Section):
    """What the report shows."""

    title: str = "General Movements Assessment"
    """Title of the pages."""
    faces: Literal["hidden", "visible"] = "hidden"
    """Whether overlay videos show faces."""
    overlay: Literal["video", "skeleton"] = "video"
    """``skeleton`` draws on black: nothing of the infant's picture is shown."""
    overlay_max_side_px: Annotated[int, Field(ge=64, le=1920)] = 360
    """Longest side of overlay videos."""
