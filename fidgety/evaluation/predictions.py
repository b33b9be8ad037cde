"""An infant's prediction file as evaluation and report take it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from fidgety.errors import Outcome
from fidgety.storage import read_outcome
from fidgety.training.results import (
    PREDICTIONS_SCHEMA,
    ModelPrediction,
    read_predictions,
    read_whom,
)


@dataclass(frozen=True)
class InfantPredictions:
    """What all models say of one infant.

    Parameters
    ----------
    infant, role
        Whom it is about.
    outcome
        ``ok`` if any model has a result.
    models
        Results and reasons by model.
    """

    infant: str
    role: str
    outcome: Outcome
    models: Mapping[str, ModelPrediction] = field(default_factory=dict)


def read_infant(path: str | os.PathLike[str]) -> InfantPredictions:
    """Read a prediction file, whether or not it holds a result.

    Raises
    ------
    StorageError
        If it is not one of ours or damaged.
    """
    outcome = read_outcome(path, PREDICTIONS_SCHEMA)
    infant, role = read_whom(path)
    return InfantPredictions(infant, role, outcome, read_predictions(path))
