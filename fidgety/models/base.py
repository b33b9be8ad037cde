"""The contract of a model: what it reads, how it is built, how it is trained.

A published system is one module of this folder with one subclass of :class:`ModelSystem`, and
one line in :mod:`fidgety.models.registry`. The network knows nothing of files, folds or
trainers:

- objective ``instance``: ``network(x)`` takes (instance, frame, feature) and gives logits of
  shape (instance, class). Every instance carries its infant's label.
- objective ``bag``: ``network(x, segment, start, bag, n_bags)`` takes a
  :class:`~fidgety.datasets.instances.BagBatch`'s parts and gives a :class:`BagOutput`. Only
  bags carry a label.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import ValidationError
from torch import nn

from fidgety.config.base import Section
from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError
from fidgety.registry import nearest

Objective = Literal["instance", "bag"]


class BagOutput(NamedTuple):
    """What a bag model gives.

    Parameters
    ----------
    instance_logits : Tensor of shape (instance, class)
    embedding : Tensor of shape (instance, width)
        Representation of the instance, for losses and explanations that need it.
    attention : Tensor of shape (instance,)
        Weight of the instance in its bag; sums to 1 in each bag.
    bag_log_probability : Tensor of shape (bag, class)
    """

    instance_logits: torch.Tensor
    embedding: torch.Tensor
    attention: torch.Tensor
    bag_log_probability: torch.Tensor


@dataclass(frozen=True)
class OptimiserPlan:
    """Optimiser and schedule.

    Parameters
    ----------
    kind
        ``adam``, or ``sgd`` with Nesterov momentum 0.9.
    learning_rate
        The highest one, where it changes.
    weight_decay
        L2 penalty.
    schedule
        ``constant``; ``step``: times ``decay`` every ``step_epochs`` epochs; ``cyclic``:
        triangular2 between ``lowest_rate`` and ``learning_rate``, half a cycle being
        ``step_epochs`` epochs.
    decay, step_epochs, lowest_rate
        Of the schedule.
    """

    kind: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "step", "cyclic"] = "constant"
    decay: float = 0.6
    step_epochs: int = 10
    lowest_rate: float = 1e-5


@dataclass(frozen=True)
class TrainingPlan:
    """How a model is trained.

    Parameters
    ----------
    epochs
        At most.
    patience
        Epochs without a lower validation loss after which training stops.
    blind_epochs
        Epochs where there are too few infants for validation; the last weights are taken.
    batch_size
        Instances a batch; for bags, bags of each class a batch; in pre-training, runs of
        ``bag_instances`` clips of each kind.
    optimiser
        Optimiser and schedule.
    min_delta
        A validation loss counts as lower if it is so by this much.
    min_steps
        Batches of bags an epoch, at least.
    stop_below
        Training stops when its own loss is below this; only where there is no validation.
    bag_instances
        Longest run of a bag's instances in a training batch; None takes all.
    pretraining
        Training of the instance part on reference clips, where there are any; it runs for its
        ``epochs``.
    """

    epochs: int
    patience: int
    blind_epochs: int
    batch_size: int
    optimiser: OptimiserPlan
    min_delta: float = 0.0
    min_steps: int = 1
    stop_below: float | None = None
    bag_instances: int | None = None
    pretraining: TrainingPlan | None = None


class ModelSystem(ABC):
    """One published system.

    Attributes
    ----------
    name
        As in the registry.
    options
        Pydantic section with the system's own options.
    objective
        What carries the label: instances or bags.
    attention
        Whether instances have a weight in their bag.
    detects_fidgety
        Whether an instance's probability of the classes not at risk is that of fidgety movements
        in it, so that their frequency can be told.
    """

    name: ClassVar[str]
    options: ClassVar[type[Section]]
    objective: ClassVar[Objective]
    attention: ClassVar[bool] = False
    detects_fidgety: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Say what the model reads."""

    @classmethod
    @abstractmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network with fresh weights from torch's random numbers.

        Raises
        ------
        ConfigError
            If the features do not fit the network.
        """

    @classmethod
    @abstractmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Say how the model is trained."""


def parse_model_options(
    system: type[ModelSystem], options: Mapping[str, Any], where: str = "options"
) -> Any:
    """Check a model's options.

    Raises
    ------
    ConfigError
        With one line a finding; unknown keys come with the nearest right name.
    """
    try:
        return system.options.model_validate(dict(options))
    except ValidationError as error:
        known = list(system.options.model_fields)
        lines = []
        for finding in error.errors():
            key = ".".join(str(part) for part in finding["loc"]) or system.name
            if finding["type"] == "extra_forbidden":
                hint = nearest(key, known) or f" Known keys: {', '.join(known)}."
                lines.append(f"{where}.{key}: no such key.{hint}")
            else:
                lines.append(f"{where}.{key}: {finding['msg']} (found {finding['input']!r}).")
        raise ConfigError("\n".join(lines)) from None


def count_parameters(network: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
