"""What cohorts and classes are."""

from __future__ import annotations

from enum import StrEnum

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
