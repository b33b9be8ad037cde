"""Options of ``kind: two_stream``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Backbone = Literal["resnet18", "resnet34", "resnet50", "resnet101"]
Streams = Literal["fusion", "spatial", "temporal", "sum"]

#: What the paper and its code state; the shape of input, network and training.
PUBLISHED: Mapping[str, Any] = {
    "streams": "fusion",
    "backbone": "resnet50",
    "rate_hz": 6.0,
    "window_s": 1.0,
    "step_s": 5.0,
    "predict_step_s": 5.0,
    "clips": 12,
    "learning_rate": 1e-5,
    "weight_decay": 1e-4,
    "batch_size": 64,
    "patience": 10,
}


class TwoStreamOptions(Section):
    """Options of ``kind: two_stream``; the defaults are the published ones where they are known."""

    feature_sets: ClassVar[tuple[str, ...]] = ()

    preset: Literal["none", "hashimoto2022"] = "none"
    """``hashimoto2022``: what the paper states; keys beside it win over it."""
    streams: Streams = "fusion"
    """Both streams and their fusion; the picture (``spatial``) or the flow (``temporal``) alone; or
    the ``sum`` of what both say."""
    backbone: Backbone = "resnet50"
    """ResNet of either stream; the paper's is ``resnet50``."""
    weights: str | None = None
    """File with the backbone's ImageNet weights (``.safetensors``, ``.pth``; torchvision's names or
    those of transformers), as published; without one, training starts from random weights, which
    hundreds of infants are too few for."""
    rate_hz: Annotated[float, Field(gt=0)] = 6.0
    """Fields of flow a second: that of ``pixels.rate_hz``."""
    window_s: Annotated[float, Field(gt=0)] = 1.0
    """Length of a clip; its middle crop and all of its flow are read. 1 s, 30 frames, in the code;
    5 s, 150 frames, in the paper's figure."""
    step_s: Annotated[float, Field(gt=0)] = 5.0
    """Distance between clips in training."""
    predict_step_s: Annotated[float, Field(gt=0)] = 5.0
    """Distance between clips in validation and prediction."""
    clips: Positive | None = 12
    """Clips of a recording, the first ones; null takes all."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    """Of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Of AdamW."""
    batch_size: Positive = 64
    """Clips a batch."""
    epochs: Positive = 200
    """At most (not in the paper)."""
    patience: Positive = 10
    """Epochs without a lower validation loss. (The code looks at the training loss.)"""
    blind_epochs: Positive = 30
    """Epochs where there are too few infants for validation."""
    stream_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of a loss for each stream by itself beside that of both together (not in the paper):
    the cross-entropy of the stream's own share of the logits. Without it, the stream that learns
    the training infants by heart soonest leaves the other one nothing to learn."""
    colour_jitter: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Training clips' brightness, each colour and gamma are varied at random by up to this share
    (not in the paper; 0.4 is usual). Without it, pictures of few infants are learned by heart."""
    place_jitter: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Training clips are turned (radians), scaled (share) and shifted (share of half a side) at
    random by up to this, crop and flow together (not in the paper)."""
    class_weights: bool = False
    """Weigh classes by inverse frequency (not in the paper)."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "hashimoto2022":
            return {**PUBLISHED, **values}
        return values

    @model_validator(mode="after")
    def _check_window(self) -> TwoStreamOptions:
        if self.n_fields < 1:
            raise ValueError("window_s is shorter than the time between two fields (1 / rate_hz)")
        return self

    @property
    def n_fields(self) -> int:
        """Fields of flow in a clip (L)."""
        return round(self.window_s * self.rate_hz)

    def memory_mb(self, size_px: int) -> int:
        """Estimate what training takes on a processor: maps of every layer, four times the weights.

        A clip of 224 pixels fills about 180 MB in both ResNet-50; smaller ResNets take less.
        """
        streams = 1 if self.streams in ("spatial", "temporal") else 2
        maps = 90 * streams * self.batch_size * (size_px / 224) ** 2
        return int(3000 + 1000 * streams / 2 + maps)

    def files(self) -> dict[str, Path]:
        """Return the files that are named, by option."""
        return {"weights": Path(self.weights).expanduser()} if self.weights else {}


Options = TwoStreamOptions
