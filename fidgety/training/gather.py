"""Whom a fold's model sees: recordings, labels and instances, split and standardised.

The test infants of the fold are never read here. Scaling is fitted on the training infants;
validation infants decide when to stop and where the threshold lies; a reference clip follows its
infant's fold: reference infants that are tested or kept for validation in this fold give none.

The one exception is the published split of Kaur 2025 (:mod:`fidgety.datasets.snippet_split`),
where snippets are split and infants are not: asked for by name, and marked as leaking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.learning import FoldsConfig, ModelConfig, TrainingConfig
from fidgety.datasets.characteristics import InfoScaling, with_info
from fidgety.datasets.folds import FoldEntry, choose_validation
from fidgety.datasets.series import (
    InputSpec,
    Series,
    Standardisation,
    load_series,
    require_units,
    take_features,
    without_video,
)
from fidgety.datasets.shelf import Shelf
from fidgety.datasets.snippet_split import SnippetSplit, split_snippets
from fidgety.datasets.windows import Windows, cut_windows
from fidgety.errors import ConfigError, NotAssessable, RefusedError, Status
from fidgety.files import job_seed
from fidgety.models.base import ModelSystem, NetworkSystem, parse_model_options
from fidgety.models.registry import MODEL_SYSTEMS


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
    shelf: Shelf | None = None,
) -> list[Series]:
    """Load recordings that give an instance in training and in validation; name the others."""
    spec, found = job.spec, []
    for recording, infant in rows:
        if recording not in features and spec.pixels:
            left_out[recording] = str(without_video())
            continue
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
        if all(len(_cut(job, [series], training)) for training in (True, False)):
            found.append(series if shelf is None else shelf.put_series(series))
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
    shelf: Shelf | None = None,
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
        Table of the reference cohorts. Clips of infants that are tested or kept aside, and of a
        site that is left out, are not learned from.
    characteristics
        Recording to the infant's characteristics, for models that read them.
    shelf
        Where the recordings' values lie; None keeps all of them in memory.

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
        return _split_snippets(job, entries, cohort, features, shelf)
    return _split_infants(job, entries, cohort, features, reference, characteristics, shelf)


def load_training(
    job: FoldJob,
    labels: Mapping[str, str],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    left_out: dict[str, str],
    characteristics: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    shelf: Shelf | None = None,
) -> tuple[list[Series], dict[str, str]]:
    """Load the recordings of some infants, all with the same features in the same units.

    Parameters
    ----------
    job
        Which model and fold.
    labels
        Infant to class.
    cohort, features, characteristics, shelf
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
    rows = usable_rows(cohort, set(labels))
    series = load_labelled(rows, labels, features, job, left_out, shelf)
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
    spec = job.spec
    return cut_windows(series, spec.window_frames, spec.step_frames(training), spec.most_windows)


def _split_infants(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    reference: pd.DataFrame | None,
    characteristics: Mapping[str, Mapping[str, Any]],
    shelf: Shelf | None,
) -> FoldData:
    """Split by infant: whoever is tested in this fold is not read."""
    tested = {e.infant for e in entries if e.fold == job.fold}
    left_out: dict[str, str] = {}
    others = {e.infant: e.label for e in entries if e.fold != job.fold}
    series, labels = load_training(job, others, cohort, features, left_out, characteristics, shelf)
    kept_aside = choose_validation(labels, job.folds.validation_share, job.seed, job.fold)
    train = [s for s in series if s.infant not in kept_aside]
    scaling = Standardisation.of(job.spec, train)
    units, names = series[0].units, series[0].names
    references: list[Series] = []
    if reference is not None and _reads_reference(job):
        sites = {e.site for e in entries if e.fold == job.fold} - {""}
        elsewhere = reference[~reference["site"].isin(sites)] if sites else reference
        rows = [
            (recording, infant)
            for recording, infant in usable_rows(elsewhere, None)
            if infant not in tested and infant not in kept_aside
        ]
        references = load_labelled(rows, {}, features, job, left_out, shelf)
        references = keep_alike(references, units, names, job, left_out)
    info = None
    if job.system.reads_info(job.options):
        info = InfoScaling.fit(train, job.options.info_missing)
        series = [info.apply(s) for s in series]
    # Nobody needs the raw values any more, and two copies would not fit.
    train = [scaling.apply_inside(s) for s in series if s.infant not in kept_aside]
    validation = [scaling.apply_inside(s) for s in series if s.infant in kept_aside]
    return FoldData(
        labels={i: label for i, label in labels.items() if i not in kept_aside},
        validation_labels={i: labels[i] for i in kept_aside},
        train=train,
        validation=validation,
        reference=[scaling.apply_inside(s) for s in references],
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
    return snippets, split_snippets(targets_of(job, series, snippets), job.fold, job.snippets)


def _split_snippets(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    shelf: Shelf | None,
) -> FoldData:
    """Split by snippet, as published: every infant stands on both sides."""
    left_out: dict[str, str] = {}
    series, labels = load_training(
        job, {e.infant: e.label for e in entries}, cohort, features, left_out, shelf=shelf
    )
    snippets, (train, validation, _) = snippet_parts(job, series)
    own = snippets.take(train)
    scaling = Standardisation.of(job.spec, series, covered(series, own))
    scaled = [scaling.apply_inside(s) for s in series]
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


def targets_of(job: FoldJob, series: Sequence[Series], windows: Windows) -> NDArray[np.int64]:
    """Return the class of every window: its infant's."""
    per_series = np.array([job.classes.index(s.label) for s in series], dtype=np.int64)
    return per_series[windows.series]
