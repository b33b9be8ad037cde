"""Options of ``kind: ctr_gcn``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]

#: Branches of a temporal convolution beside its dilated ones: the largest value, and none.
PLAIN_BRANCHES = 2
#: Blocks, streams and training as published and in its code; one stream is one network there.
CHEN: Mapping[str, Any] = {
    "rate_hz": 30.0,
    "streams": ("joint",),
    "widths": (64, 64, 64, 64, 128, 128, 128, 256, 256, 256),
    "halve_at": (5, 8),
    "dropout": 0.0,
    "optimiser": "sgd",
    "learning_rate": 0.1,
    "weight_decay": 4e-4,
    "batch_size": 64,
    "epochs": 65,
}
#: Windows, streams, pooling and optimiser of the group's public code.
GROOS: Mapping[str, Any] = {
    "rate_hz": 30.0,
    "window_s": 5.0,
    "step_s": 2.5,
    "predict_step_s": 2.5,
    "streams": ("joint", "joint_motion", "bone"),
    "pool": "median",
    "dropout": 0.0,
    "optimiser": "sgd",
    "learning_rate": 5e-4,
    "weight_decay": 0.0,
    "batch_size": 32,
    "epochs": 200,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"chen2021": CHEN, "groos2022": GROOS}


class CtrGcnOptions(Section):
    """Options of ``kind: ctr_gcn`` (Chen 2021; windows and streams of Groos 2022)."""

    preset: Literal["none", "chen2021", "groos2022"] = "none"
    """``chen2021``: blocks and training of the published network, one stream of positions
    (1.4 million parameters); ``groos2022``: windows, streams, pooling and optimiser of Groos 2022,
    whose own network is not published. Keys beside it win over it."""
    coordinates: Literal["coordinates_2d", "coordinates_3d"] = "coordinates_2d"
    """Feature set with the joints' positions."""
    rate_hz: Annotated[float, Field(gt=0)] = 15.0
    """Frame rate of the series (30 in Groos 2022)."""
    window_s: Seconds = 5.0
    """Length of a window."""
    step_s: Seconds = 5.0
    """Distance between windows in training."""
    predict_step_s: Seconds = 2.5
    """Distance between windows in validation and prediction."""
    streams: Annotated[tuple[Stream, ...], Field(min_length=1)] = ("joint_motion", "bone_motion")
    """What is read of every joint, side by side as channels: its position (``joint``), the vector
    from the joint that carries it (``bone``), and the change of either to the next frame. One
    stream a network, scores summed, as in Chen 2021, is several models."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (16, 32, 64)
    """Channels of the blocks; multiples of the number of temporal branches."""
    halve_at: tuple[Positive, ...] = (1, 2, 3)
    """Blocks, counted from 1, that halve the frames."""
    reduction: Positive = 8
    """Channels of a block over those in which joints are compared, of which there are 8 at
    least."""
    temporal_kernel: Annotated[int, Field(ge=1)] = 5
    """Frames that a temporal convolution sees; odd."""
    dilations: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 2)
    """Steps between these frames: a branch each, beside one of the largest of three frames and one
    of the frame itself."""
    dropout: Share = 0.3
    """Before the output."""
    pool: Literal["mean", "median"] = "mean"
    """An infant's score: mean or median of its windows'."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Adam, or gradient descent with Nesterov momentum 0.9."""
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    """Of the optimiser."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """L2 penalty."""
    batch_size: Positive = 32
    """Windows a batch."""
    class_weights: bool = True
    """Weigh classes by inverse frequency."""
    epochs: Positive = 30
    """At most."""
    patience: Positive = 4
    """Epochs without a lower validation loss."""
    blind_epochs: Positive = 10
    """Epochs where there are too few infants for validation."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") in PRESETS:
            return {**PRESETS[values["preset"]], **values}
        return values

    @model_validator(mode="after")
    def _check_sizes(self) -> CtrGcnOptions:
        branches = len(self.dilations) + PLAIN_BRANCHES
        wrong = [str(width) for width in self.widths if width % branches]
        if wrong:
            raise ValueError(
                f"widths must be multiples of the {branches} temporal branches, not "
                f"{', '.join(wrong)}"
            )
        if any(block > len(self.widths) for block in self.halve_at):
            raise ValueError(f"halve_at must name some of the {len(self.widths)} blocks of widths")
        if self.temporal_kernel % 2 == 0:
            raise ValueError("temporal_kernel must be odd")
        if len(set(self.streams)) < len(self.streams):
            raise ValueError("streams must be named once each")
        if round(self.window_s * self.rate_hz) < 2:
            raise ValueError("window_s must hold two frames")
        return self

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """Feature sets that are read."""
        return (self.coordinates,)

    def memory_mb(self) -> int:
        """Estimate what training takes on a processor.

        Of every frame, joint and channel about 11 values are kept for the gradients, and as many
        as half of these again are computed from them at a time; of every pair of joints and
        channel, one a partition.
        """
        joints, partitions, values = 21, 3, 16
        frames, numbers = round(self.window_s * self.rate_hz), 0
        for width, stride in zip(self.widths, self.strides(), strict=True):
            numbers += width * joints * (values * frames + partitions * joints)
            frames = -(-frames // stride)
        return int(4000 + 4 * self.batch_size * numbers / 1e6)

    def strides(self) -> tuple[int, ...]:
        """Return by how much every block divides the frames."""
        blocks = range(1, len(self.widths) + 1)
        return tuple(2 if block in self.halve_at else 1 for block in blocks)


Options = CtrGcnOptions
