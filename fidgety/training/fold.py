"""Training of one model for one fold: what it learns, and what is kept of it.

Whom it sees is the business of :mod:`fidgety.training.gather`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from fidgety.datasets.clips import FM, NON_FM, clip_runs, reference_clips
from fidgety.datasets.instances import (
    BagData,
    BalancedBatches,
    Draw,
    InstanceData,
    JointBatches,
    JointData,
    ShuffledBatches,
    collate_bags,
    only_item,
)
from fidgety.datasets.series import Series
from fidgety.datasets.snippet_split import LEAKS
from fidgety.datasets.windows import Windows
from fidgety.errors import FidgetyError
from fidgety.models.base import (
    EstimatorSystem,
    NetworkSystem,
    TrainingPlan,
    count_parameters,
    weights_of,
)
from fidgety.training.gather import FoldData, FoldJob, targets_of
from fidgety.training.lit import (
    HISTORY_COLUMNS,
    BagClassification,
    Classification,
    ClipPretraining,
    Fitted,
    InstanceClassification,
    JointClassification,
    OwnBagLoss,
    OwnInstanceLoss,
    device_of,
    fit,
)
from fidgety.training.risk import risk_probability
from fidgety.training.score import InstancePool, Scores, bags_of, score_windows
from fidgety.training.thresholds import choose_threshold, validation_loss


@dataclass(frozen=True)
class Trained:
    """A fold's model: the network, and what is said of it in ``model.json``."""

    network: nn.Module
    description: dict[str, Any]
    history: pd.DataFrame


def _fixed_batches(n: int, size: int) -> list[list[Draw]]:
    """Return the batches of a validation epoch: all items in order, never mirrored."""
    draws = [Draw(i) for i in range(n)]
    return [draws[k : k + size] for k in range(0, n, size)]


def _instances(job: FoldJob, series: Sequence[Series], windows: Windows) -> InstanceData:
    """Return the instances of recordings with their infants' labels."""
    return InstanceData(series, windows, targets_of(job, series, windows))


def _instance_loaders(
    job: FoldJob, data: FoldData, plan: TrainingPlan, readers: int
) -> tuple[DataLoader, DataLoader | None, NDArray[np.int64]]:
    train = _instances(job, data.train, data.train_windows)
    sampler = ShuffledBatches(
        len(train), plan.batch_size, job.job_seed("order"), job.training.augment_flip
    )
    # What is in memory needs no readers; clips of pictures are unpacked while the network learns.
    workers = readers if job.spec.pixels else 0
    more: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0}
    loader = DataLoader(train, batch_sampler=sampler, **more)
    if not len(data.validation_windows):
        return loader, None, train.targets
    own = _instances(job, data.validation, data.validation_windows)
    validation = DataLoader(own, batch_sampler=_fixed_batches(len(own), 64), **more)
    return loader, validation, train.targets


def _bag_loaders(
    job: FoldJob, data: FoldData, plan: TrainingPlan, readers: int
) -> tuple[DataLoader, DataLoader | None, NDArray[np.int64]]:
    pooling = job.evaluation.pooling

    def bags(labels: Mapping[str, str], series: list[Series], windows: Windows) -> BagData:
        infants = sorted(labels)
        groups, owner = bags_of(infants, series, windows, pooling)
        targets = [job.classes.index(labels[infants[o]]) for o in owner]
        wanted = np.array(targets, dtype=np.int64)
        return BagData(series, windows, groups, wanted, device=device_of(job.training))

    train = bags(data.labels, data.train, data.train_windows)
    sampler = BalancedBatches(
        train.targets,
        plan.batch_size,
        job.job_seed("order"),
        job.training.augment_flip,
        sizes=np.array([len(b) for b in train.bags], dtype=np.int64),
        longest=plan.bag_instances,
        at_least=plan.min_steps,
        scattered=plan.scattered,
    )
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=collate_bags)
    if not data.validation:
        return loader, None, train.targets
    own = bags(data.validation_labels, data.validation, data.validation_windows)
    validation = DataLoader(own, batch_sampler=_fixed_batches(len(own), 1), collate_fn=collate_bags)
    # Training batches are balanced: the weights are those of validation.
    return loader, validation, own.targets


def _class_weights(n_classes: int, targets: NDArray[np.int64]) -> torch.Tensor:
    """Return inverse frequencies, with mean 1 over the items."""
    count = np.bincount(targets, minlength=n_classes)
    return torch.tensor(len(targets) / (n_classes * np.maximum(count, 1)))


@dataclass(frozen=True)
class _Learned:
    """What training gave.

    Parameters
    ----------
    network
        In evaluation mode.
    history
        One row an epoch.
    epochs, best_epoch, parameters, clips
        As in ``model.json``.
    """

    network: nn.Module
    history: list[dict[str, Any]]
    epochs: int
    best_epoch: int
    parameters: int
    clips: dict[str, int]


@dataclass(frozen=True)
class _Clips:
    """Reference clips.

    Parameters
    ----------
    windows, labels
        From :func:`reference_clips`.
    """

    windows: Windows
    labels: NDArray[np.int64]

    @property
    def count(self) -> dict[str, int]:
        """Number of clips of each kind."""
        return {
            "fm": int((self.labels == FM).sum()),
            "non_fm": int((self.labels == NON_FM).sum()),
        }

    @property
    def both(self) -> bool:
        """Whether there are some of both kinds."""
        return all(self.count.values())


def _cut_clips(job: FoldJob, data: FoldData, intervals: Sequence[Mapping[str, Any]]) -> _Clips:
    """Cut the reference clips and say how many there are."""
    spec = job.spec
    clips = _Clips(
        *reference_clips(data.reference, intervals, spec.window_frames, spec.step_frames(True))
    )
    if data.reference:
        print(
            f"reference clips: {clips.count['fm']} with fidgety movements, "
            f"{clips.count['non_fm']} without",
            file=sys.stderr,
        )
    return clips


def _pretrain(
    job: FoldJob,
    data: FoldData,
    plan: TrainingPlan,
    network: nn.Module,
    reference: _Clips,
    work: Path,
) -> Fitted:
    """Train the clip part on reference clips."""
    clips, labels = reference.windows, reference.labels
    runs, run_labels = clip_runs(clips, labels, plan.bag_instances or len(clips))
    sampler = BalancedBatches(
        run_labels,
        plan.batch_size,
        job.job_seed("clips"),
        job.training.augment_flip,
        at_least=plan.min_steps,
    )
    clip_data = BagData(
        data.reference, clips, runs, labels, by_instance=True, device=device_of(job.training)
    )
    return fit(
        ClipPretraining(network, torch.ones(2), job.at_risk, plan.optimiser),
        DataLoader(clip_data, batch_sampler=sampler, collate_fn=collate_bags),
        None,
        plan,
        job.training,
        stage="pretrain",
        work=work,
        seed=job.job_seed("pretrain"),
    )


def _joint_loader(
    job: FoldJob, data: FoldData, plan: TrainingPlan, clips: _Clips, bags: BagData
) -> DataLoader:
    """Return batches of reference clips and instances of bags."""
    assert plan.joint is not None
    everything = [np.arange(len(clips.windows), dtype=np.int64)]
    clip_data = BagData(
        data.reference,
        clips.windows,
        everything,
        clips.labels,
        by_instance=True,
        device=device_of(job.training),
    )
    sizes = np.array([len(b) for b in bags.bags], dtype=np.int64)
    sampler = JointBatches(
        clips.labels,
        bags.targets,
        sizes,
        per_kind=plan.joint.clips_per_kind,
        per_class=plan.batch_size,
        per_bag=plan.bag_instances or int(sizes.max()),
        seed=job.job_seed("joint"),
        mirror=job.training.augment_flip,
        at_least=plan.min_steps,
    )
    return DataLoader(JointData(clip_data, bags), batch_sampler=sampler, collate_fn=only_item)


def _train_network(
    job: FoldJob,
    system: type[NetworkSystem],
    data: FoldData,
    intervals: Sequence[Mapping[str, Any]],
    work: Path,
    readers: int,
) -> _Learned:
    """Train by gradients: on reference clips first, where there are some, then on the labels."""
    plan = system.training(job.options)
    torch.manual_seed(job.job_seed("weights"))
    network = system.build(job.options, len(data.feature_names), len(job.classes))
    system.start(job.options, network)
    clips = _cut_clips(job, data, intervals)
    history: list[dict[str, Any]] = []
    if plan.pretraining is not None and clips.both:
        before = _pretrain(job, data, plan.pretraining, network, clips, work / "pretrain")
        history += before.history
    loaders = _instance_loaders if system.objective == "instance" else _bag_loaders
    train, validation, targets = loaders(job, data, plan, readers)
    objectives: dict[str, type[Classification]] = {
        "instance": InstanceClassification,
        "bag": BagClassification,
    }
    weights = torch.ones(len(job.classes))
    if plan.class_weights:
        weights = _class_weights(len(job.classes), targets)
    if system.own_loss:
        objectives = {"instance": OwnInstanceLoss, "bag": OwnBagLoss}
    how = objectives[system.objective]
    module = how(network, weights, plan.optimiser)
    if plan.joint is not None and clips.both:
        train = _joint_loader(job, data, plan, clips, cast(BagData, train.dataset))
        module = JointClassification(network, weights, job.at_risk, plan.optimiser, plan.joint)
    elif plan.joint is not None:
        print("no reference clips of both kinds: the bags are learned from alone", file=sys.stderr)
    fitted = fit(
        module,
        train,
        validation,
        plan,
        job.training,
        stage="train",
        work=work / "train",
        seed=job.job_seed("train"),
    )
    network.eval()
    return _Learned(
        network=network,
        history=history + fitted.history,
        epochs=len(fitted.history),
        best_epoch=fitted.best_epoch,
        parameters=count_parameters(network),
        clips=clips.count,
    )


def _fit_estimator(job: FoldJob, system: type[EstimatorSystem], data: FoldData) -> _Learned:
    """Fit at once; with mirroring on, every instance is there in both ways."""
    train = _instances(job, data.train, data.train_windows)
    ways = (False, True) if job.training.augment_flip else (False,)
    draws = [Draw(k, mirrored) for mirrored in ways for k in range(len(train))]
    network = system.fit(job.options, train, draws, len(job.classes), job.job_seed("fit"))
    network.eval()
    kept = weights_of(network)
    if not all(bool(torch.isfinite(t).all()) for t in kept.values()):
        raise FidgetyError(f"model {job.model}: fitting gave numbers that are not finite.")
    how = "with their mirror images" if job.training.augment_flip else "as they are"
    print(f"fitted on {len(train)} instances {how}", file=sys.stderr)
    return _Learned(
        network=network,
        history=[],
        epochs=0,
        best_epoch=0,
        parameters=sum(t.numel() for t in kept.values()),
        clips={"fm": 0, "non_fm": 0},
    )


def _score_validation(job: FoldJob, data: FoldData, network: nn.Module) -> dict[str, Scores]:
    """Score every validation infant by its windows that are for validation."""
    found = {}
    for infant in sorted(data.validation_labels):
        own = [k for k, s in enumerate(data.validation) if s.infant == infant]
        chosen = np.flatnonzero(np.isin(data.validation_windows.series, own))
        windows = data.validation_windows.take(chosen)
        place = {k: i for i, k in enumerate(own)}
        local = np.array([place[int(k)] for k in windows.series], dtype=np.int64)
        found[infant] = score_windows(
            network,
            job.system,
            job.spec,
            [data.validation[k] for k in own],
            replace(windows, series=local),
            job.evaluation.pooling,
            InstancePool(job.system.pool(job.options), tuple(job.at_risk)),
        )
    return found


def one_loss(scores: Scores, job: FoldJob, label: str) -> float:
    """Return an infant's loss: its instances' mean cross-entropy, or its bag's.

    What an estimator gives is no probability, and its scale differs between kernels and penalties:
    its loss is the share of instances that it puts into a wrong class.
    """
    target = job.classes.index(label)
    if issubclass(job.system, EstimatorSystem):
        judged = scores.probability
        if job.system.objective == "bag":
            judged = scores.infant_probability[None]
        return float((judged.argmax(axis=1) != target).mean())
    if job.system.objective == "instance":
        probability = scores.probability[:, target]
    else:
        probability = scores.infant_probability[target : target + 1]
    return float(-np.log(np.maximum(probability, np.finfo(np.float64).tiny)).mean())


def train_fold(
    job: FoldJob,
    data: FoldData,
    intervals: Sequence[Mapping[str, Any]],
    work: Path,
    readers: int = 0,
) -> Trained:
    """Train a fold's model, by gradients or at once, and choose its threshold.

    Parameters
    ----------
    job
        Which model and fold.
    data
        From :func:`gather`.
    intervals
        Rows of the interval table: recording, start_s, end_s, movement, rater.
    work
        Folder for checkpoints, of this very job; an interrupted run is continued from it.
    readers
        Processes that read clips of pictures while the network learns; the result is the same.

    Raises
    ------
    FidgetyError
        If training diverges.
    """
    spec, system = job.spec, job.system
    if issubclass(system, NetworkSystem):
        learned = _train_network(job, system, data, intervals, work, readers)
    elif issubclass(system, EstimatorSystem):
        learned = _fit_estimator(job, system, data)
    else:
        raise TypeError(f"{job.kind} is neither trained by gradients nor fitted")
    scores = _score_validation(job, data, learned.network)
    risk = {
        i: float(risk_probability(s.infant_probability, job.at_risk)) for i, s in scores.items()
    }
    positive = [job.at_risk[job.classes.index(data.validation_labels[i])] for i in risk]
    threshold = choose_threshold(list(risk.values()), positive, job.evaluation)
    print(f"threshold {threshold.value:.3f} ({threshold.rule}: {threshold.detail})")
    description = {
        "model": job.model,
        "kind": job.kind,
        "options": job.options.model_dump(mode="json"),
        "classes": list(job.classes),
        "at_risk": list(job.at_risk),
        "inputs": spec.to_dict(),
        "units": list(data.units),
        "n_features": len(data.feature_names),
        "standardisation": {
            "features": list(data.feature_names),
            "mean": data.standardisation.mean,
            "sd": data.standardisation.sd,
        },
        "info": None if data.info_scaling is None else data.info_scaling.to_dict(),
        "pooling": job.evaluation.pooling,
        "threshold": vars(threshold),
        "split": "infant" if job.snippets is None else "snippet",
        "leaks": "" if job.snippets is None else LEAKS,
        "validation_loss": validation_loss(
            {i: one_loss(s, job, data.validation_labels[i]) for i, s in scores.items()},
            data.validation_labels,
        ),
        "validation": [
            {"infant": i, "label": data.validation_labels[i], "score": risk[i]} for i in risk
        ],
        "training_infants": sorted(data.labels),
        "reference_infants": sorted({s.infant for s in data.reference}),
        "left_out": data.left_out,
        "counts": {
            "train_windows": len(data.train_windows),
            "train_windows_dropped": data.train_windows.dropped,
            "validation_windows": len(data.validation_windows),
            "train_infants": dict(Counter(data.labels.values())),
            "validation_infants": dict(Counter(data.validation_labels.values())),
            "reference_clips": learned.clips,
        },
        "epochs": learned.epochs,
        "best_epoch": learned.best_epoch,
        "parameters": learned.parameters,
        "fold": job.fold,
        "seed": job.seed,
    }
    history = pd.DataFrame(learned.history, columns=list(HISTORY_COLUMNS))
    return Trained(learned.network, description, history)
