"""Options of the ``mediapipe`` estimator, apart from its heavy libraries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.pose.estimator_options import EstimatorOptions

Confidence = Annotated[float, Field(ge=0, le=1)]


class BlazePoseOptions(EstimatorOptions):
    """Options of the ``mediapipe`` estimator."""

    mode: Literal["tracking", "static"] = "tracking"
    """``tracking`` looks where the body was in the last frame; ``static`` searches every frame
    anew."""
    min_detection_confidence: Confidence = 0.5
    """Smallest score of the detector for a body."""
    min_tracking_confidence: Confidence = 0.5
    """Smallest score of the keypoint model for a body; below it the frame has none, and the
    next one is searched anew."""


Options = BlazePoseOptions
