"""Options of ``kind: mam``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from fidgety.models.mam_options import MamClipOptions, Positive

#: What the paper states ("Hyperparameters", "Definition of bag and instance") and, for
#: pre-training, its code. The step of the instances is the experts' (90 frames of overlap).
#: Options that ``kind: mam_clip`` has not are those of the branches that it has not.
PUBLISHED: Mapping[str, Any] = {
    "step_s": 6.0,
    "predict_step_s": 6.0,
    "centre": False,
    "frame_stride": 1,
    "dropout": 0.6,
    "bag_instances": 16,
    "bags_per_class": 1,
    "clips_per_kind": 16,
    "min_steps": 1,
    "optimiser": "sgd_cyclic",
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "epochs": 300,
    "patience": 300,
    "blind_epochs": 300,
    "pretrain_epochs": 150,
    "pretrain_learning_rate": 1e-3,
    "pretrain_weight_decay": 1e-3,
    "pretrain_schedule": "step",
    "pretrain_stop_loss": None,
}


class MamOptions(MamClipOptions):
    """Options of ``kind: mam``: the whole of Gao 2023."""

    preset: Literal["none", "gao2023"] = "none"
    """``gao2023``: the paper's training and frame of reference; keys beside it win over it. The
    other defaults end within minutes on a processor."""
    reference: bool = True
    """The reference branch: joint training with annotated clips, their cross-entropy and the
    triplet loss, and pre-training on them. Without it, the bags are learned from alone."""
    triplet_margin: Annotated[float, Field(ge=0)] = 0.4
    """By which clips of the other kind are to be farther away."""
    closeness: bool = True
    """The closeness loss, which draws instances to the reference clips' centres."""
    clips_per_kind: Positive = 16
    """Reference clips with and without fidgety movements in a batch."""
    pretrain_epochs: Annotated[int, Field(ge=0)] = 60
    """Epochs on reference clips (150 in the code), at most; 0 leaves it out."""
    pretrain_run: Positive = 1
    """Neighbouring clips of a recording that are taken together in pre-training: 1 mixes them."""
    pretrain_batch_size: Positive = 16
    """Such runs of each kind in a batch of pre-training: 32 clips, half of each kind, as
    published."""
    info: bool = True
    """The branch of the infant's sex, gestational age, birth weight and corrected age."""
    info_missing: Literal["exclude", "impute"] = "exclude"
    """An infant without one of them: ``exclude`` gives the reason, as in the paper; ``impute``
    takes the training infants' mean, and a further value a characteristic tells the model so."""
    info_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.6
    """Behind the hidden layer of that branch."""
    fusion: Literal["paper", "mean"] = "mean"
    """How both branches become the infant's probability: ``paper``, softmax of the sum of both
    probabilities; ``mean``, their mean. With two classes and the paper's ``bag_softmax``, the
    first lies between 0.19 and 0.81, the second between 0.13 and 0.87; without it between 0.12
    and 0.88, and between 0 and 1."""

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "gao2023":
            return {**PUBLISHED, **values}
        return values

    @model_validator(mode="after")
    def _check_branches(self) -> MamOptions:
        if self.closeness and not self.reference:
            raise ValueError(
                "closeness needs the reference branch, whose centres it draws to: set closeness "
                "to false as well"
            )
        return self


Options = MamOptions
