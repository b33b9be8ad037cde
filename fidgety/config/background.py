"""The ``background`` section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from fidgety.config.base import Section


class BackgroundConfig(Section):
    """How the body is told from what is behind it."""

    method: str = "mediapipe"
    """Name from the registry: ``mediapipe``, ``median`` or ``u2net``."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the method; checked against the method's own model."""
    mask_side_px: Annotated[int, Field(ge=32, le=4096)] = 256
    """Longest side of the stored masks; none is larger than the standard video."""
    min_coverage: Annotated[float, Field(ge=0, lt=1)] = 0.003
    """Smallest share of the picture that counts as a body."""
    min_body_frames: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Smallest share of frames with a body for a recording to be assessable."""
    apply: Literal["none", "black", "blur", "replace"] = "none"
    """What later stages and pictures see behind the body."""
    replace_colour: tuple[int, int, int] = (128, 128, 128)
    """Colour (red, green, blue; 0-255) with ``apply: replace``."""
