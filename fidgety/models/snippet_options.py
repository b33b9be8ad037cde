"""Options that the models of Kaur et al. 2025 share, apart from PyTorch.

``preset: kaur2025`` takes what the paper states; keys beside it win over it. Where our defaults
differ from the paper: feature sets (the body's 21 keypoints instead of 24 landmarks), ``centre``
and ``class_weights``. The paper's own frame of reference is a matter of the features:
``features: {origin: sternum, scale: none, upright: false}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

#: Input of every model (sections 3.1 and 3.2): 24 landmarks and 12 angles, snippets of 300 frames
#: that overlap by 150.
PUBLISHED_SNIPPETS: Mapping[str, Any] = {
    "feature_sets": ("landmarks_2d", "angles_2d"),
    "rate_hz": 30.0,
    "window_s": 10.0,
    "overlap_frames": 150,
    "predict_step_s": 5.0,
    "centre": False,
    "class_weights": False,
}
#: Training of every network (sections 3.2 and 3.3).
PUBLISHED_TRAINING: Mapping[str, Any] = {
    "dropout": 0.3,
    "batch_size": 16,
    "epochs": 250,
    "patience": 10,
}


class SnippetOptions(Section):
    """What all models on snippets share."""

    published: ClassVar[Mapping[str, Any]] = PUBLISHED_SNIPPETS

    preset: Literal["none", "kaur2025"] = "none"
    """``kaur2025``: what the paper states for this model; keys beside it win over it."""
    feature_sets: Annotated[tuple[str, ...], Field(min_length=1)] = ("coordinates_2d", "angles_2d")
    """Feature sets side by side; the paper's are coordinates, angles, and both."""
    rate_hz: Annotated[float, Field(gt=0)] = 30.0
    """Frame rate of the series."""
    window_s: Seconds = 10.0
    """Length of a snippet."""
    step_s: Seconds = 5.0
    """Distance between snippets in training (an overlap of 150 frames)."""
    overlap_frames: Annotated[int, Field(ge=0)] | None = None
    """Frames that neighbouring training snippets share; where given, it decides their distance
    instead of ``step_s``. The paper's are 299, 290, 270, 250, 200, 150 and 100 of 300."""
    predict_step_s: Seconds = 5.0
    """Distance between snippets in validation and prediction."""
    centre: bool = True
    """Subtract every recording's own mean: less of the posture, all of the movement. The paper
    does not; with tens of infants, networks otherwise learn postures by heart."""
    class_weights: bool = True
    """Weigh classes by inverse frequency (not in the paper)."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "kaur2025":
            return {**cls.published, **values}
        return values

    @model_validator(mode="after")
    def _check_overlap(self) -> SnippetOptions:
        frames = self.window_frames
        if self.overlap_frames is not None and self.overlap_frames >= frames:
            raise ValueError(f"overlap_frames must be less than the {frames} frames of a snippet")
        return self

    @property
    def window_frames(self) -> int:
        """Frames of a snippet."""
        return round(self.window_s * self.rate_hz)

    @property
    def training_step_s(self) -> float:
        """Distance between training snippets, seconds."""
        if self.overlap_frames is None:
            return self.step_s
        return (self.window_frames - self.overlap_frames) / self.rate_hz


class SnippetNetworkOptions(SnippetOptions):
    """What all networks on snippets share."""

    published: ClassVar[Mapping[str, Any]] = {**PUBLISHED_SNIPPETS, **PUBLISHED_TRAINING}

    dropout: Share = 0.3
    """Share of values set to zero in training."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam (not in the paper)."""
    batch_size: Positive = 16
    """Snippets a batch."""
    epochs: Positive = 250
    """At most."""
    patience: Positive = 10
    """Epochs without a lower validation loss."""
    blind_epochs: Positive = 30
    """Epochs where there are too few infants for validation."""
