"""Infants with what the sheet and a model say of them, as the stages before hand them on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import NotAssessable, Outcome
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import Assessment, Infant, collect, infants
from fidgety.training.results import ModelPrediction
from tests.evaluation.synthetic import cohort_row, model_group

CLASSES = {"normal": False, "risk": True}


@dataclass(frozen=True)
class Person:
    """An infant of the external cohort, if nothing else is said.

    ``risk`` is the probability of the infant by each model; ``alone`` that of each recording, by
    all models. ``sheet`` are columns of all recordings, ``recordings`` those of each.
    """

    infant: str
    label: str
    risk: float | Mapping[str, float]
    sheet: Mapping[str, Any] = field(default_factory=dict)
    recordings: Sequence[Mapping[str, Any]] = ({},)
    alone: Sequence[float] = ()
    role: str = "external"
    error: NotAssessable | None = None

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the cohort table."""
        return [
            cohort_row(f"{self.infant}-{k}", self.infant, self.role, self.label)
            | {"sex": "", "corrected_age_weeks": ""}
            | dict(self.sheet)
            | dict(own)
            for k, own in enumerate(self.recordings)
        ]

    def prediction(self, model: str) -> ModelPrediction:
        """What a model says."""
        names = [
            f"{self.infant}-{k}"
            for k, own in enumerate(self.recordings)
            if own.get("status", "ok") == "ok"
        ]
        risk = self.risk[model] if isinstance(self.risk, Mapping) else self.risk
        group = model_group([[1 - risk, risk]], recordings=names, error=self.error)
        if not self.alone or self.error:
            return group
        own = np.array([[[1 - p, p] for p in self.alone]])
        return replace(group, recording_probability=own)


@dataclass(frozen=True)
class Study:
    """All that the tables are made of."""

    cohort: pd.DataFrame
    known: list[Infant]
    predictions: list[InfantPredictions]
    records: list[Assessment]


def study(people: Sequence[Person], models: Sequence[str] = ("m",)) -> Study:
    """Bring people into the form that the workflow hands on."""
    rows = [{k: str(v) for k, v in row.items()} for p in people for row in p.rows()]
    cohort = pd.DataFrame(rows).fillna("")
    known = infants(cohort)
    predictions = [
        InfantPredictions(p.infant, p.role, Outcome(), {m: p.prediction(m) for m in models})
        for p in people
    ]
    return Study(
        cohort, known, predictions, collect(known, predictions, models, list(CLASSES.values()))
    )
