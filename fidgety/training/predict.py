"""Prediction: what trained fold models say of one infant.

A development infant is scored by the one fold model that never saw it. All others get every
fold's model; their mean is the ensemble's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fidgety.datasets.characteristics import with_info
from fidgety.datasets.folds import FoldEntry
from fidgety.datasets.series import (
    InputSpec,
    Series,
    load_series,
    require_units,
    take_features,
    without_video,
)
from fidgety.errors import ConfigError, NotAssessable, Outcome, StorageError
from fidgety.training.description import read_description
from fidgety.training.fold_model import FoldModel, load_fold_model
from fidgety.training.results import ModelPrediction, not_assessable
from fidgety.training.score import InstancePool, Scores, score_infant


def choose_models(
    infant: str, entries: Sequence[FoldEntry], paths: Sequence[str | os.PathLike[str]]
) -> dict[str, list[Path]]:
    """Choose the fold models that may score an infant.

    Parameters
    ----------
    infant
        Id.
    entries
        The folds.
    paths
        ``model.json`` of every model and fold.

    Returns
    -------
    dict
        Model to paths, sorted by fold: the infant's own fold for a development infant, else all.

    Raises
    ------
    StorageError
        If a development infant's fold model is missing.
    """
    own_fold = next((e.fold for e in entries if e.infant == infant), None)
    found: dict[str, dict[int, Path]] = {}
    for path in paths:
        description = read_description(path)
        by_fold = found.setdefault(str(description["model"]), {})
        if own_fold is None or int(description["fold"]) == own_fold:
            by_fold[int(description["fold"])] = Path(path)
    for model, by_fold in found.items():
        if not by_fold:
            raise StorageError(
                f"model {model} has no fold {own_fold}, in which infant {infant} is tested. "
                "Run the workflow again from the folds on."
            )
    return {m: [by_fold[k] for k in sorted(by_fold)] for m, by_fold in sorted(found.items())}


def load_recordings(
    recordings: Mapping[str, Path],
    infant: str,
    spec: InputSpec,
    excluded: Mapping[str, NotAssessable] = MappingProxyType({}),
    units: tuple[str, ...] | None = None,
    names: tuple[str, ...] | None = None,
) -> list[Series]:
    """Load the recordings of an infant that have what a model reads.

    Parameters
    ----------
    recordings
        Recording to features file.
    infant
        Id.
    spec
        What the model reads.
    excluded
        Recordings that the study's criteria leave out, with the reason.
    units, names
        Units and features that the model learned from, where they are required.

    Raises
    ------
    NotAssessable
        The first recording's reason, if none has.
    """
    series, problems = [], []
    for recording, path in recordings.items():
        try:
            if recording in excluded:
                raise excluded[recording]
            one = load_series(path, spec, recording=recording, infant=infant)
            if units is not None:
                require_units(one, units, spec.feature_sets)
            series.append(one if names is None else take_features(one, names))
        except NotAssessable as error:
            problems.append(error)
            print(f"{recording}: {error}")
    if not series:
        raise problems[0]
    return series


def _check_unseen(fold_model: FoldModel, infant: str) -> None:
    if infant in fold_model.seen:
        raise ConfigError(
            f"infant {infant} had a part in training {fold_model.model}, fold {fold_model.fold}, "
            "and cannot be assessed by it: give it one role alone in the sample sheet's cohorts."
        )


def informed(
    fold_model: FoldModel, series: Sequence[Series], rows: Mapping[str, Mapping[str, Any]]
) -> list[Series]:
    """Put standardised characteristics beside the movement, where the model reads them.

    Recordings that lack them are left out.

    Raises
    ------
    NotAssessable
        With ``characteristics_missing`` if that are all.
    """
    scaling = fold_model.info_scaling
    if scaling is None:
        return list(series)
    kept, problems = [], []
    for one in series:
        try:
            kept.append(scaling.apply(with_info(one, rows, fold_model.options.info_missing)))  # type: ignore[attr-defined]
        except NotAssessable as error:
            problems.append(error)
            print(f"{one.recording}: {error}")
    if not kept:
        raise problems[0]
    return kept


def _all_features(fold_models: Sequence[FoldModel]) -> tuple[str, ...]:
    """Return the features that any of some fold models reads."""
    return tuple(
        dict.fromkeys(name for fold_model in fold_models for name in fold_model.feature_names)
    )


def predict_model(
    fold_models: Sequence[FoldModel],
    infant: str,
    recordings: Mapping[str, Path],
    excluded: Mapping[str, NotAssessable] = MappingProxyType({}),
    other_units: str = "refuse",
    rows: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    early: bool = True,
) -> ModelPrediction:
    """Score an infant by the fold models of one model.

    Parameters
    ----------
    fold_models
        Fold models.
    infant
        Id.
    recordings
        Recording to features file.
    excluded
        Recordings that the study's criteria leave out, with the reason.
    other_units
        ``refuse`` or ``accept`` features in other units than a model learned from.
    rows
        Recording to the infant's characteristics, for models that read them.
    early
        Whether to say, too, what was known at every instance's end.

    Raises
    ------
    ConfigError
        If the infant had a part in a model's training.
    StorageError
        If the features are not those that a model was trained on.
    """
    first = fold_models[0]
    for fold_model in fold_models:
        _check_unseen(fold_model, infant)
    try:
        units = first.units if other_units == "refuse" else None
        series = load_recordings(
            recordings, infant, first.spec, excluded, units, _all_features(fold_models)
        )
        scores: list[Scores] = []
        for fold_model in fold_models:
            own = [
                take_features(s, fold_model.feature_names)
                for s in informed(fold_model, series, rows)
            ]
            scaled = [fold_model.standardisation.apply_to(s) for s in own]
            scores.append(
                score_infant(
                    fold_model.network,
                    fold_model.system,
                    fold_model.spec,
                    scaled,
                    fold_model.pooling,
                    InstancePool(
                        fold_model.system.pool(fold_model.options), tuple(fold_model.at_risk)
                    ),
                    early=early,
                )
            )
    except NotAssessable as error:
        return not_assessable(error, first.kind, first.classes, first.at_risk)
    one = scores[0]
    sources = tuple(one.recording_probability)
    attention = [s.attention for s in scores if s.attention is not None]
    apart = [s.class_score for s in scores if s.class_score is not None]
    return ModelPrediction(
        outcome=Outcome(),
        kind=first.kind,
        classes=first.classes,
        at_risk=first.at_risk,
        pooling=first.pooling,
        folds=tuple(b.fold for b in fold_models),
        probability=np.stack([s.probability for s in scores]),
        start_s=one.start_s,
        stop_s=one.stop_s,
        recording=one.recording,
        infant_probability=np.stack([s.infant_probability for s in scores]),
        recording_probability=np.stack(
            [np.stack([s.recording_probability[r] for r in sources]) for s in scores]
        ),
        sources=sources,
        threshold=np.array([b.threshold for b in fold_models]),
        attention=np.stack(attention) if attention else None,
        class_score=np.stack(apart) if apart else None,
        early_probability=np.stack([s.early for s in scores if s.early is not None])
        if early
        else None,
        seen_s=one.seen_s,
        detects_fidgety=first.system.detects_fidgety,
    )


def predict_infant(
    infant: str,
    recordings: Mapping[str, Path],
    entries: Sequence[FoldEntry],
    models: Sequence[str | os.PathLike[str]],
    excluded: Mapping[str, NotAssessable] = MappingProxyType({}),
    other_units: str = "refuse",
    rows: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    pixels: Mapping[str, Path] = MappingProxyType({}),
) -> dict[str, ModelPrediction]:
    """Score an infant by every model.

    Parameters
    ----------
    infant
        Id.
    recordings
        Recording to features file, in the order of the sheet.
    entries
        The folds.
    models
        ``model.json`` of every model and fold; the weights lie beside.
    excluded
        Recordings that the study's criteria leave out, with the reason.
    other_units
        ``refuse`` or ``accept`` features in other units than a model learned from.
    rows
        Recording to the infant's characteristics, for models that read them.
    pixels
        Recording to its file of crops and flow, for models of pictures; of recordings with a video.

    Returns
    -------
    dict
        Model to its prediction, or to the reason why there is none.
    """
    found = {}
    for model, paths in choose_models(infant, entries, models).items():
        fold_models = [load_fold_model(path) for path in paths]
        sources, out = recordings, dict(excluded)
        if fold_models[0].spec.pixels:
            sources = {name: pixels.get(name, path) for name, path in recordings.items()}
            out = {name: without_video() for name in recordings if name not in pixels} | out
        found[model] = predict_model(fold_models, infant, sources, out, other_units, rows)
    return found
