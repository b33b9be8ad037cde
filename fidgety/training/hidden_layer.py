"""Held-out snippets in a network's last hidden layer (schema ``hidden-layer/1``): Figure 3B.

One group a fold, ``fold-1`` and so on:

=============  ====================  =========================================================
variable       dimensions            content
=============  ====================  =========================================================
embedding      snippet, unit         float32, the last hidden layer
infant         snippet               id; ``recording`` likewise
start_s        snippet               where it begins in its recording, seconds
label          snippet               index of its infant's class
risk           snippet               probability of being at risk
=============  ====================  =========================================================

Snippets are ordered by class, infant, recording and time. Attributes of the file: ``split``,
``leaks``; of a group: ``fold``, ``classes`` and ``at_risk`` (JSON).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from fidgety.datasets.snippet_split import leaks_of
from fidgety.datasets.windows import thin
from fidgety.storage import Provenance, groups, read_dataset, write_dataset
from fidgety.training.risk import risk_probability
from fidgety.training.score import score_instances
from fidgety.training.score_snippets import Asked, FoldCandidates, embed

HIDDEN_LAYER_SCHEMA = "hidden-layer/1"


@dataclass(frozen=True)
class HiddenLayer:
    """Snippets of one fold; see the module for the content.

    Parameters
    ----------
    fold
        Number.
    classes, at_risk
        In the order of ``label``.
    infant, recording
        One a snippet.
    start_s, risk : ndarray of shape (snippet,)
    label : ndarray of shape (snippet,)
    embedding : ndarray of shape (snippet, unit)
    """

    fold: int
    classes: tuple[str, ...]
    at_risk: tuple[bool, ...]
    infant: tuple[str, ...]
    recording: tuple[str, ...]
    start_s: NDArray[np.float64]
    label: NDArray[np.int64]
    risk: NDArray[np.float64]
    embedding: NDArray[np.float32]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which snippets are called at risk and are not, or the other way round."""
        truth = np.array(self.at_risk, dtype=bool)[self.label]
        return np.asarray((self.risk > 0.5) != truth)


def look_at(models: FoldCandidates, candidate: int, asked: Asked, most: int) -> HiddenLayer:
    """Put snippets through a fold's network up to its last hidden layer.

    Parameters
    ----------
    models
        Of the fold.
    candidate
        Index of the one that it chose.
    asked
        Its held-out snippets.
    most
        Snippets that are taken, at most; infants give in equal steps.
    """
    job, fold_model = models.job, models.fold_models[candidate]
    assert fold_model is not None
    table = asked.described()
    table["class"] = [job.classes.index(x) for x in table["label"]]
    # The table's own index says which snippet a row is of.
    table = table.sort_values(["class", "infant", "recording", "start_s"], kind="stable")
    table = table.iloc[thin(list(table["infant"]), most)]
    kept = table.index.to_numpy(dtype=np.int64)
    shown = Asked(asked.series, asked.windows.take(kept))
    probability = np.empty((0, len(job.classes)))
    if len(shown.windows):
        scaled = [fold_model.standardisation.apply_to(s) for s in asked.series]
        with torch.inference_mode():
            probability = score_instances(fold_model.network, scaled, shown.windows)
    return HiddenLayer(
        fold=job.fold,
        classes=job.classes,
        at_risk=job.at_risk,
        infant=tuple(table["infant"]),
        recording=tuple(table["recording"]),
        start_s=table["start_s"].to_numpy(dtype=np.float64),
        label=table["class"].to_numpy(dtype=np.int64),
        risk=risk_probability(probability, job.at_risk),
        embedding=embed(fold_model, shown)
        if len(shown.windows)
        else np.empty((0, 1), dtype=np.float32),
    )


def write_hidden_layers(
    path: str | os.PathLike[str],
    layers: Sequence[HiddenLayer],
    provenance: Provenance,
    *,
    split: str,
) -> None:
    """Write the hidden layers of all folds, whole or not at all."""
    write_dataset(
        path,
        xr.Dataset(attrs={"split": split, "leaks": leaks_of(split)}),
        schema=HIDDEN_LAYER_SCHEMA,
        provenance=provenance,
        groups={f"fold-{layer.fold}": _dataset(layer) for layer in layers},
    )


def _dataset(layer: HiddenLayer) -> xr.Dataset:
    return xr.Dataset(
        {
            "embedding": (("snippet", "unit"), layer.embedding),
            "infant": (("snippet",), np.array(layer.infant, dtype=object)),
            "recording": (("snippet",), np.array(layer.recording, dtype=object)),
            "start_s": (("snippet",), layer.start_s, {"units": "seconds"}),
            "label": (("snippet",), layer.label),
            "risk": (("snippet",), layer.risk),
        },
        attrs={
            "fold": layer.fold,
            "classes": json.dumps(layer.classes),
            "at_risk": json.dumps([int(r) for r in layer.at_risk]),
        },
    )


def _layer(data: xr.Dataset) -> HiddenLayer:
    return HiddenLayer(
        fold=int(data.attrs["fold"]),
        classes=tuple(json.loads(data.attrs["classes"])),
        at_risk=tuple(bool(r) for r in json.loads(data.attrs["at_risk"])),
        infant=tuple(str(i) for i in data["infant"].values),
        recording=tuple(str(r) for r in data["recording"].values),
        start_s=data["start_s"].values,
        label=data["label"].values,
        risk=data["risk"].values,
        embedding=data["embedding"].values,
    )


def read_hidden_layers(path: str | os.PathLike[str]) -> tuple[str, list[HiddenLayer]]:
    """Read the split and the hidden layers of all folds, by fold.

    Raises
    ------
    StorageError
        If it is not one of our files, or has another schema.
    """
    split = str(read_dataset(path, schema=HIDDEN_LAYER_SCHEMA).attrs["split"])
    found = [_layer(read_dataset(path, group=name)) for name in groups(path)]
    return split, sorted(found, key=lambda layer: layer.fold)
