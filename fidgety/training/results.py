"""Prediction files (schema ``predictions/1``): one an infant, one group a model.

=====================  ======================  ===============================================
variable               dimensions              content
=====================  ======================  ===============================================
probability            fold, instance, class   of every fold model for every instance
start_s, stop_s        instance                where the instance lies in its recording, seconds
recording              instance                the recording that it lies in
infant_probability     fold, class             of the infant
recording_probability  fold, source, class     of each recording by itself
source                 source                  ids of these recordings
share_at_risk          fold                    share of instances whose probability of being at
                                               risk is more than 0.5
threshold              fold                    lowest probability of being at risk that counts as
                                               positive; chosen on the fold's validation infants
attention              fold, instance          optional: weight of the instance in its bag
class_score            fold, instance, class   optional: of models that score every class by itself,
                                               these scores, which do not sum to 1
early_probability      fold, instance, class   of the infant, if its recordings ended with the
                                               instance
seen_s                 instance                how long has been watched by then, seconds:
                                               recordings follow one another
=====================  ======================  ===============================================

Coordinates ``fold`` (numbers of the fold models) and ``class`` (names). Attributes of a group:
``kind``, ``status``, ``reason``, ``reason_detail``, ``classes`` (JSON: names), ``at_risk`` (JSON:
indices), ``pooling`` and, where there is a result, ``risk_probability`` and ``positive`` (the
ensemble: mean probability of being at risk over the folds, and whether it reaches the mean
threshold), ``kaur_positive`` (Kaur 2025's rule on the mean probabilities: 0 if MORE than 60 % of
the instances are normal, else 1) and ``fms_frequency`` (share of instances whose mean probability
of fidgety movements is more than 0.5; NaN for models that do not tell). Attributes of the file:
``infant``, ``role``, and the status, which is ``ok`` if any model has a result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Outcome
from fidgety.storage import Provenance, number_of, read_outcome, reading, write_dataset
from fidgety.training.risk import risk_probability

PREDICTIONS_SCHEMA = "predictions/1"
#: An infant is normal if more than this share of its snippets is (Kaur 2025, section 3.3).
KAUR_NORMAL_SHARE = 0.6

_EMPTY = np.empty(0)


@dataclass(frozen=True)
class ModelPrediction:
    """What the fold models of one model say of one infant; see the module for the content.

    Parameters
    ----------
    outcome
        Whether there is a result; the arrays are empty where there is none.
    kind
        Name in the model registry.
    classes, at_risk
        In the order of the last axis.
    pooling
        How recordings were pooled.
    folds
        Numbers of the fold models.
    probability : ndarray of shape (fold, instance, class)
    start_s, stop_s : ndarray of shape (instance,)
    recording
        One an instance.
    infant_probability : ndarray of shape (fold, class)
    recording_probability : ndarray of shape (fold, source, class)
    sources
        Recordings with at least one instance.
    threshold : ndarray of shape (fold,)
    attention : ndarray of shape (fold, instance), optional
    class_score : ndarray of shape (fold, instance, class), optional
    early_probability : ndarray of shape (fold, instance, class), optional
    seen_s : ndarray of shape (instance,), optional
    detects_fidgety
        Whether the probability of the classes not at risk is that of fidgety movements.
    """

    outcome: Outcome
    kind: str
    classes: tuple[str, ...]
    at_risk: tuple[bool, ...]
    pooling: str = "infant"
    folds: tuple[int, ...] = ()
    probability: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 0)))
    start_s: NDArray[np.float64] = field(default_factory=lambda: _EMPTY)
    stop_s: NDArray[np.float64] = field(default_factory=lambda: _EMPTY)
    recording: tuple[str, ...] = ()
    infant_probability: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    recording_probability: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 0)))
    sources: tuple[str, ...] = ()
    threshold: NDArray[np.float64] = field(default_factory=lambda: _EMPTY)
    attention: NDArray[np.float64] | None = None
    class_score: NDArray[np.float64] | None = None
    early_probability: NDArray[np.float64] | None = None
    seen_s: NDArray[np.float64] | None = None
    detects_fidgety: bool = False

    @property
    def instance_risk(self) -> NDArray[np.float64]:
        """Mean over the folds of every instance's probability of being at risk."""
        return risk_probability(self.probability, self.at_risk).mean(axis=0)

    @property
    def share_at_risk(self) -> NDArray[np.float64]:
        """For each fold the share of instances at risk."""
        return (risk_probability(self.probability, self.at_risk) > 0.5).mean(axis=1)

    @property
    def risk_probability(self) -> float:
        """Mean over the folds of the infant's probability of being at risk."""
        return float(risk_probability(self.infant_probability, self.at_risk).mean())

    @property
    def positive(self) -> bool:
        """Decision of the ensemble."""
        return bool(self.risk_probability >= self.threshold.mean())

    @property
    def kaur_positive(self) -> bool:
        """Kaur 2025's infant-level rule; an instance is normal if it is not at risk."""
        normal = float((self.instance_risk <= 0.5).mean())
        return not normal > KAUR_NORMAL_SHARE

    @property
    def fms_frequency(self) -> float:
        """Share of instances with fidgety movements (Gao 2023); NaN if the model tells none."""
        if not self.detects_fidgety or not self.probability.size:
            return float("nan")
        return float((1 - self.instance_risk > 0.5).mean())


def _dataset(prediction: ModelPrediction) -> xr.Dataset:
    outcome = prediction.outcome
    attributes = {
        "kind": prediction.kind,
        "status": outcome.status.value,
        "reason": outcome.reason.value if outcome.reason else "",
        "reason_detail": outcome.detail,
        "classes": json.dumps(prediction.classes),
        "at_risk": json.dumps([k for k, risk in enumerate(prediction.at_risk) if risk]),
        "pooling": prediction.pooling,
        "detects_fidgety": int(prediction.detects_fidgety),
    }
    if not outcome.ok:
        return xr.Dataset(attrs=attributes)
    variables = {
        "probability": (("fold", "instance", "class"), prediction.probability),
        "start_s": (("instance",), prediction.start_s, {"units": "seconds"}),
        "stop_s": (("instance",), prediction.stop_s, {"units": "seconds"}),
        "recording": (("instance",), np.array(prediction.recording, dtype=object)),
        "infant_probability": (("fold", "class"), prediction.infant_probability),
        "recording_probability": (
            ("fold", "source", "class"),
            prediction.recording_probability,
        ),
        "share_at_risk": (("fold",), prediction.share_at_risk),
        "threshold": (("fold",), prediction.threshold),
    }
    for name, dims, values in (
        ("attention", ("fold", "instance"), prediction.attention),
        ("class_score", ("fold", "instance", "class"), prediction.class_score),
        ("early_probability", ("fold", "instance", "class"), prediction.early_probability),
    ):
        if values is not None:
            variables[name] = (dims, values)
    if prediction.seen_s is not None:
        variables["seen_s"] = (("instance",), prediction.seen_s, {"units": "seconds"})
    return xr.Dataset(
        variables,
        coords={
            "fold": np.array(prediction.folds, dtype=np.int64),
            "class": np.array(prediction.classes, dtype=object),
            "source": np.array(prediction.sources, dtype=object),
        },
        attrs={
            **attributes,
            "risk_probability": prediction.risk_probability,
            "positive": int(prediction.positive),
            "kaur_positive": int(prediction.kaur_positive),
            "fms_frequency": prediction.fms_frequency,
        },
    )


def write_predictions(
    path: str | os.PathLike[str],
    predictions: Mapping[str, ModelPrediction],
    *,
    infant: str,
    role: str,
    provenance: Provenance,
) -> None:
    """Write an infant's predictions by model, whole or not at all."""
    outcomes = [p.outcome for _, p in sorted(predictions.items())]
    outcome = next((o for o in outcomes if o.ok), outcomes[0])
    write_dataset(
        path,
        xr.Dataset(attrs={"infant": infant, "role": role}),
        schema=PREDICTIONS_SCHEMA,
        provenance=provenance,
        outcome=outcome,
        groups={name: _dataset(p) for name, p in predictions.items()},
    )


def _values(group: h5py.Group, name: str) -> NDArray[np.float64] | None:
    return np.asarray(group[name][()]) if name in group else None


def _words(group: h5py.Group, name: str) -> tuple[str, ...]:
    return tuple(str(word) for word in group[name].asstr()[()])


def _prediction(group: h5py.Group) -> ModelPrediction:
    attributes = group.attrs
    classes = tuple(str(c) for c in json.loads(attributes["classes"]))
    risky = set(json.loads(attributes["at_risk"]))
    outcome = Outcome.recorded(attributes)
    empty = ModelPrediction(
        outcome=outcome,
        kind=str(attributes["kind"]),
        classes=classes,
        at_risk=tuple(k in risky for k in range(len(classes))),
        pooling=str(attributes["pooling"]),
        detects_fidgety=bool(number_of(group, "detects_fidgety")),
    )
    if not outcome.ok:
        return empty
    return replace(
        empty,
        folds=tuple(int(k) for k in group["fold"][()]),
        probability=group["probability"][()],
        start_s=group["start_s"][()],
        stop_s=group["stop_s"][()],
        recording=_words(group, "recording"),
        infant_probability=group["infant_probability"][()],
        recording_probability=group["recording_probability"][()],
        sources=_words(group, "source"),
        threshold=group["threshold"][()],
        attention=_values(group, "attention"),
        class_score=_values(group, "class_score"),
        early_probability=_values(group, "early_probability"),
        seen_s=_values(group, "seen_s"),
    )


def read_predictions(path: str | os.PathLike[str]) -> dict[str, ModelPrediction]:
    """Read an infant's predictions: model to what it says, results and reasons alike.

    Read with h5py: a study has thousands of such files, and xarray takes a hundred times as long
    to open one.

    Raises
    ------
    StorageError
        If it is not one of our files, or has another schema, or is damaged.
    """
    read_outcome(path, PREDICTIONS_SCHEMA)
    with reading(path), h5py.File(path, "r") as file:
        found = sorted(file.items())
        return {name: _prediction(g) for name, g in found if isinstance(g, h5py.Group)}


def read_whom(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return (infant, role) of a predictions file."""
    with h5py.File(path, "r") as file:
        return str(file.attrs["infant"]), str(file.attrs["role"])


def best_apart(
    prediction: ModelPrediction,
    score: NDArray[np.float64],
    n: int,
    allowed: Sequence[bool] | None = None,
    beside: Sequence[int] = (),
) -> list[int]:
    """Choose the instances with the highest scores, of which no two overlap.

    Parameters
    ----------
    prediction
        Of an infant.
    score : ndarray of shape (instance,)
        The higher, the earlier.
    n
        How many, at most.
    allowed
        For each instance whether it may be chosen; all may where it is left out.
    beside
        Instances that are chosen already, which none may overlap either.

    Returns
    -------
    list of int
        Indices, the highest score first, and the first in time among equals.
    """
    start, stop, recording = prediction.start_s, prediction.stop_s, prediction.recording

    def overlap(a: int, b: int) -> bool:
        same = recording[a] == recording[b]
        return same and bool(start[a] < stop[b] - 1e-6 and start[b] < stop[a] - 1e-6)

    chosen: list[int] = []
    for k in np.argsort(-score, kind="stable").tolist():
        if len(chosen) == n:
            break
        taken = any(overlap(k, other) for other in (*beside, *chosen))
        if (allowed is None or allowed[k]) and not taken:
            chosen.append(k)
    return chosen


def not_assessable(
    error: NotAssessable, kind: str, classes: tuple[str, ...], at_risk: tuple[bool, ...]
) -> ModelPrediction:
    """Make the record of a model that has no result for an infant."""
    return ModelPrediction(Outcome.of(error), kind, classes, at_risk)
