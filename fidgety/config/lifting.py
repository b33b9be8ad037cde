"""The ``lifting`` section."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from fidgety.config.base import Section


class LiftingConfig(Section):
    """Where the 3D pose comes from (docs/lifting.md)."""

    method: str = "estimator"
    """Name from the registry. ``estimator`` takes the 3D positions that the pose estimator or the
    track file gives beside 2D ones; ``mmpose`` lifts the clean 2D pose with a network that learned
    from adults (VideoPose3D and others)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the method; checked against the method's own model."""
