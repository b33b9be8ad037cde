"""Options of ``kind: cnn1d``, apart from PyTorch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Cnn1dOptions(Section):
    """Options of ``kind: cnn1d``; the defaults are the published ones where it gives them."""

    feature_sets: Annotated[tuple[str, ...], Field(min_length=1)] = ("coordinates_2d", "angles_2d")
    """Feature sets side by side; the paper's are coordinates, angles, and both."""
    rate_hz: Annotated[float, Field(gt=0)] = 30.0
    """Frame rate of the series."""
    window_s: Seconds = 10.0
    """Length of a snippet."""
    step_s: Seconds = 5.0
    """Distance between snippets in training (an overlap of 150 frames)."""
    predict_step_s: Seconds = 5.0
    """Distance between snippets in validation and prediction."""
    filters: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128)
    """Filters of the convolutions; the paper's other network has (32, 64) and 32 dense."""
    dense: Positive = 64
    """Width of the dense layer."""
    kernel: Positive = 5
    """Frames that a convolution sees (not in the paper)."""
    pool: Positive = 2
    """Frames that the maximum is taken over behind a convolution (not in the paper)."""
    head: Literal["average", "flatten"] = "average"
    """How the last convolution meets the dense layer (not in the paper)."""
    centre: bool = True
    """Subtract every recording's own mean: less of the posture, all of the movement. The paper
    does not; with tens of infants, networks otherwise learn postures by heart."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
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

    @model_validator(mode="after")
    def _check_pooling(self) -> Cnn1dOptions:
        if round(self.window_s * self.rate_hz) < self.pool ** len(self.filters):
            raise ValueError("window_s is too short for so many poolings")
        return self


Options = Cnn1dOptions
