"""Small input files as the stages before evaluation write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.evaluation.predictions import PREDICTIONS_SCHEMA
from fidgety.storage import Provenance, write_dataset

CLASSES = ("normal", "risk")


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
    infant_probability: np.ndarray,
    threshold: Sequence[float] | None = None,
    *,
    classes: Sequence[str] = CLASSES,
    folds: Sequence[int] | None = None,
    recording: str = "r1",
    n_instances: int = 5,
    outcome: Outcome | None = None,
    kind: str = "cnn1d",
    fms_frequency: float = float("nan"),
) -> xr.Dataset:
    """One model's group of a prediction file."""
    infant_probability = np.asarray(infant_probability, dtype=float)
    attributes = {"classes": json.dumps(list(classes)), "kind": kind, "status": "ok"}
    attributes |= {"reason": "", "reason_detail": "", "fms_frequency": fms_frequency}
    if outcome is not None and not outcome.ok:
        attributes |= {
            "status": outcome.status.value,
            "reason": outcome.reason.value if outcome.reason else "",
            "reason_detail": outcome.detail,
        }
        return xr.Dataset(attrs=attributes)
    n_folds, n_classes = infant_probability.shape
    wave = 0.2 * np.sin(np.arange(n_instances))[None, :, None]
    probability = np.repeat(infant_probability[:, None], n_instances, axis=1)
    probability = np.clip(probability + wave * np.linspace(-1, 1, n_classes), 0.01, 0.99)
    probability /= probability.sum(axis=2, keepdims=True)
    start = 5.0 * np.arange(n_instances)
    return xr.Dataset(
        {
            "probability": (("fold", "instance", "class"), probability),
            "start_s": ("instance", start),
            "stop_s": ("instance", start + 10.0),
            "recording": ("instance", [recording] * n_instances),
            "infant_probability": (("fold", "class"), infant_probability),
            "threshold": ("fold", np.asarray(threshold or [0.5] * n_folds, dtype=float)),
        },
        coords={"fold": ("fold", np.asarray(folds or range(n_folds)))},
        attrs=attributes,
    )


def write_predictions(
    folder: Path,
    infant: str,
    role: str,
    models: Mapping[str, xr.Dataset] | None = None,
    error: NotAssessable | None = None,
) -> Path:
    """A whole prediction file."""
    path = folder / f"{infant}.h5"
    write_dataset(
        path,
        xr.Dataset(attrs={"infant": infant, "role": role}),
        schema=PREDICTIONS_SCHEMA,
        provenance=Provenance(recording=infant),
        outcome=Outcome.of(error) if error else None,
        groups=models or {},
    )
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
