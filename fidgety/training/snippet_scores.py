"""What the fold models of one model say of single snippets (schema ``snippet-scores/1``).

One file a model, split, overlap and input of the study of Kaur 2025. Groups ``internal`` (every
development snippet, judged by the fold model that did not learn from it) and ``external`` (every
external snippet, judged by all fold models):

================  ==================================  ==========================================
variable          dimensions                          content
================  ==================================  ==========================================
probability       candidate, judge, snippet, class    float32; one judge in ``internal``, one a
                                                      fold in ``external``
infant            snippet                             id; ``recording`` likewise
start_s           snippet                             where it begins in its recording, seconds
label             snippet                             index of its infant's class
fold              snippet                             ``internal``: the fold that it is tested in
================  ==================================  ==========================================

In the root: ``validation_loss`` and ``threshold`` (candidate, fold), coordinates ``candidate`` (the
combination of options in words, empty for a model without a grid) and ``fold``; attributes
``model``, ``kind``, ``features``, ``split``, ``leaks``, ``overlap_frames``, ``classes`` and
``at_risk`` (JSON), ``left_out`` (JSON: infant or recording to why it has no snippet).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.datasets.snippet_split import leaks_of
from fidgety.storage import Provenance, read_dataset, write_dataset
from fidgety.training.risk import risk_probability
from fidgety.training.select import lowest

SNIPPET_SCORES_SCHEMA = "snippet-scores/1"


@dataclass(frozen=True)
class SnippetSet:
    """Snippets, and what fold models say of them.

    Parameters
    ----------
    infant, recording
        One a snippet.
    start_s : ndarray of shape (snippet,)
    label : ndarray of shape (snippet,)
        Index of the infant's class.
    fold : ndarray of shape (snippet,)
        Fold that the snippet is tested in; 0 of external ones.
    probability : ndarray of shape (candidate, judge, snippet, class), float32
        Internal: one judge, the model of the snippet's fold. External: every fold's model.
    """

    infant: tuple[str, ...]
    recording: tuple[str, ...]
    start_s: NDArray[np.float64]
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    probability: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.infant)


@dataclass(frozen=True)
class SnippetScores:
    """What the fold models of one model say; see the module for the content.

    Parameters
    ----------
    model, kind
        Name in the configuration, name in the registry.
    features
        Name of the input in ``kaur.feature_sets``.
    split
        ``infant`` or ``snippet``.
    overlap
        Frames that neighbouring training snippets share.
    classes, at_risk
        In the order of the last axis.
    candidates
        Combinations of a grid, in words.
    folds
        Numbers of the fold models.
    validation_loss, threshold : ndarray of shape (candidate, fold)
    internal, external
        Snippets of development and of external infants.
    left_out
        Infants and recordings without a snippet, and why.
    """

    model: str
    kind: str
    features: str
    split: str
    overlap: int
    classes: tuple[str, ...]
    at_risk: tuple[bool, ...]
    candidates: tuple[str, ...]
    folds: tuple[int, ...]
    validation_loss: NDArray[np.float64]
    threshold: NDArray[np.float64]
    internal: SnippetSet
    external: SnippetSet
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaks(self) -> str:
        """What is wrong with the split; empty if nothing is."""
        return leaks_of(self.split)

    @property
    def chosen(self) -> NDArray[np.int64]:
        """For every fold the candidate with the lowest validation loss.

        The first of the grid that was trained where a fold has no validation infants.
        """
        found = []
        for loss, threshold in zip(self.validation_loss.T, self.threshold.T, strict=True):
            # A model that was refused has no threshold.
            trained = np.flatnonzero(np.isfinite(threshold))
            found.append(int(trained[lowest(loss[trained])]) if trained.size else 0)
        return np.array(found, dtype=np.int64)

    def _candidate(self, candidate: int | None) -> NDArray[np.int64]:
        """Return the candidate that counts in every fold."""
        if candidate is None:
            return self.chosen
        return np.full(len(self.folds), candidate, dtype=np.int64)

    def _fold_index(self, snippets: SnippetSet) -> NDArray[np.int64]:
        return np.searchsorted(np.array(self.folds), snippets.fold)

    def internal_risk(self, candidate: int | None = None) -> NDArray[np.float64]:
        """Return the probability of being at risk of every development snippet.

        Parameters
        ----------
        candidate
            One of the grid in all folds; None takes what every fold chose on validation data.
        """
        own = self._candidate(candidate)[self._fold_index(self.internal)]
        probability = self.internal.probability[own, 0, np.arange(len(self.internal))]
        return risk_probability(probability, self.at_risk)

    def internal_threshold(self, candidate: int | None = None) -> NDArray[np.float64]:
        """Return for every development snippet the threshold of the model that judged it."""
        index = self._fold_index(self.internal)
        return np.asarray(self.threshold[self._candidate(candidate)[index], index])

    def external_risk(self, candidate: int | None = None) -> NDArray[np.float64]:
        """Return the same of every external snippet by every fold model: (fold, snippet)."""
        folds = np.arange(len(self.folds))
        return risk_probability(
            self.external.probability[self._candidate(candidate), folds], self.at_risk
        )

    def external_threshold(self, candidate: int | None = None) -> NDArray[np.float64]:
        """Return the threshold of every fold model."""
        folds = np.arange(len(self.folds))
        return np.asarray(self.threshold[self._candidate(candidate), folds])


def _set_dataset(snippets: SnippetSet, classes: tuple[str, ...]) -> xr.Dataset:
    return xr.Dataset(
        {
            "probability": (("candidate", "judge", "snippet", "class"), snippets.probability),
            "infant": (("snippet",), np.array(snippets.infant, dtype=object)),
            "recording": (("snippet",), np.array(snippets.recording, dtype=object)),
            "start_s": (("snippet",), snippets.start_s, {"units": "seconds"}),
            "label": (("snippet",), snippets.label),
            "fold": (("snippet",), snippets.fold),
        },
        coords={"class": np.array(classes, dtype=object)},
    )


def write_snippet_scores(
    path: str | os.PathLike[str], scores: SnippetScores, provenance: Provenance
) -> None:
    """Write scores, whole or not at all."""
    root = xr.Dataset(
        {
            "validation_loss": (("candidate", "fold"), scores.validation_loss),
            "threshold": (("candidate", "fold"), scores.threshold),
        },
        coords={
            "candidate": np.array(scores.candidates, dtype=object),
            "fold": np.array(scores.folds, dtype=np.int64),
        },
        attrs={
            "model": scores.model,
            "kind": scores.kind,
            "features": scores.features,
            "split": scores.split,
            "leaks": scores.leaks,
            "overlap_frames": scores.overlap,
            "classes": json.dumps(scores.classes),
            "at_risk": json.dumps([int(r) for r in scores.at_risk]),
            "left_out": json.dumps(dict(scores.left_out), sort_keys=True),
        },
    )
    write_dataset(
        path,
        root,
        schema=SNIPPET_SCORES_SCHEMA,
        provenance=provenance,
        groups={
            "internal": _set_dataset(scores.internal, scores.classes),
            "external": _set_dataset(scores.external, scores.classes),
        },
    )


def _set(data: xr.Dataset) -> SnippetSet:
    return SnippetSet(
        infant=tuple(str(i) for i in data["infant"].values),
        recording=tuple(str(r) for r in data["recording"].values),
        start_s=data["start_s"].values,
        label=data["label"].values,
        fold=data["fold"].values,
        probability=data["probability"].values,
    )


def read_snippet_scores(path: str | os.PathLike[str]) -> SnippetScores:
    """Read scores.

    Raises
    ------
    StorageError
        If it is not one of our files, or has another schema.
    """
    root = read_dataset(path, schema=SNIPPET_SCORES_SCHEMA)
    return SnippetScores(
        model=str(root.attrs["model"]),
        kind=str(root.attrs["kind"]),
        features=str(root.attrs["features"]),
        split=str(root.attrs["split"]),
        overlap=int(root.attrs["overlap_frames"]),
        classes=tuple(json.loads(root.attrs["classes"])),
        at_risk=tuple(bool(r) for r in json.loads(root.attrs["at_risk"])),
        candidates=tuple(str(c) for c in root["candidate"].values),
        folds=tuple(int(k) for k in root["fold"].values),
        validation_loss=root["validation_loss"].values,
        threshold=root["threshold"].values,
        internal=_set(read_dataset(path, group="internal")),
        external=_set(read_dataset(path, group="external")),
        left_out=json.loads(root.attrs["left_out"]),
    )
