"""Reading of prediction files (schema ``predictions/1``).

One group a model, with dimensions fold, instance and class:

====================  ======================  ============================================
variable              dimensions              content
====================  ======================  ============================================
probability           fold, instance, class   of every fold model for every instance
start_s, stop_s       instance                where the instance lies, seconds
recording             instance                recording that it lies in
infant_probability    fold, class             of the infant
threshold             fold                    chosen on the fold's validation infants
attention             fold, instance          optional: the instance's weight in the bag
====================  ======================  ============================================

Attributes of a group: ``classes`` (JSON), ``status``, ``reason``, ``reason_detail``,
``kind``, ``fms_frequency``. Attributes of the file: ``infant``, ``role``, ``status``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import Outcome, Reason, Status, StorageError
from fidgety.storage import read_outcome

PREDICTIONS_SCHEMA = "predictions/1"


@dataclass(frozen=True)
class ModelPrediction:
    """What one model says of one infant.

    Parameters
    ----------
    outcome
        Whether there is a result; the arrays are empty where there is none.
    classes
        Names in the order of the last axis.
    kind
        Name of the model in the registry.
    folds
        Numbers of the fold models that were asked.
    probability : ndarray of shape (fold, instance, class)
    start_s, stop_s : ndarray of shape (instance,)
    recording
        One a instance.
    infant_probability : ndarray of shape (fold, class)
    threshold : ndarray of shape (fold,)
        Lowest probability of being at risk that counts as positive.
    attention : ndarray of shape (fold, instance), optional
    fms_frequency
        Share of instances with fidgety movements, where the model gives it.
    """

    outcome: Outcome
    classes: tuple[str, ...] = ()
    kind: str = ""
    folds: tuple[int, ...] = ()
    probability: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 0)))
    start_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    stop_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    recording: tuple[str, ...] = ()
    infant_probability: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    threshold: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    attention: NDArray[np.float64] | None = None
    fms_frequency: float = float("nan")


@dataclass(frozen=True)
class InfantPredictions:
    """A prediction file.

    Parameters
    ----------
    infant, role
        Whom it is about.
    outcome
        Status of the infant as a whole.
    models
        One entry a model; empty where the infant as a whole has no result.
    """

    infant: str
    role: str
    outcome: Outcome
    models: Mapping[str, ModelPrediction] = field(default_factory=dict)


def _outcome(attributes: Mapping[str, Any]) -> Outcome:
    reason = str(attributes.get("reason", "") or "")
    return Outcome(
        Status(str(attributes.get("status", Status.OK.value))),
        Reason(reason) if reason else None,
        str(attributes.get("reason_detail", "") or ""),
    )


def _model(dataset: xr.Dataset) -> ModelPrediction:
    outcome = _outcome(dataset.attrs)
    classes = tuple(str(c) for c in json.loads(str(dataset.attrs.get("classes", "[]"))))
    kind = str(dataset.attrs.get("kind", ""))
    if not outcome.ok:
        return ModelPrediction(outcome, classes, kind)
    n_folds = dataset.sizes["fold"]
    numbers = dataset["fold"].values if "fold" in dataset.coords else np.arange(n_folds)
    attention = None
    if "attention" in dataset:
        attention = dataset["attention"].transpose("fold", "instance").values.astype(np.float64)
    return ModelPrediction(
        outcome=outcome,
        classes=classes,
        kind=kind,
        folds=tuple(int(k) for k in numbers),
        probability=dataset["probability"]
        .transpose("fold", "instance", "class")
        .values.astype(np.float64),
        start_s=dataset["start_s"].values.astype(np.float64),
        stop_s=dataset["stop_s"].values.astype(np.float64),
        recording=tuple(str(r) for r in dataset["recording"].values),
        infant_probability=dataset["infant_probability"]
        .transpose("fold", "class")
        .values.astype(np.float64),
        threshold=dataset["threshold"].values.astype(np.float64),
        attention=attention,
        fms_frequency=float(dataset.attrs.get("fms_frequency", np.nan)),
    )


def read_infant(path: str | os.PathLike[str]) -> InfantPredictions:
    """Read a prediction file, whether or not it holds a result.

    Raises
    ------
    StorageError
        If it is not one of ours or damaged.
    """
    outcome = read_outcome(path, PREDICTIONS_SCHEMA)
    try:
        with h5py.File(path, "r") as file:
            attributes = {str(k): v for k, v in file.attrs.items()}
            names = [str(k) for k, item in file.items() if isinstance(item, h5py.Group)]
        models = {}
        for name in sorted(names):
            with xr.open_dataset(path, engine="h5netcdf", group=name) as dataset:
                models[name] = _model(dataset.load())
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{path}: cannot be read ({error}). Delete it and run the workflow again."
        ) from None
    return InfantPredictions(
        infant=str(attributes.get("infant", "")),
        role=str(attributes.get("role", "")),
        outcome=outcome,
        models=models,
    )
