"""The contract of a model: what it reads, how it is built, how it is trained.

A published system is one module of this folder with one subclass of :class:`ModelSystem`, and
one line in :mod:`fidgety.models.registry`. The network knows nothing of files, folds or
trainers:

- objective ``instance``: ``network(x)`` takes (instance, frame, feature), of pictures (instance,
  channel, row, column), and gives logits of shape (instance, class). Every instance carries its
  infant's label.
- objective ``bag``: ``network(x, segment, start, bag, n_bags)`` takes a
  :class:`~fidgety.datasets.instances.BagBatch`'s parts and gives a :class:`BagOutput`. Only
  bags carry a label. ``network.prefix_log_probability(batch, output)`` says what a bag's would
  have been had it ended with each of its instances (:func:`judge_prefixes`).

How a system learns is the one thing in which its subclass differs:

- :class:`NetworkSystem`: built with random weights, trained by gradients.
- :class:`EstimatorSystem`: fitted at once on the training instances by whatever method (a
  support vector machine of scikit-learn, random convolutions with a ridge classifier). It gives
  an ``nn.Module`` whose buffers are all that was learned. So it is stored without pickles
  and scored as every network is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, cast

import torch
from pydantic import ValidationError
from torch import nn

from fidgety.config.base import Section
from fidgety.datasets.instances import BagBatch, Draw, InstanceData
from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError
from fidgety.registry import nearest

Objective = Literal["instance", "bag"]
Pool = Literal["mean", "median", "logits", "highest"]
"""How instances' probabilities become an infant's: their mean or median, the mean of their logits,
or those of the instance with the highest risk."""


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


#: Training batches over which batch norm settles, where a system wants that: enough for means that
#: hardly change, few enough to cost little.
SETTLE_BATCHES = 50


@dataclass(frozen=True)
class OptimiserPlan:
    """Optimiser and schedule.

    Parameters
    ----------
    kind
        ``adam``, ``adamw``, or ``sgd`` with Nesterov momentum 0.9.
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

    kind: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "step", "cyclic"] = "constant"
    decay: float = 0.6
    step_epochs: int = 10
    lowest_rate: float = 1e-5


@dataclass(frozen=True)
class JointPlan:
    """Training on reference clips and bags at once (Gao 2023).

    Parameters
    ----------
    clips_per_kind
        Reference clips with and without fidgety movements in a batch.
    triplet, closeness
        Whether these losses are part of the sum.
    margin
        Of the triplet loss.
    """

    clips_per_kind: int = 16
    triplet: bool = True
    closeness: bool = True
    margin: float = 0.4


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
    scattered
        Draw a bag's instances at random over the whole of it, ``bag_instances`` of each, in place
        of a run; so they share no frames.
    class_weights
        Weigh the loss of single instances by inverse frequency of the classes. (Batches of bags
        hold as many of every class.)
    joint
        Bags and reference clips together, where there are clips of both kinds; a bag's instances
        are then scattered.
    settle_batches
        Training batches, at most, over which batch norm takes its running means anew after every
        epoch (:mod:`fidgety.training.norms`); 0 leaves them as training left them.
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
    scattered: bool = False
    class_weights: bool = True
    joint: JointPlan | None = None
    settle_batches: int = 0


class ModelSystem(ABC):
    """One published system; a subclass of :class:`NetworkSystem` or :class:`EstimatorSystem`.

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
    classes_apart
        Whether every class has a score of its own, the sigmoid of an instance's logit, so that an
        instance's probabilities are these scores' shares and say nothing of their size.
    own_loss
        Whether the network says itself what it learns from, in place of cross-entropy: of objective
        ``bag`` by ``bag_losses(batch)``, of shape (bag,); of objective ``instance`` by
        ``instance_losses(x, target)``, of shape (instance,), in training alone.
    libraries
        Distributions that decide its weights, beside torch, lightning and numpy.
    """

    name: ClassVar[str]
    options: ClassVar[type[Section]]
    objective: ClassVar[Objective]
    attention: ClassVar[bool] = False
    detects_fidgety: ClassVar[bool] = False
    classes_apart: ClassVar[bool] = False
    own_loss: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Say what the model reads."""

    @classmethod
    def pool(cls, options: Any) -> Pool:
        """Say, of objective ``instance``, how an infant's score comes from its instances'."""
        return "mean"

    @classmethod
    def reads_info(cls, options: Any) -> bool:
        """Say whether it reads the infant's characteristics beside the features.

        Its options then have ``info_missing``, and its network takes ``info`` with a bag.
        """
        return False

    @classmethod
    @abstractmethod
    def restore(
        cls, options: Any, n_features: int, n_classes: int, weights: Mapping[str, torch.Tensor]
    ) -> nn.Module:
        """Build the network with weights that :func:`weights_of` took from it.

        Raises
        ------
        ValueError
            If names or shapes do not fit exactly.
        """


class NetworkSystem(ModelSystem):
    """A system that is trained by gradients."""

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
    def start(cls, options: Any, network: nn.Module) -> None:
        """Put weights from the user's files into a network that is about to be trained.

        Raises
        ------
        ConfigError
            If a file does not fit the network.
        """

    @classmethod
    @abstractmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Say how the model is trained."""

    @classmethod
    def restore(
        cls, options: Any, n_features: int, n_classes: int, weights: Mapping[str, torch.Tensor]
    ) -> nn.Module:
        """Build the network and put the weights into it."""
        # Without memory first: the options of a bundle's model may ask for more than there is.
        with torch.device("meta"):
            require_weights_of(cls.build(options, n_features, n_classes), weights)
        network = cls.build(options, n_features, n_classes)
        set_weights(network, weights)
        return network


class EstimatorSystem(ModelSystem):
    """A system that is fitted at once, without epochs.

    Its ``fit`` gets instances with their infants' labels, whatever the objective; one of objective
    ``bag`` knows by their series whose they are, and judges bags.
    """

    objective: ClassVar[Objective] = "instance"

    @classmethod
    @abstractmethod
    def fit(
        cls,
        options: Any,
        data: InstanceData,
        draws: Sequence[Draw],
        n_classes: int,
        seed: int,
    ) -> nn.Module:
        """Fit on training instances.

        Parameters
        ----------
        options
            The system's own.
        data
            Training instances, views of their series, standardised if the inputs say so.
        draws
            Which of them are learned from; with augmentation, mirrored ones as well.
        n_classes
            Number of classes; every one has an instance.
        seed
            Seed of the job, for whatever is random.

        Returns
        -------
        nn.Module
            As the objective says; what was learned stands in
            its buffers. The same arguments give the same bytes.

        Raises
        ------
        ConfigError
            If the instances do not fit the method or the memory.
        """


def call_bags(network: nn.Module, batch: BagBatch, n_bags: int) -> BagOutput:
    """Ask a bag model, with the infants' characteristics where they are there."""
    info = {} if batch.info is None else {"info": batch.info}
    return cast(
        BagOutput,
        network(batch.x, batch.segment, batch.start, batch.bag, n_bags=n_bags, **info),
    )


class JudgesPrefixes(Protocol):
    """What a network of objective ``bag`` can do beside judging whole bags."""

    def prefix_log_probability(self, batch: BagBatch, output: BagOutput) -> torch.Tensor:
        """Judge a bag that ends with each of its instances; see :func:`judge_prefixes`."""


def judge_prefixes(network: nn.Module, batch: BagBatch, output: BagOutput) -> torch.Tensor:
    """Say what a bag's probabilities would have been had it ended with each of its instances.

    Parameters
    ----------
    network
        Of objective ``bag``, in evaluation mode.
    batch
        One bag, its instances in the order in which they become known.
    output
        What the network gave for the whole of it.

    Returns
    -------
    Tensor of shape (instance, class)
        Log-probabilities; the last row is the bag's own.
    """
    return cast(JudgesPrefixes, network).prefix_log_probability(batch, output)


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


def _kept(network: nn.Module) -> dict[str, torch.Tensor]:
    kept = set(network.state_dict())
    found: dict[str, torch.Tensor] = dict(network.named_parameters())
    return found | {n: b for n, b in network.named_buffers() if n in kept}


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and kept buffers by name; what is shared stands once."""
    return {name: t.detach().cpu().contiguous() for name, t in _kept(network).items()}


def require_weights_of(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Check that weights fit a network, which may be on no device at all.

    Raises
    ------
    ValueError
        If names or shapes do not fit exactly.
    """
    own = {name: t.shape for name, t in _kept(network).items()}
    if own != {name: t.shape for name, t in weights.items()}:
        raise ValueError("the weights are those of another network")


def set_weights(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put weights into a network.

    Raises
    ------
    ValueError
        If names or shapes do not fit exactly.
    """
    require_weights_of(network, weights)
    network.load_state_dict(dict(weights), strict=False)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trained parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
