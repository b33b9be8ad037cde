"""Training of one model for one fold: whom it sees, what it learns, what is kept of it.

The test infants of the fold are never read here. Scaling is fitted on the training infants;
validation infants decide when to stop and where the threshold lies; a reference clip follows its
infant's fold: reference infants that are tested or kept for validation in this fold give none.

The one exception is the published split of Kaur 2025 (:mod:`fidgety.datasets.snippet_split`),
where snippets are split and infants are not: asked for by name, and marked as leaking.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.learning import FoldsConfig, ModelConfig, TrainingConfig
from fidgety.datasets.characteristics import InfoScaling, with_info
from fidgety.datasets.clips import FM, NON_FM, clip_runs, reference_clips
from fidgety.datasets.folds import FoldEntry, choose_validation
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
from fidgety.datasets.series import (
    InputSpec,
    Series,
    Standardisation,
    load_series,
    require_units,
    take_features,
)
from fidgety.datasets.snippet_split import LEAKS, SnippetSplit, split_snippets
from fidgety.datasets.windows import Windows, cut_windows
from fidgety.errors import ConfigError, FidgetyError, NotAssessable, RefusedError, Status
from fidgety.models.base import (
    EstimatorSystem,
    ModelSystem,
    NetworkSystem,
    TrainingPlan,
    count_parameters,
    parse_model_options,
    weights_of,
)
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.storage import job_seed
from fidgety.training.lit import (
    HISTORY_COLUMNS,
    BagClassification,
    Classification,
    ClipPretraining,
    Fitted,
    InstanceClassification,
    JointClassification,
    fit,
)
from fidgety.training.score import Scores, bags_of, score_windows
from fidgety.training.thresholds import choose_threshold, risk_score, validation_loss


@dataclass(frozen=True)
class FoldJob:
    """What decides a fold's model, beside the data.

    Parameters
    ----------
    model, kind
        Name in the configuration, name in the registry.
    system, options
        The published system and its checked options.
    classes, at_risk
        Names in the order of the outputs; for each whether it is at risk.
    fold
        Its infants are tested and not read.
    seed
        Seed of the configuration.
    training, folds, evaluation
        Sections of the configuration.
    snippets
        Split by snippet, as published by Kaur 2025 and leaking; None splits by infant.
    """

    model: str
    kind: str
    system: type[ModelSystem]
    options: Any
    classes: tuple[str, ...]
    at_risk: tuple[bool, ...]
    fold: int
    seed: int
    training: TrainingConfig = field(default_factory=TrainingConfig)
    folds: FoldsConfig = field(default_factory=FoldsConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    snippets: SnippetSplit | None = None

    @classmethod
    def of(
        cls,
        name: str,
        fold: int,
        config: Mapping[str, Any],
        classes: Sequence[Mapping[str, Any]],
        seed: int,
    ) -> FoldJob:
        """Make a job of the sections of the configuration.

        Parameters
        ----------
        name, fold
            Of the model.
        config
            ``model`` (kind, options), ``training``, ``folds``, ``evaluation`` and, where snippets
            are split, ``snippets`` (:class:`SnippetSplit`).
        classes
            Each with name and at_risk.
        seed
            Of the configuration.

        Raises
        ------
        ConfigError
            If the model has no such options.
        """
        model = ModelConfig.model_validate(config["model"])
        system = MODEL_SYSTEMS.get(model.kind)
        split = config.get("snippets")
        return cls(
            model=name,
            kind=model.kind,
            system=system,
            options=parse_model_options(system, model.options, f"models.{name}.options"),
            classes=tuple(str(c["name"]) for c in classes),
            at_risk=tuple(bool(c["at_risk"]) for c in classes),
            fold=fold,
            seed=seed,
            training=TrainingConfig.model_validate(config["training"]),
            folds=FoldsConfig.model_validate(config["folds"]),
            evaluation=EvaluationConfig.model_validate(config["evaluation"]),
            snippets=SnippetSplit(**split) if split else None,
        )

    @property
    def spec(self) -> InputSpec:
        """What the model reads."""
        return self.system.inputs(self.options)

    def job_seed(self, *names: str) -> int:
        """Derive a seed for a part of this job."""
        return job_seed(self.seed, "train", self.model, str(self.fold), *names)


@dataclass(frozen=True)
class FoldData:
    """What a fold's model is made from; all series are standardised.

    Parameters
    ----------
    labels
        Training infant to class; ``validation_labels`` likewise.
    train, validation, reference
        Recordings.
    train_windows, validation_windows
        The instances in them that are learned from and validated on.
    standardisation, feature_names
        Fitted on ``train``.
    units
        Of each feature set.
    left_out
        Infants and recordings that could not be used, and why.
    info_scaling
        Of the infants' characteristics, where the model reads them.
    """

    labels: dict[str, str]
    validation_labels: dict[str, str]
    train: list[Series]
    validation: list[Series]
    reference: list[Series]
    train_windows: Windows
    validation_windows: Windows
    standardisation: Standardisation
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    left_out: dict[str, str]
    info_scaling: InfoScaling | None = None


@dataclass(frozen=True)
class Trained:
    """A fold's model: the network, and what is said of it in ``model.json``."""

    network: nn.Module
    description: dict[str, Any]
    history: pd.DataFrame


def usable_rows(table: pd.DataFrame, infants: set[str] | None) -> list[tuple[str, str]]:
    """Return (recording, infant) of the assessable rows, sorted."""
    usable = table[table["status"] == Status.OK.value]
    rows = {(str(r), str(i)) for r, i in zip(usable["recording"], usable["infant"], strict=True)}
    return sorted(row for row in rows if infants is None or row[1] in infants)


def load_labelled(
    rows: Sequence[tuple[str, str]],
    labels: Mapping[str, str],
    features: Mapping[str, Path],
    job: FoldJob,
    left_out: dict[str, str],
) -> list[Series]:
    """Load recordings that give an instance in training and in validation; name the others."""
    spec, found = job.spec, []
    for recording, infant in rows:
        if recording not in features:
            raise ConfigError(
                f"recording {recording} of the cohort table has no features file among the job's "
                "inputs: run the workflow again from the cohort table on."
            )
        try:
            series = load_series(
                features[recording],
                spec,
                recording=recording,
                infant=infant,
                label=labels.get(infant, ""),
                mirror=job.training.augment_flip,
            )
        except NotAssessable as error:
            left_out[recording] = str(error)
            continue
        if all(
            len(cut_windows([series], spec.window_frames, spec.step_frames(training)))
            for training in (True, False)
        ):
            found.append(series)
        else:
            left_out[recording] = f"no complete window of {spec.window_s:g} s"
    return found


def _most_frequent(found: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the most frequent one, the first in order among equals; empty of nothing."""
    frequency = Counter(found)
    return max(sorted(frequency), key=lambda one: frequency[one], default=())


def keep_alike(
    series: Sequence[Series],
    units: tuple[str, ...],
    names: tuple[str, ...],
    job: FoldJob,
    left_out: dict[str, str],
) -> list[Series]:
    """Keep the recordings that have the model's features in its units; name the others."""
    kept = []
    for one in series:
        try:
            require_units(one, units, job.spec.feature_sets)
            kept.append(take_features(one, names))
        except NotAssessable as error:
            left_out[one.recording] = str(error)
    return kept


def _reads_reference(job: FoldJob) -> bool:
    """Whether the model learns from reference clips."""
    system = job.system
    if not issubclass(system, NetworkSystem):
        return False
    plan = system.training(job.options)
    return plan.pretraining is not None or plan.joint is not None


def gather(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    reference: pd.DataFrame | None = None,
    characteristics: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> FoldData:
    """Load, split and standardise what a fold's model is made from.

    Parameters
    ----------
    job
        Which model and fold.
    entries
        The folds.
    cohort
        Table of the development cohorts: recording, infant, status.
    features
        Recording to features file.
    reference
        Table of the reference cohorts.
    characteristics
        Recording to the infant's characteristics, for models that read them.

    Raises
    ------
    ConfigError
        If labels and classes disagree, or a class has no usable training infant.
    """
    strangers = sorted({e.label for e in entries} - set(job.classes))
    if strangers:
        raise ConfigError(
            f"label {', '.join(strangers)} of the sample sheet is none of the classes "
            f"{', '.join(job.classes)}: correct the sheet or `classes` in config.yaml."
        )
    if job.snippets is not None:
        return _split_snippets(job, entries, cohort, features)
    return _split_infants(job, entries, cohort, features, reference, characteristics)


def load_training(
    job: FoldJob,
    labels: Mapping[str, str],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    left_out: dict[str, str],
    characteristics: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> tuple[list[Series], dict[str, str]]:
    """Load the recordings of some infants, all with the same features in the same units.

    Parameters
    ----------
    job
        Which model and fold.
    labels
        Infant to class.
    cohort, features
        As in :func:`gather`.
    left_out
        Infants and recordings that cannot be used are added, with the reason.

    Returns
    -------
    series : list of Series
        Not yet standardised.
    labels : dict
        Of the infants that are left.
    """
    series = load_labelled(usable_rows(cohort, set(labels)), labels, features, job, left_out)
    # One scaling fits one set of units and of features: the most frequent ones are the model's.
    units = _most_frequent(s.units for s in series)
    names = _most_frequent(s.names for s in series if s.units == units)
    series = keep_alike(series, units, names, job, left_out)
    series = _informed(job, series, characteristics, left_out)
    usable = {s.infant for s in series}
    for infant in sorted(set(labels) - usable):
        # A recording may be called like its infant: its own reason says more.
        left_out.setdefault(infant, "none of its recordings can be used")
    labels = {infant: label for infant, label in labels.items() if infant in usable}
    for name in job.classes:
        if name not in labels.values():
            raise RefusedError(
                f"model {job.model}, fold {job.fold}: no training infant of class {name!r} can be "
                "used. " + "; ".join(f"{k}: {v}" for k, v in left_out.items())
            )
    return series, labels


def _informed(
    job: FoldJob,
    series: Sequence[Series],
    characteristics: Mapping[str, Mapping[str, Any]],
    left_out: dict[str, str],
) -> list[Series]:
    """Put the infants' characteristics beside their movement, where the model reads them."""
    if not job.system.reads_info(job.options):
        return list(series)
    kept = []
    for one in series:
        try:
            kept.append(with_info(one, characteristics, job.options.info_missing))
        except NotAssessable as error:
            left_out[one.recording] = str(error)
    return kept


def _cut(job: FoldJob, series: Sequence[Series], training: bool) -> Windows:
    return cut_windows(series, job.spec.window_frames, job.spec.step_frames(training))


def _split_infants(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    reference: pd.DataFrame | None,
    characteristics: Mapping[str, Mapping[str, Any]],
) -> FoldData:
    """Split by infant: whoever is tested in this fold is not read."""
    tested = {e.infant for e in entries if e.fold == job.fold}
    left_out: dict[str, str] = {}
    others = {e.infant: e.label for e in entries if e.fold != job.fold}
    series, labels = load_training(job, others, cohort, features, left_out, characteristics)
    kept_aside = choose_validation(labels, job.folds.validation_share, job.seed, job.fold)
    train = [s for s in series if s.infant not in kept_aside]
    scaling = Standardisation.fit((s.values for s in train), job.spec.space_dimensions)
    units, names = series[0].units, series[0].names
    references: list[Series] = []
    if reference is not None and _reads_reference(job):
        rows = [
            (recording, infant)
            for recording, infant in usable_rows(reference, None)
            if infant not in tested and infant not in kept_aside
        ]
        references = load_labelled(rows, {}, features, job, left_out)
        references = keep_alike(references, units, names, job, left_out)
    info = None
    if job.system.reads_info(job.options):
        info = InfoScaling.fit(train, job.options.info_missing)
        series = [info.apply(s) for s in series]
    train = [scaling.apply_to(s) for s in series if s.infant not in kept_aside]
    validation = [scaling.apply_to(s) for s in series if s.infant in kept_aside]
    return FoldData(
        labels={i: label for i, label in labels.items() if i not in kept_aside},
        validation_labels={i: labels[i] for i in kept_aside},
        train=train,
        validation=validation,
        reference=[scaling.apply_to(s) for s in references],
        train_windows=_cut(job, train, True),
        validation_windows=_cut(job, validation, False),
        standardisation=scaling,
        feature_names=names,
        units=units,
        left_out=left_out,
        info_scaling=info,
    )


def snippet_parts(
    job: FoldJob, series: Sequence[Series]
) -> tuple[Windows, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Cut the snippets of all infants, and split them without regard to whose they are.

    Returns
    -------
    snippets : Windows
        With the training's overlap.
    parts : tuple of ndarray
        Indices of those for training, validation and test in this fold.
    """
    if job.snippets is None or job.system.objective != "instance":
        raise ConfigError(
            f"model {job.model}: only models of single snippets can be split by snippet."
        )
    snippets = _cut(job, series, True)
    return snippets, split_snippets(_targets(job, series, snippets), job.fold, job.snippets)


def _split_snippets(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
) -> FoldData:
    """Split by snippet, as published: every infant stands on both sides."""
    left_out: dict[str, str] = {}
    series, labels = load_training(
        job, {e.infant: e.label for e in entries}, cohort, features, left_out
    )
    snippets, (train, validation, _) = snippet_parts(job, series)
    own = snippets.take(train)
    scaling = Standardisation.fit(covered(series, own), job.spec.space_dimensions)
    scaled = [scaling.apply_to(s) for s in series]
    kept = snippets.take(validation)
    validated = {series[k].infant for k in kept.series}
    return FoldData(
        labels=labels,
        validation_labels={i: labels[i] for i in sorted(validated)},
        train=scaled,
        validation=scaled,
        reference=[],
        train_windows=own,
        validation_windows=kept,
        standardisation=scaling,
        feature_names=series[0].names,
        units=series[0].units,
        left_out=left_out,
    )


def covered(series: Sequence[Series], windows: Windows) -> list[NDArray[np.float32]]:
    """Return of every series the frames that lie in some window."""
    found = []
    for k, one in enumerate(series):
        # One more at a window's start, one less behind its end: the sum counts who covers.
        change = np.zeros(len(one.values) + 1, dtype=np.int64)
        starts = windows.start[windows.series == k]
        np.add.at(change, starts, 1)
        np.add.at(change, starts + windows.length, -1)
        found.append(one.values[np.cumsum(change[:-1]) > 0])
    return found


def _targets(job: FoldJob, series: Sequence[Series], windows: Windows) -> NDArray[np.int64]:
    per_series = np.array([job.classes.index(s.label) for s in series], dtype=np.int64)
    return per_series[windows.series]


def _fixed_batches(n: int, size: int) -> list[list[Draw]]:
    """Return the batches of a validation epoch: all items in order, never mirrored."""
    draws = [Draw(i) for i in range(n)]
    return [draws[k : k + size] for k in range(0, n, size)]


def _instances(job: FoldJob, series: Sequence[Series], windows: Windows) -> InstanceData:
    """Return the instances of recordings with their infants' labels."""
    return InstanceData(series, windows, _targets(job, series, windows))


def _instance_loaders(
    job: FoldJob, data: FoldData, plan: TrainingPlan
) -> tuple[DataLoader, DataLoader | None, NDArray[np.int64]]:
    train = _instances(job, data.train, data.train_windows)
    sampler = ShuffledBatches(
        len(train), plan.batch_size, job.job_seed("order"), job.training.augment_flip
    )
    loader = DataLoader(train, batch_sampler=sampler)
    if not len(data.validation_windows):
        return loader, None, train.targets
    own = _instances(job, data.validation, data.validation_windows)
    validation = DataLoader(own, batch_sampler=_fixed_batches(len(own), 64))
    return loader, validation, train.targets


def _bag_loaders(
    job: FoldJob, data: FoldData, plan: TrainingPlan
) -> tuple[DataLoader, DataLoader | None, NDArray[np.int64]]:
    pooling = job.evaluation.pooling

    def bags(labels: Mapping[str, str], series: list[Series], windows: Windows) -> BagData:
        infants = sorted(labels)
        groups, owner = bags_of(infants, series, windows, pooling)
        targets = [job.classes.index(labels[infants[o]]) for o in owner]
        return BagData(series, windows, groups, np.array(targets, dtype=np.int64))

    train = bags(data.labels, data.train, data.train_windows)
    sampler = BalancedBatches(
        train.targets,
        plan.batch_size,
        job.job_seed("order"),
        job.training.augment_flip,
        sizes=np.array([len(b) for b in train.bags], dtype=np.int64),
        longest=plan.bag_instances,
        at_least=plan.min_steps,
    )
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=collate_bags)
    if not data.validation:
        return loader, None, train.targets
    own = bags(data.validation_labels, data.validation, data.validation_windows)
    validation = DataLoader(own, batch_sampler=_fixed_batches(len(own), 1), collate_fn=collate_bags)
    return loader, validation, train.targets


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
    clip_data = BagData(data.reference, clips, runs, labels, by_instance=True)
    return fit(
        ClipPretraining(network, _class_weights(2, labels), job.at_risk, plan.optimiser),
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
    clip_data = BagData(data.reference, clips.windows, everything, clips.labels, by_instance=True)
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
) -> _Learned:
    """Train by gradients: on reference clips first, where there are some, then on the labels."""
    plan = system.training(job.options)
    torch.manual_seed(job.job_seed("weights"))
    network = system.build(job.options, len(data.feature_names), len(job.classes))
    clips = _cut_clips(job, data, intervals)
    history: list[dict[str, Any]] = []
    if plan.pretraining is not None and clips.both:
        before = _pretrain(job, data, plan.pretraining, network, clips, work / "pretrain")
        history += before.history
    loaders = _instance_loaders if system.objective == "instance" else _bag_loaders
    train, validation, targets = loaders(job, data, plan)
    objectives: dict[str, type[Classification]] = {
        "instance": InstanceClassification,
        "bag": BagClassification,
    }
    weights = torch.ones(len(job.classes))
    if plan.class_weights:
        weights = _class_weights(len(job.classes), targets)
    module = objectives[system.objective](network, weights, plan.optimiser)
    if plan.joint is not None and clips.both:
        train = _joint_loader(job, data, plan, clips, cast(BagData, train.dataset))
        module = JointClassification(
            network, torch.ones(len(job.classes)), job.at_risk, plan.optimiser, plan.joint
        )
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
            job.system.objective,
            job.spec,
            [data.validation[k] for k in own],
            replace(windows, series=local),
            job.evaluation.pooling,
        )
    return found


def one_loss(scores: Scores, job: FoldJob, label: str) -> float:
    """Return an infant's loss: its instances' mean cross-entropy, or its bag's.

    What an estimator gives is no probability, and its scale differs between kernels and penalties:
    its loss is the share of instances that it puts into a wrong class.
    """
    target = job.classes.index(label)
    if issubclass(job.system, EstimatorSystem):
        return float((scores.probability.argmax(axis=1) != target).mean())
    if job.system.objective == "instance":
        probability = scores.probability[:, target]
    else:
        probability = scores.infant_probability[target : target + 1]
    return float(-np.log(np.maximum(probability, np.finfo(np.float64).tiny)).mean())


def train_fold(
    job: FoldJob, data: FoldData, intervals: Sequence[Mapping[str, Any]], work: Path
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

    Raises
    ------
    FidgetyError
        If training diverges.
    """
    spec, system = job.spec, job.system
    if issubclass(system, NetworkSystem):
        learned = _train_network(job, system, data, intervals, work)
    elif issubclass(system, EstimatorSystem):
        learned = _fit_estimator(job, system, data)
    else:
        raise TypeError(f"{job.kind} is neither trained by gradients nor fitted")
    scores = _score_validation(job, data, learned.network)
    risk = {i: float(risk_score(s.infant_probability, job.at_risk)) for i, s in scores.items()}
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
