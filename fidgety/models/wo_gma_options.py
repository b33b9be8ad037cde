"""Options of ``kind: wo_gma``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]

#: Sizes and training as published.
PUBLISHED: Mapping[str, Any] = {
    "rate_hz": 25.0,
    "window_s": 0.8,
    "scales": 8,
    "graph_width": 256,
    "clip_width": 2048,
    "proposal_widths": (512, 128, 64),
    "state_width": 1024,
    "online_widths": (512, 128, 64),
    "learning_rate": 5e-5,
    "weight_decay": 5e-4,
    "bags_per_class": 8,
    "epochs": 100,
}


class WoGmaOptions(Section):
    """Options of ``kind: wo_gma`` (Luo 2022)."""

    preset: Literal["none", "luo2022"] = "none"
    """``luo2022``: sizes and training as published (about 30 million parameters); keys beside it
    win over it."""
    coordinates: Literal["coordinates_2d", "coordinates_3d"] = "coordinates_2d"
    """Feature set with the joints' positions."""
    rate_hz: Annotated[float, Field(gt=0)] = 25.0
    """Frame rate of the series."""
    window_s: Annotated[float, Field(gt=0)] = 0.8
    """Length of a clip (20 frames, as published); clips follow one another and do not overlap."""
    scales: Annotated[int, Field(ge=1, le=1000)] = 8
    """Scales of the graph: joints up to ``scales - 1`` bones apart."""
    graph_width: Positive = 32
    """Channels of the space-time graph convolution (256 in the paper)."""
    clip_width: Positive = 128
    """Numbers of a clip (2048 in the paper)."""
    proposal_widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (64, 32)
    """Channels of the convolutions over clips that propose ((512, 128, 64) in the paper)."""
    state_width: Positive = 64
    """State of the network that decides clip by clip (1024 in the paper)."""
    online_widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32,)
    """Layers behind it ((512, 128, 64) in the paper)."""
    dropout: Share = 0.5
    """Behind these layers."""
    video_share: Annotated[float, Field(gt=0, le=1)] = 0.125
    """Share of the clips, those with the highest scores, whose mean is the infant's score."""
    video_from: Annotated[float, Field(ge=0, le=1)] = 0.4
    """An infant's score from which its clips are given labels."""
    clip_from: Annotated[float, Field(ge=0, le=1)] = 0.3
    """A clip's score from which it is labelled with its infant's class."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam (5e-5 in the paper)."""
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    """L2 penalty."""
    bags_per_class: Positive = 4
    """Infants of each class in a batch (16 infants in the paper)."""
    min_steps: Positive = 8
    """Batches an epoch, at least: the infants of small cohorts come round more often."""
    epochs: Positive = 40
    """At most (100 in the paper)."""
    patience: Positive = 10
    """Epochs without a lower validation loss. (The code looks at the test infants.)"""
    blind_epochs: Positive = 20
    """Epochs where there are too few infants for validation."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "luo2022":
            return {**PUBLISHED, **values}
        return values

    @model_validator(mode="after")
    def _check_clip(self) -> WoGmaOptions:
        if self.clip_frames < 2:
            raise ValueError("window_s must hold two frames")
        return self

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """Feature sets that are read."""
        return (self.coordinates,)

    def memory_mb(self) -> int:
        """Estimate what training takes on a processor, for infants of five minutes, two classes.

        About six maps of every clip, node and channel are kept.
        """
        clips = 2 * self.bags_per_class * 300 / self.window_s
        nodes = 21 * self.clip_frames
        maps = 6 * 4 * clips * nodes * (self.graph_width + 2 * self.scales)
        return int(4000 + maps / 1e6)

    @property
    def clip_frames(self) -> int:
        """Frames of a clip."""
        return round(self.window_s * self.rate_hz)


Options = WoGmaOptions
