"""Small input files as the stages before evaluation write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.storage import Provenance
from fidgety.training.results import ModelPrediction, write_predictions
from fidgety.training.results import not_assessable as failed

CLASSES = ("normal", "risk")
#: What the rule `evaluate` writes.
EVALUATION_FILES = {
    "summary": "summary.json",
    "metrics": "metrics.tsv",
    "infants": "infants.tsv",
    "roc": "roc.tsv",
    "calibration": "calibration.tsv",
    "benefit": "net_benefit.tsv",
    "characteristics": "characteristics.tsv",
    "frequency": "fms_frequency.tsv",
    "quality": "quality.tsv",
    "reasons": "not_assessable.tsv",
    "roc_figure": "roc.svg",
    "calibration_figure": "calibration.svg",
    "benefit_figure": "net_benefit.svg",
    "frequency_figure": "fms_frequency.svg",
    "quality_figure": "quality.svg",
}


@dataclass
class Bag(dict):
    """Stands in for Snakemake's named lists: attributes, items and ``get``."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.__dict__.update(values)


def snakemake(**parts: Mapping[str, Any]) -> SimpleNamespace:
    """Stand in for the object that scripts are given."""
    names = ("input", "output", "params", "wildcards")
    return SimpleNamespace(**{n: Bag(**parts.get(n, {})) for n in names}, threads=1)


def model_group(
    infant_probability: np.ndarray | Sequence[Sequence[float]],
    threshold: Sequence[float] | None = None,
    *,
    classes: Sequence[str] = CLASSES,
    at_risk: Sequence[bool] = (False, True),
    folds: Sequence[int] | None = None,
    recordings: Sequence[str] = ("r1",),
    n_instances: int = 5,
    error: NotAssessable | None = None,
    kind: str = "cnn1d",
    detects_fidgety: bool = False,
    attention: bool = False,
) -> ModelPrediction:
    """One model's prediction: instances of 10 s every 5 s of each recording."""
    if error is not None:
        return failed(error, kind, tuple(classes), tuple(at_risk))
    infant = np.asarray(infant_probability, dtype=float)
    n_folds, n_classes = infant.shape
    n = n_instances * len(recordings)
    wave = 0.2 * np.sin(np.arange(n))[None, :, None]
    probability = np.repeat(infant[:, None], n, axis=1)
    probability = np.clip(probability + wave * np.linspace(-1, 1, n_classes), 0.01, 0.99)
    probability /= probability.sum(axis=2, keepdims=True)
    start = np.tile(5.0 * np.arange(n_instances), len(recordings))
    return ModelPrediction(
        Outcome(),
        kind,
        tuple(classes),
        tuple(at_risk),
        folds=tuple(folds or range(1, n_folds + 1)),
        probability=probability,
        start_s=start,
        stop_s=start + 10.0,
        recording=tuple(np.repeat(recordings, n_instances)),
        infant_probability=infant,
        recording_probability=np.repeat(infant[:, None], len(recordings), axis=1),
        sources=tuple(recordings),
        threshold=np.asarray(threshold or [0.5] * n_folds, dtype=float),
        attention=np.full((n_folds, n), 1 / n) if attention else None,
        detects_fidgety=detects_fidgety,
    )


def write_infant(
    folder: Path,
    infant: str,
    role: str,
    models: Mapping[str, ModelPrediction] | None = None,
    error: NotAssessable | None = None,
    names: Sequence[str] = ("a",),
) -> Path:
    """A whole prediction file; with ``error`` no model has a result."""
    path = folder / f"{infant}.h5"
    if error is not None:
        models = {name: model_group([], error=error) for name in names}
    write_predictions(path, models or {}, infant=infant, role=role, provenance=Provenance())
    return path


def cohort_row(recording: str, infant: str, role: str, label: str, **more: Any) -> dict[str, Any]:
    """One row of a cohort table."""
    row: dict[str, Any] = {
        "recording": recording,
        "infant": infant,
        "cohort": f"phantom-{role}",
        "role": role,
        "label": label,
        "status": "ok",
        "reason": "",
        "reason_detail": "",
        "duration_s": 30.0,
        "measured": 0.93,
        "imputed": 0.05,
        "missing": 0.02,
        "longest_gap_s": 0.4,
        "corrected": 0.0,
        "swaps_undone": 1,
        "sex": "female",
        "corrected_age_weeks": 12,
    }
    return row | more


def not_assessable(reason: Reason, detail: str = "") -> dict[str, str]:
    """The columns of a row without a result."""
    return {"status": "not assessable", "reason": reason.value, "reason_detail": detail}


def write_cohort(folder: Path, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Cohort tables, one a role."""
    table = pd.DataFrame(list(rows))
    paths = []
    for role, own in table.groupby("role"):
        path = folder / f"{role}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        own.to_csv(path, sep="\t", index=False)
        paths.append(path)
    return paths
