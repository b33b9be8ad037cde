"""Options of ``kind: stam``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

#: Sub-sequences of 1000 frames that begin 800 apart, at 30 frames a second, and the training.
PUBLISHED: Mapping[str, Any] = {
    "rate_hz": 30.0,
    "window_s": 1000 / 30,
    "step_s": 800 / 30,
    "predict_step_s": 800 / 30,
    "learning_rate": 1e-4,
    "weight_decay": 1e-4,
    "batch_size": 64,
}


class StamOptions(Section):
    """Options of ``kind: stam`` (Nguyen-Thai 2021)."""

    preset: Literal["none", "nguyenthai2021"] = "none"
    """``nguyenthai2021``: what the paper states; keys beside it win over it."""
    coordinates: Literal["coordinates_2d", "coordinates_3d"] = "coordinates_2d"
    """Feature set with the joints' positions."""
    rate_hz: Annotated[float, Field(gt=0)] = 30.0
    """Frame rate of the series."""
    window_s: Seconds = 10.0
    """Length of a sub-sequence (1000 frames, 33 s, in the paper)."""
    step_s: Seconds = 5.0
    """Distance between sub-sequences in training (800 frames in the paper)."""
    predict_step_s: Seconds = 5.0
    """Distance between sub-sequences in validation and prediction."""
    clip_frames: Positive = 30
    """Frames of a clip."""
    clip_step_frames: Positive = 20
    """Frames between the starts of neighbouring clips."""
    most_bones: Positive = 3
    """Joints at most so many bones apart see each other."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (64, 128, 128)
    """Channels of the graph blocks; from the second on, each halves the frames."""
    attention_width: Positive = 128
    """Hidden width of the attention over joints, and of that over clips."""
    dropout: Share = 0.3
    """From the second block on, and before the output."""
    pool: Literal["highest", "mean"] = "highest"
    """An infant's score: that of its sub-sequence with the highest risk, or their mean."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam (1e-4 in the paper)."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """L2 penalty."""
    batch_size: Positive = 16
    """Sub-sequences a batch (64 in the paper)."""
    epochs: Positive = 60
    """At most (not in the paper)."""
    patience: Positive = 10
    """Epochs without a lower validation loss."""
    blind_epochs: Positive = 20
    """Epochs where there are too few infants for validation."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "nguyenthai2021":
            return {**PUBLISHED, **values}
        return values

    @model_validator(mode="after")
    def _check_clips(self) -> StamOptions:
        frames = round(self.window_s * self.rate_hz)
        if self.clip_frames > frames:
            raise ValueError(f"clip_frames must be at most the {frames} frames of window_s")
        return self

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """Feature sets that are read."""
        return (self.coordinates,)


Options = StamOptions
