"""Lightning modules, one a kind of objective, and the loop around them.

A stage of training writes ``last.ckpt`` and ``best.ckpt`` into a folder of its own after every
epoch. If the job is killed, the next run goes on from ``last.ckpt`` and ends with the very same
weights: everything random in an epoch (order, mirroring, parts of bags, dropout) depends on the
seed and the epoch's number alone. Checkpoints are whole or absent, as all files are; one that a
failing disk has damaged all the same counts as none.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import lightning as L
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from fidgety.config.learning import TrainingConfig
from fidgety.datasets.instances import BagBatch, JointBatch
from fidgety.errors import ConfigError, FidgetyError
from fidgety.faults import machine_fault
from fidgety.files import atomic_path, job_seed
from fidgety.models.base import JointPlan, OptimiserPlan, TrainingPlan, call_bags
from fidgety.models.mam_losses import closeness, triplet
from fidgety.training.norms import SettleNorms

LAST, BEST = "last.ckpt", "best.ckpt"
#: Columns of the history: one row an epoch; none for a model that is fitted at once.
HISTORY_COLUMNS = ("stage", "epoch", "train_loss", "val_loss", "learning_rate")


class Losses(NamedTuple):
    """Losses of a batch's items and the items' weights, both of shape (item,)."""

    loss: torch.Tensor
    weight: torch.Tensor

    def mean(self) -> torch.Tensor:
        """Return the weighted mean."""
        return (self.loss * self.weight).sum() / self.weight.sum()


class Classification(L.LightningModule):
    """What the objectives share: weighted cross-entropy, epoch means, optimiser.

    Parameters
    ----------
    network
        The model.
    class_weights : Tensor of shape (class,)
        Weight of an item by its class.
    optimiser
        Optimiser and schedule.
    """

    def __init__(
        self, network: nn.Module, class_weights: torch.Tensor, optimiser: OptimiserPlan
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("class_weights", class_weights.float(), persistent=False)
        self.class_weights: torch.Tensor
        self.optimiser = optimiser
        self._sums: dict[str, torch.Tensor] = {}

    def losses(self, batch: Any) -> Losses:
        """Return the losses of a batch's items."""
        raise NotImplementedError

    def weighted(self, log_probability: torch.Tensor, target: torch.Tensor) -> Losses:
        """Return the cross-entropy of every item, and its class's weight."""
        loss = nn.functional.nll_loss(log_probability.float(), target, reduction="none")
        return Losses(loss, self.class_weights[target])

    def _step(self, name: str, batch: Any) -> torch.Tensor:
        losses = self.losses(batch)
        self._add(name, (losses.loss * losses.weight).sum(), losses.weight.sum())
        return losses.mean()

    def _add(self, name: str, loss: torch.Tensor, weight: torch.Tensor) -> None:
        """Add to an epoch's mean, on the device: asking a GPU for a number makes it wait."""
        one = torch.stack([loss.detach().double(), weight.detach().double()])
        self._sums[name] = one + self._sums[name].to(one) if name in self._sums else one

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        """Return the loss of a batch."""
        return self._step("train_loss", batch)

    def validation_step(self, batch: Any, index: int) -> None:
        """Add a batch to the validation loss."""
        self._step("val_loss", batch)

    def _start(self, name: str) -> None:
        self._sums.pop(name, None)

    def epoch_loss(self, name: str) -> float:
        """Return the weighted mean over the epoch's items (not batches); NaN if none."""
        total, weight = self._sums[name].tolist() if name in self._sums else (0.0, 0.0)
        return float(total / weight) if weight else math.nan

    def _end(self, name: str) -> None:
        self.log(name, torch.tensor(self.epoch_loss(name)))

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's mean."""
        self._start("train_loss")

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean."""
        self._end("train_loss")

    def on_validation_epoch_start(self) -> None:
        """Begin the epoch's mean."""
        self._start("val_loss")

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's mean."""
        self._end("val_loss")

    def configure_optimizers(self) -> Any:
        """Build optimiser and schedule."""
        plan = self.optimiser
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        optimiser: torch.optim.Optimizer
        if plan.kind in ("adam", "adamw"):
            family = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[plan.kind]
            optimiser = family(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
        else:
            optimiser = torch.optim.SGD(
                parameters,
                lr=plan.learning_rate,
                weight_decay=plan.weight_decay,
                momentum=0.9,
                nesterov=True,
            )
        if plan.schedule == "constant":
            return optimiser
        scheduler: Any
        if plan.schedule == "step":
            scheduler = torch.optim.lr_scheduler.StepLR(optimiser, plan.step_epochs, plan.decay)
        else:
            scheduler = torch.optim.lr_scheduler.CyclicLR(
                optimiser,
                base_lr=plan.lowest_rate,
                max_lr=plan.learning_rate,
                step_size_up=plan.step_epochs,
                mode="triangular2",
                cycle_momentum=False,
            )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler}}


class InstanceClassification(Classification):
    """Every instance carries its infant's label (Kaur 2025)."""

    def losses(self, batch: tuple[torch.Tensor, torch.Tensor]) -> Losses:
        """Return the cross-entropy of every instance."""
        x, target = batch
        return self.weighted(self.network(x).float().log_softmax(dim=1), target)


class OwnInstanceLoss(InstanceClassification):
    """Every instance carries its infant's label, and the network says what it learns from it."""

    def losses(self, batch: tuple[torch.Tensor, torch.Tensor]) -> Losses:
        """Return the network's own loss of every instance; in validation its cross-entropy."""
        if not self.training:
            return super().losses(batch)
        x, target = batch
        loss = self.network.instance_losses(x, target)  # type: ignore[operator]
        return Losses(cast(torch.Tensor, loss).float(), self.class_weights[target])


class BagClassification(Classification):
    """Only bags carry a label (Gao 2023, formula 8 for the main branch).

    The classes' weights are for validation, which takes every bag once; in training the batches
    hold as many bags of every class.
    """

    def weighted(self, log_probability: torch.Tensor, target: torch.Tensor) -> Losses:
        """Return the cross-entropy of every bag, and its class's weight in validation."""
        losses = super().weighted(log_probability, target)
        return losses._replace(weight=torch.ones_like(losses.weight)) if self.training else losses

    def losses(self, batch: BagBatch) -> Losses:
        """Return the cross-entropy of every bag."""
        output = call_bags(self.network, batch, len(batch.target))
        return self.weighted(output.bag_log_probability, batch.target)


class OwnBagLoss(BagClassification):
    """Only bags carry a label, and the network says what it learns from them."""

    def losses(self, batch: BagBatch) -> Losses:
        """Return the network's own loss of every bag."""
        loss = cast(torch.Tensor, self.network.bag_losses(batch)).float()  # type: ignore[operator]
        weight = torch.ones_like(loss) if self.training else self.class_weights[batch.target]
        return Losses(loss, weight)


class ClipPretraining(Classification):
    """Reference clips, with or without fidgety movements (Gao 2023, formula 1).

    Parameters
    ----------
    network
        A bag model.
    class_weights : Tensor of shape (2,)
        Of clips without and with fidgety movements.
    at_risk
        For each class whether it is at risk; the others stand for fidgety movements.
    optimiser
        Optimiser and schedule.
    """

    def __init__(
        self,
        network: nn.Module,
        class_weights: torch.Tensor,
        at_risk: Sequence[bool],
        optimiser: OptimiserPlan,
    ) -> None:
        super().__init__(network, class_weights, optimiser)
        self.at_risk = list(at_risk)

    def losses(self, batch: BagBatch) -> Losses:
        """Return the cross-entropy of every clip; target 1 is fidgety."""
        output = call_bags(self.network, batch, int(batch.bag.max()) + 1)
        log_probability = output.instance_logits.float().log_softmax(dim=1)
        risk = torch.tensor(self.at_risk, device=log_probability.device)
        sides = [log_probability[:, mask].logsumexp(dim=1) for mask in (risk, ~risk)]
        return self.weighted(torch.stack(sides, dim=1), batch.target)


class JointClassification(BagClassification):
    """Bags and reference clips at once (Gao 2023, formula 9).

    The sum, without weights, of the cross-entropy of the bags, the cross-entropy of the reference
    clips, the triplet loss of the clips and the closeness loss of the bags' instances. The epoch's
    training loss is that sum; validation looks at bags alone.

    Parameters
    ----------
    network
        A bag model.
    class_weights : Tensor of shape (class,)
        Of the bags.
    at_risk
        For each class whether it is at risk; the others stand for fidgety movements.
    optimiser
        Optimiser and schedule.
    plan
        Which losses.
    """

    def __init__(
        self,
        network: nn.Module,
        class_weights: torch.Tensor,
        at_risk: Sequence[bool],
        optimiser: OptimiserPlan,
        plan: JointPlan,
    ) -> None:
        super().__init__(network, class_weights, optimiser)
        self.at_risk, self.plan = list(at_risk), plan

    def joint_loss(self, batch: JointBatch) -> torch.Tensor:
        """Return the sum of the losses of a batch."""
        output = call_bags(self.network, batch.bags, batch.n_bags + 1)
        clip = batch.bags.bag == batch.n_bags
        log_probability = output.instance_logits.float().log_softmax(dim=1)
        risk = torch.tensor(self.at_risk, device=log_probability.device)
        sides = torch.stack(
            [log_probability[:, mask].logsumexp(dim=1) for mask in (risk, ~risk)], dim=1
        )
        fidgety = batch.clip_target == 1
        embedding = output.embedding.float()
        total = self.weighted(output.bag_log_probability[:-1], batch.bags.target).mean()
        total = total + nn.functional.nll_loss(sides[clip], batch.clip_target)
        if self.plan.triplet:
            total = total + triplet(embedding[clip], fidgety, self.plan.margin)
        if self.plan.closeness:
            total = total + closeness(
                embedding[~clip], sides[~clip, 1].exp(), embedding[clip], fidgety
            )
        return total

    def training_step(self, batch: JointBatch, index: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss = self.joint_loss(batch)
        self._add("train_loss", loss, torch.ones((), device=loss.device))
        return loss


class Chance(Callback):
    """Make all chance depend on the seed, the epoch and the batch alone.

    Parameters
    ----------
    seed
        Seed of the stage.
    sampler
        What draws the batches; its ``set_epoch`` is called, if it has one. (Lightning itself
        does so for samplers, not for batch samplers.)
    """

    def __init__(self, seed: int, sampler: Any) -> None:
        self.seed, self.sampler = seed, sampler

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Tell the sampler which epoch it is, before it draws."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(trainer.current_epoch)

    def on_train_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed torch's random numbers (dropout)."""
        torch.manual_seed(job_seed(self.seed, str(trainer.current_epoch), str(batch_idx)))


class History(Callback):
    """Keep one row an epoch, through interruptions, and print it as a line of the log."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.rows: list[dict[str, Any]] = []
        self._started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the rows for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows from the checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_save_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note whether early stopping has spoken, and not because a loss was not finite."""
        finite = all(math.isfinite(float(v)) for v in trainer.callback_metrics.values())
        checkpoint["stopped_early"] = bool(trainer.should_stop) and finite

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Look at the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Add the epoch's row."""
        # The module's own hook, which logs these, comes after the callbacks'.
        assert isinstance(module, Classification)
        row = {
            "stage": self.stage,
            "epoch": trainer.current_epoch,
            "train_loss": module.epoch_loss("train_loss"),
            "val_loss": module.epoch_loss("val_loss"),
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
        }
        self.rows.append(row)
        validation = "" if math.isnan(row["val_loss"]) else f", validation {row['val_loss']:.4f}"
        print(
            f"{self.stage} epoch {row['epoch'] + 1} of at most {trainer.max_epochs}: "
            f"loss {row['train_loss']:.4f}{validation}, "
            f"{time.monotonic() - self._started:.1f} s",
            file=sys.stderr,
            flush=True,
        )


@dataclass
class Fitted:
    """Result of a stage.

    Parameters
    ----------
    history
        One row an epoch.
    best_epoch
        Epoch, from 0, whose weights were taken.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0


def accelerator_of(config: TrainingConfig) -> tuple[str, Any]:
    """Return Lightning's accelerator and precision.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none.
    """
    gpu = torch.cuda.is_available()
    if config.device == "gpu" and not gpu:
        raise ConfigError(
            "training.device is 'gpu', but torch finds none: set it to 'auto' or 'cpu', or install "
            "a build of torch for your GPU."
        )
    use_gpu = gpu and config.device != "cpu"
    precision = config.precision
    if precision == "auto":
        precision = "bf16-mixed" if use_gpu else "32"
    return ("gpu" if use_gpu else "cpu"), {"32": "32-true"}.get(precision, precision)


def device_of(config: TrainingConfig) -> torch.device:
    """Return the device that training runs on."""
    return torch.device("cuda" if accelerator_of(config)[0] == "gpu" else "cpu")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's greetings and advice out of the log."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", module="torch.utils.data")
            warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _checkpoint(work: Path, name: str, monitor: str | None) -> ModelCheckpoint:
    """Write a checkpoint after every epoch, or after those with the lowest loss yet."""
    return ModelCheckpoint(
        dirpath=work,
        filename=name.removesuffix(".ckpt"),
        monitor=monitor,
        mode="min",
        save_top_k=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


class WholeCheckpoints(TorchCheckpointIO):
    """Write checkpoints beside their place and rename them.

    Lightning's own way goes through the machine's folder of temporary files, from where moving to
    another disk is copying, which a kill can cut short; and what is learned from infants would lie
    outside the results.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint, whole or not at all.

        Parameters
        ----------
        checkpoint
            What to write.
        path
            File.
        storage_options
            None: files are on disk.
        """
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(checkpoint, file)


def _read_checkpoint(path: Path, *wanted: str) -> dict[str, Any] | None:
    """Return a checkpoint with the wanted keys; None where there is none, or a damaged one.

    A damaged one is named in the log. What the machine lacks is no damage.
    """
    if not path.is_file():
        return None
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
        for key in wanted:
            checkpoint[key]
        return cast(dict[str, Any], checkpoint)
    # A damaged archive of pickles makes torch raise nearly anything.
    except Exception as error:
        if machine_fault(error):
            raise
        print(f"{path}: is damaged ({type(error).__name__}) and counts as none", file=sys.stderr)
        return None


def _interrupted(work: Path, validated: bool) -> dict[str, Any] | None:
    """Return the checkpoint that training goes on from, None where it begins anew.

    It takes the best weights as well, where there is validation: what the last checkpoint says of
    them may not be reached again.
    """
    last = _read_checkpoint(work / LAST, "epoch", "stopped_early", "callbacks", "state_dict")
    if last is not None and validated and _read_checkpoint(work / BEST, "state_dict") is None:
        last = None
    if last is None:
        for name in (LAST, BEST):
            (work / name).unlink(missing_ok=True)
    return last


def _is_finished(checkpoint: dict[str, Any], epochs: int) -> bool:
    """Whether training had come to its end when the checkpoint was written."""
    if int(checkpoint["epoch"]) + 1 >= epochs:
        return True
    return bool(checkpoint["stopped_early"])


def fit(
    module: Classification,
    train: DataLoader,
    validation: DataLoader | None,
    plan: TrainingPlan,
    config: TrainingConfig,
    *,
    stage: str,
    work: Path,
    seed: int,
) -> Fitted:
    """Train, or go on where an interrupted run stopped, and leave the best weights in the module.

    Parameters
    ----------
    module
        What is trained.
    train, validation
        Batches. Without validation, the last epoch's weights are taken, after
        ``plan.blind_epochs`` epochs.
    plan, config
        How, and on what.
    stage
        Name for the log and the history.
    work
        Folder of this stage for checkpoints.
    seed
        Seed of the job.

    Raises
    ------
    FidgetyError
        If the loss or the weights are no longer finite.
    """
    accelerator, precision = accelerator_of(config)
    epochs = plan.epochs if validation is not None else plan.blind_epochs
    history = History(stage)
    own: list[Callback] = [Chance(seed, train.batch_sampler), history]
    if plan.settle_batches:
        own.append(SettleNorms(train, plan.settle_batches, validation is not None))
    if validation is not None:
        own.append(
            EarlyStopping(
                "val_loss",
                min_delta=plan.min_delta,
                patience=plan.patience,
                mode="min",
                check_on_train_epoch_end=True,
            )
        )
        own.append(_checkpoint(work, BEST, monitor="val_loss"))
    elif plan.stop_below is not None:
        own.append(
            EarlyStopping(
                "train_loss",
                stopping_threshold=plan.stop_below,
                patience=epochs,
                mode="min",
                check_on_train_epoch_end=True,
            )
        )
    own.append(_checkpoint(work, LAST, monitor=None))
    last = work / LAST
    checkpoint = _interrupted(work, validation is not None)
    if checkpoint is not None:
        print(f"{stage}: goes on after epoch {int(checkpoint['epoch']) + 1}", file=sys.stderr)
    if checkpoint is None or not _is_finished(checkpoint, epochs):
        with _quiet():
            trainer = L.Trainer(
                max_epochs=epochs,
                accelerator=accelerator,
                devices=1,
                precision=precision,
                callbacks=own,
                plugins=[WholeCheckpoints()],
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                default_root_dir=work,
            )
            trainer.fit(
                module,
                train,
                validation,
                ckpt_path=last if checkpoint is not None else None,
                weights_only=True,
            )
    else:
        history.load_state_dict(checkpoint["callbacks"]["History"])
    # Lightning turns an interruption (Ctrl-C) into a normal end of `fit`; `last` tells.
    checkpoint = torch.load(last, weights_only=True, map_location="cpu")
    if not _is_finished(checkpoint, epochs):
        raise FidgetyError(
            f"{stage}: training stopped after epoch {int(checkpoint['epoch']) + 1}, before its "
            "end. If it was not interrupted, the loss was no longer finite: lower the model's "
            "learning_rate."
        )
    best = checkpoint
    if validation is not None:
        best = torch.load(work / BEST, weights_only=True, map_location="cpu")
    module.load_state_dict(best["state_dict"])
    module.cpu()
    if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
        raise FidgetyError(f"{stage}: weights are not finite: lower the model's learning_rate.")
    return Fitted(history.rows, int(best["epoch"]))
