"""Ask the fold models of one model about single snippets: the study of Kaur 2025."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fidgety.datasets.folds import FoldEntry
from fidgety.datasets.series import Series, Standardisation
from fidgety.datasets.windows import Windows, cut_windows
from fidgety.errors import Status, StorageError
from fidgety.training.description import read_description, refusal
from fidgety.training.fold_model import FoldModel, load_fold_model
from fidgety.training.gather import (
    FoldJob,
    keep_alike,
    load_labelled,
    load_training,
    snippet_parts,
    usable_rows,
)
from fidgety.training.score import score_instances
from fidgety.training.snippet_scores import SnippetSet


@dataclass(frozen=True)
class FoldCandidates:
    """The models of one fold, one a candidate of the grid, that read the same snippets.

    Parameters
    ----------
    job
        How they were trained; the split and the snippets are theirs.
    fold_models
        In the order of the candidates; None for one that could not be trained.
    refused
        Why, for these; else empty.
    """

    job: FoldJob
    fold_models: tuple[FoldModel | None, ...]
    refused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.trained:
            return
        first = self.trained[0]
        for fold_model in self.trained[1:]:
            same = (fold_model.spec, fold_model.feature_names, fold_model.units, fold_model.fold)
            if same != (first.spec, first.feature_names, first.units, first.fold):
                raise StorageError(
                    f"model {first.model}, fold {first.fold}: its candidates do not read the same "
                    "snippets. Run the workflow again from their training on."
                )

    @property
    def trained(self) -> list[FoldModel]:
        """The models that there are."""
        return [fold_model for fold_model in self.fold_models if fold_model is not None]

    @property
    def signature(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Units and features that they learned from; None if there is no model."""
        return (self.trained[0].units, self.trained[0].feature_names) if self.trained else None

    @property
    def reading(self) -> FoldJob:
        """The job without mirror images, which training alone needs."""
        plain = self.job.training.model_copy(update={"augment_flip": False})
        return replace(self.job, training=plain)


def load_candidates(
    name: str,
    paths: Sequence[str | os.PathLike[str]],
    configs: Sequence[Mapping[str, Any]],
    classes: Sequence[Mapping[str, Any]],
    seed: int,
) -> list[FoldCandidates]:
    """Load a model's candidates in all folds.

    Parameters
    ----------
    name
        Of the model.
    paths
        Their ``model.json``: candidate by candidate, each in all folds.
    configs
        What decided the training of each candidate, as :meth:`FoldJob.of` takes it.
    classes, seed
        Of the configuration.
    """
    reasons = [refusal(path) for path in paths]
    fold_models = [None if r else load_fold_model(p) for p, r in zip(paths, reasons, strict=True)]
    n_folds = len(fold_models) // len(configs)
    found = []
    for k in range(n_folds):
        fold = int(read_description(paths[k])["fold"])
        job = FoldJob.of(name, fold, configs[0], classes, seed)
        found.append(
            FoldCandidates(job, tuple(fold_models[k::n_folds]), tuple(reasons[k::n_folds]))
        )
    return found


def majority(folds: Sequence[FoldCandidates]) -> FoldCandidates | None:
    """Return a fold whose models learned from what most folds' did; None if there is none."""
    signatures = [models.signature for models in folds if models.trained]
    if not signatures:
        return None
    common = max(signatures, key=signatures.count)
    return next(models for models in folds if models.signature == common)


def unusable(table: pd.DataFrame) -> dict[str, str]:
    """Return the recordings of a cohort table that have no result, and why."""
    rows = table[table["status"] != Status.OK.value]
    if "reason" not in rows.columns:
        return {}
    detail = rows["reason_detail"] if "reason_detail" in rows.columns else rows["reason"]
    return {
        str(recording): f"{reason}: {more}" if more and more != reason else str(reason)
        for recording, reason, more in zip(rows["recording"], rows["reason"], detail, strict=True)
    }


@dataclass(frozen=True)
class Asked:
    """Snippets that a model is asked about.

    Parameters
    ----------
    series
        Recordings.
    windows
        The snippets in them.
    n_features
        Values a frame, told where there may be no recording.
    """

    series: list[Series]
    windows: Windows
    n_features: int = 0

    def flattened(self) -> NDArray[np.float32]:
        """Lay the snippets side by side, of shape (snippet, frame x feature)."""
        length = self.windows.length
        n_features = self.series[0].values.shape[1] if self.series else self.n_features
        width = length * n_features
        out = np.empty((len(self.windows), width), dtype=np.float32)
        where = zip(self.windows.series, self.windows.start, strict=True)
        for row, (k, start) in zip(out, where, strict=True):
            row[:] = self.series[int(k)].values[start : start + length].ravel()
        return out

    def described(self) -> pd.DataFrame:
        """Say whose each snippet is and where: infant, recording, start_s, label."""
        own = [self.series[int(k)] for k in self.windows.series]
        starts = zip(own, self.windows.start, strict=True)
        return pd.DataFrame(
            {
                "infant": [s.infant for s in own],
                "recording": [s.recording for s in own],
                "start_s": [s.second(int(frame)) for s, frame in starts],
                "label": [s.label for s in own],
            }
        )


def held_out(
    models: FoldCandidates,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    left_out: dict[str, str],
) -> Asked:
    """Return the development snippets that a fold's models did not learn from.

    Parameters
    ----------
    models
        Of the fold.
    entries
        The folds.
    cohort
        Table of the development cohorts.
    features
        Recording to features file.
    left_out
        Recordings that cannot be used are added, with the reason.
    """
    job = models.reading
    if not models.trained:
        return Asked([], cut_windows([], job.spec.window_frames, 1))
    if job.snippets is not None:
        everybody = {e.infant: e.label for e in entries}
        series, _ = load_training(job, everybody, cohort, features, left_out)
        snippets, (_, _, test) = snippet_parts(job, series)
        return Asked(series, snippets.take(test), len(series[0].names))
    tested = {e.infant: e.label for e in entries if e.fold == job.fold}
    series = _readable(models, usable_rows(cohort, set(tested)), tested, features, left_out)
    spec = job.spec
    return Asked(series, cut_windows(series, spec.window_frames, spec.step_frames(True)))


def fold_snippets(
    job: FoldJob,
    entries: Sequence[FoldEntry],
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
) -> tuple[Asked, Asked]:
    """Return the standardised snippets of a fold split by infant, without any model.

    Parameters
    ----------
    job
        What is read, and the fold.
    entries, cohort, features
        As in :func:`held_out`.

    Returns
    -------
    train, test : Asked
        Of the infants that are learned from (validation included), and of the tested ones.
        Scaling is fitted on the former.
    """
    plain = job.training.model_copy(update={"augment_flip": False})
    job = replace(job, training=plain)
    left_out: dict[str, str] = {}
    others = {e.infant: e.label for e in entries if e.fold != job.fold}
    series, _ = load_training(job, others, cohort, features, left_out)
    tested = {e.infant: e.label for e in entries if e.fold == job.fold}
    rows = usable_rows(cohort, set(tested))
    test = load_labelled(rows, tested, features, job, left_out)
    test = keep_alike(test, series[0].units, series[0].names, job, left_out)
    scaling = Standardisation.of(job.spec, series)
    parts = []
    for part in (series, test):
        scaled = [scaling.apply_to(s) for s in part]
        windows = cut_windows(scaled, job.spec.window_frames, job.spec.step_frames(True))
        parts.append(Asked(scaled, windows, len(series[0].names)))
    return parts[0], parts[1]


def external(
    models: FoldCandidates,
    cohort: pd.DataFrame,
    features: Mapping[str, Path],
    left_out: dict[str, str],
) -> Asked:
    """Return the snippets of external infants, in the steps of prediction.

    Parameters
    ----------
    models
        Of the fold that :func:`majority` gives.
    cohort
        Table of the external cohorts.
    features, left_out
        As in :func:`held_out`.
    """
    labels = {str(i): str(x) for i, x in zip(cohort["infant"], cohort["label"], strict=True) if x}
    for infant in sorted({str(i) for i in cohort["infant"]} - set(labels)):
        left_out[infant] = "has no label to compare with"
    rows = usable_rows(cohort, set(labels))
    series = _readable(models, rows, labels, features, left_out)
    spec = models.job.spec
    return Asked(series, cut_windows(series, spec.window_frames, spec.step_frames(False)))


def _readable(
    models: FoldCandidates,
    rows: Sequence[tuple[str, str]],
    labels: Mapping[str, str],
    features: Mapping[str, Path],
    left_out: dict[str, str],
) -> list[Series]:
    """Load the recordings that have what the models learned from."""
    first = models.trained[0]
    job = models.reading
    series = load_labelled(rows, labels, features, job, left_out)
    return keep_alike(series, first.units, first.feature_names, job, left_out)


def ask(models: FoldCandidates, asked: Asked) -> NDArray[np.float32]:
    """Return every candidate's probabilities, of shape (candidate, snippet, class).

    NaN for a model that could not be trained, or that learned from other features.
    """
    answers = []
    n_classes = len(models.job.classes)
    read = {(s.units, s.names) for s in asked.series}
    for fold_model in models.fold_models:
        strange = fold_model is None or read != {(fold_model.units, fold_model.feature_names)}
        if fold_model is None or strange or not len(asked.windows):
            answers.append(np.full((len(asked.windows), n_classes), np.nan))
            continue
        scaled = [fold_model.standardisation.apply_to(s) for s in asked.series]
        with torch.inference_mode():
            answers.append(score_instances(fold_model.network, scaled, asked.windows))
    return np.stack(answers).astype(np.float32)


def embed(fold_model: FoldModel, asked: Asked) -> NDArray[np.float32]:
    """Return a network's last hidden layer for snippets, of shape (snippet, width).

    Raises
    ------
    StorageError
        If the model has no hidden layer.
    """
    layer = getattr(fold_model.network, "embed", None)
    if layer is None:
        raise StorageError(f"model {fold_model.model} ({fold_model.kind}) has no hidden layer.")
    scaled = [fold_model.standardisation.apply_to(s) for s in asked.series]
    with torch.inference_mode():
        return np.asarray(score_instances(layer, scaled, asked.windows, softmax=False), np.float32)


def one_set(job: FoldJob, asked: Asked, probability: NDArray[np.float32], fold: int) -> SnippetSet:
    """Describe snippets and the answers about them.

    Parameters
    ----------
    job
        For the order of the classes.
    asked
        The snippets.
    probability : ndarray of shape (candidate, judge, snippet, class)
    fold
        Fold that they are tested in; 0 of external ones.
    """
    table = asked.described()
    return SnippetSet(
        infant=tuple(table["infant"]),
        recording=tuple(table["recording"]),
        start_s=table["start_s"].to_numpy(dtype=np.float64),
        label=np.array([job.classes.index(x) for x in table["label"]], dtype=np.int64),
        fold=np.full(len(table), fold, dtype=np.int64),
        probability=probability,
    )


def join_folds(sets: Sequence[SnippetSet]) -> SnippetSet:
    """Put the folds' snippets together, by recording and time."""
    recording = [r for s in sets for r in s.recording]
    start_s = np.concatenate([s.start_s for s in sets])
    order = np.lexsort((start_s, np.array(recording, dtype=object).astype(str)))
    infant = [i for s in sets for i in s.infant]
    return SnippetSet(
        infant=tuple(infant[k] for k in order),
        recording=tuple(recording[k] for k in order),
        start_s=start_s[order],
        label=np.concatenate([s.label for s in sets])[order],
        fold=np.concatenate([s.fold for s in sets])[order],
        probability=np.concatenate([s.probability for s in sets], axis=2)[:, :, order],
    )
