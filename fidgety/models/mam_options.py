"""Options of ``kind: mam_clip``, apart from PyTorch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fidgety.config.base import Section

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]

TEMPORAL_KERNEL = 10
TEMPORAL_PASSES = 2

#: Why the published weights score nobody's own poses.
UNKNOWN_STANDARDISATION = (
    "The published weights belong to positions standardised by the mean and standard deviation of "
    "their authors' training infants, which were not published: on your own poses their output "
    "means nothing. Train on your own infants; `python -m fidgety.models.mam_published` scores "
    "the published clips."
)

Input = Literal["differences", "coordinates", "velocities", "accelerations"]
#: Feature set of each input, without the number of its dimensions.
INPUT_SETS: dict[str, str] = {
    "differences": "coordinates",
    "coordinates": "coordinates",
    "velocities": "velocities",
    "accelerations": "accelerations",
}


class MamClipOptions(Section):
    """Options of ``kind: mam_clip``."""

    coordinates: Literal["coordinates_3d", "coordinates_2d"] = "coordinates_3d"
    """Feature set with the joints' positions."""
    inputs: Annotated[tuple[Input, ...], Field(min_length=1)] = ("differences",)
    """What is read of the joints: ``differences`` of their positions, the paper's distance
    matrices; or, to compare as its Supplementary Table 1 does, each joint's own ``coordinates``,
    ``velocities``, ``accelerations``, or several of these. Feature sets of that name, in 2D or 3D
    as ``coordinates`` says, must be in ``features.sets``."""
    rate_hz: Rate = 25.0
    """Frame rate of the series."""
    window_s: Seconds = 9.6
    """Length of an instance."""
    step_s: Seconds = 2.4
    """Distance between instances in training (60 frames, as the released clips)."""
    predict_step_s: Seconds = 6.0
    """Distance between instances in validation and prediction (150 frames, the experts' step),
    which the frequency of fidgety movements is counted with."""
    centre: bool = True
    """Subtract every recording's own mean: less of the posture, all of the movement. The paper
    does not; with tens of infants, networks otherwise learn postures by heart."""
    variant: Literal["released", "paper"] = "released"
    """``released``: differences to the 16 other joints, two temporal convolutions; ``paper``: the
    whole matrix, no temporal convolution."""
    differences: Literal["signed", "absolute"] = "signed"
    """``signed`` as released, ``absolute`` distances a dimension as the paper writes."""
    share_weights: bool = True
    """Spatial and temporal Transformer are one (the code), or of identical structure only."""
    published_weights: str | None = None
    """Refused, with the reason: the published clip weights (``clip_only.pth``) belong to poses of
    an unknown standardisation. docs/mam.md says how the published clips are scored with them."""
    width: Positive = 64
    """Width of all layers."""
    heads: Positive = 4
    """Attention heads."""
    encoder_layers: Annotated[int, Field(ge=1, le=100)] = 2
    """Layers of a Transformer encoder (the released weights have 1)."""
    feed_forward: Positive = 256
    """Width of its feed-forward part (the released weights have 2048)."""
    pool_widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (64, 32)
    """Hidden layers of the attention pooling (the released weights have 64 alone)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Behind convolutions and position code (0.6 in the code). Much of it shifts what the network
    says without dropout from what it learned with it: see docs/mam.md."""
    frame_stride: Positive = 5
    """Embed every k-th frame: 1 as published. It must divide both steps in frames."""
    bag_softmax: bool = True
    """Softmax over the pooled clip probabilities (the paper). It keeps the infant's probability
    between 0.27 and 0.73 with two classes, which bounds the loss of a confident error; without
    it, the probability is the weighted mean itself."""
    bag_instances: Positive = 16
    """Longest run of a bag's instances in a training batch."""
    bags_per_class: Positive = 1
    """Bags of each class in a training batch."""
    optimiser: Literal["adam", "sgd_cyclic"] = "adam"
    """``sgd_cyclic`` as published: Nesterov momentum 0.9, CyclicLR (triangular2, 1e-5 to the
    learning rate, half a cycle 20 epochs)."""
    learning_rate: Rate = 1e-3
    """The highest one."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """L2 penalty."""
    min_steps: Positive = 8
    """Batches an epoch, at least: the bags of small cohorts come round more often."""
    epochs: Positive = 40
    """At most (300 in the paper)."""
    patience: Positive = 10
    """Epochs without a validation loss that is lower by 0.001."""
    blind_epochs: Positive = 20
    """Epochs where there are too few infants for validation."""
    pretrain_epochs: Annotated[int, Field(ge=0)] = 15
    """Epochs on reference clips (150 in the code); 0 leaves it out."""
    pretrain_run: Positive = 8
    """Neighbouring clips of a recording that are taken together, sharing their frames."""
    pretrain_batch_size: Positive = 2
    """Such runs of each kind in a batch: up to 32 clips, half of each kind, as published."""
    pretrain_learning_rate: Rate = 1e-3
    """Of Adam."""
    pretrain_schedule: Literal["constant", "step"] = "constant"
    """``step``, as published: times 0.6 every 10 epochs."""
    pretrain_stop_loss: Annotated[float, Field(gt=0)] | None = 0.2
    """Stop pre-training when its loss is lower; null runs all epochs."""
    pretrain_weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """L2 penalty of pre-training."""

    @field_validator("published_weights")
    @classmethod
    def _refuse_published(cls, path: str | None) -> str | None:
        if path is not None:
            raise ValueError(UNKNOWN_STANDARDISATION)
        return path

    @model_validator(mode="after")
    def _check_steps(self) -> MamClipOptions:
        for name in ("step_s", "predict_step_s"):
            frames = round(getattr(self, name) * self.rate_hz)
            if frames < 1 or frames % self.frame_stride:
                raise ValueError(
                    f"{name} is {frames} frames, which frame_stride = {self.frame_stride} "
                    "does not divide"
                )
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError("inputs: one is named twice")
        if "differences" in self.inputs and len(self.inputs) > 1:
            raise ValueError("inputs: differences stand alone")
        if self.width % self.heads or self.width % 2:
            raise ValueError("width must be even and a multiple of heads")
        if round(self.window_s * self.rate_hz) <= self.lost_frames:
            raise ValueError(f"window_s must be more than {self.lost_frames} frames")
        return self

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """Feature sets that the model reads."""
        dimensions = self.coordinates.removeprefix("coordinates")
        return tuple(INPUT_SETS[name] + dimensions for name in self.inputs)

    @property
    def lost_frames(self) -> int:
        """Frames that the temporal convolutions take off an instance."""
        return TEMPORAL_PASSES * (TEMPORAL_KERNEL - 1) if self.variant == "released" else 0


Options = MamClipOptions
