"""Options of the ``mediapipe`` background method, apart from its heavy libraries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class MediapipeMaskOptions(Section):
    """Options of the ``mediapipe`` background method."""

    model: Literal["pose", "selfie"] = "pose"
    """``pose``: BlazePose's segmentation; ``selfie``: faster, made for people sitting up."""
    mode: Literal["tracking", "static"] = "tracking"
    """``tracking`` looks where the body was in the last frame; ``static`` searches every frame
    anew."""
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Smallest score for a body in a frame (``pose``)."""
    quarter_turns: Literal["auto", 0, 1, 2, 3] = "auto"
    """Counter-clockwise quarter turns of the picture before the model sees it."""

    @property
    def follows_one(self) -> bool:
        """Whether masks are of one person: BlazePose's are."""
        return self.model == "pose"


Options = MediapipeMaskOptions
