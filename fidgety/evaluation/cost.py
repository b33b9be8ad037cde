"""What models cost: numbers kept, time to train, time to judge; and how much each was tuned.

Times of training are those of the workflow's benchmark files, which a run leaves behind as a
by-product: where one is gone, that fold has no time. They are times by the clock, of whatever else
the machine did beside it.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import StorageError
from fidgety.evaluation.intervals import NAN

COST_COLUMNS = ("model", "measure", "value", "low", "high", "n")
#: Of ``speed.tsv``: one row a model and round, or one without seconds that says why.
SPEED_COLUMNS = ("model", "recording", "minutes", "round", "seconds", "reason")


def benchmark_seconds(path: str | os.PathLike[str]) -> float:
    """Return the seconds that a job took by the clock; NaN without a benchmark of it."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return float(rows[-1]["s"])
    except (OSError, UnicodeDecodeError, IndexError, KeyError, TypeError, ValueError):
        return NAN


def training_seconds(
    files: Mapping[str, Mapping[int, Sequence[str]]],
) -> dict[str, dict[int, float]]:
    """Add up the seconds of every fold's trainings.

    Parameters
    ----------
    files
        Model and fold to the benchmark files of its trainings, one a candidate of its grid.

    Returns
    -------
    dict
        Model and fold to seconds; NaN where a file is missing.
    """
    return {
        model: {fold: math.fsum(map(benchmark_seconds, paths)) for fold, paths in folds.items()}
        for model, folds in files.items()
    }


def read_speed(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read ``speed.tsv``.

    Raises
    ------
    StorageError
        If it is no such table.
    """
    try:
        table = pd.read_csv(
            path,
            sep="\t",
            keep_default_na=False,
            na_values={"seconds": [""]},
            dtype={"model": str, "recording": str, "reason": str},
        )
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read as a table: {error}") from None
    if tuple(table.columns) != SPEED_COLUMNS:
        raise StorageError(
            f"{path}: is not a table with the columns {', '.join(SPEED_COLUMNS)}. "
            "Delete it and run the workflow again."
        )
    return table.astype({"seconds": float})


def _row(model: str, measure: str, values: Sequence[float]) -> tuple[Any, ...]:
    known = [v for v in values if np.isfinite(v)]
    if not known:
        return (model, measure, NAN, NAN, NAN, 0)
    return (model, measure, float(np.median(known)), min(known), max(known), len(known))


def cost_table(
    descriptions: Mapping[str, Mapping[int, Mapping[str, Any]]],
    settings: Mapping[str, int],
    seconds: Mapping[str, Mapping[int, float]],
    speed: pd.DataFrame,
) -> pd.DataFrame:
    """Tabulate what every model costs.

    Parameters
    ----------
    descriptions
        Model and fold to its ``model.json``.
    settings
        Model to how many combinations of options were tried in every fold.
    seconds
        Of :func:`training_seconds`.
    speed
        Columns :data:`SPEED_COLUMNS`.

    Returns
    -------
    DataFrame
        Columns :data:`COST_COLUMNS`: ``settings``; ``parameters`` and ``training_s`` over the
        ``n`` fold models; ``predicting_s_per_minute``, processor seconds of one fold model for a
        minute of recording, over ``n`` rounds. ``value`` is the median, ``low`` and ``high`` the
        range.
    """
    rows = []
    for model, folds in descriptions.items():
        own = speed[speed["model"] == model]
        a_minute = own["seconds"].astype(float) / own["minutes"].astype(float)
        rows += [
            _row(model, "settings", [settings[model]]),
            _row(model, "parameters", [float(d.get("parameters", NAN)) for d in folds.values()]),
            _row(model, "training_s", list(seconds.get(model, {}).values())),
            _row(model, "predicting_s_per_minute", list(a_minute)),
        ]
    return pd.DataFrame(rows, columns=list(COST_COLUMNS))


def budget_words(settings: Mapping[str, int]) -> str:
    """Say whether every model was tuned as much as every other.

    Parameters
    ----------
    settings
        Model to how many combinations of options were tried in every fold.
    """
    by_number: dict[int, list[str]] = {}
    for model, n in settings.items():
        by_number.setdefault(n, []).append(model)
    if len(by_number) <= 1:
        n = next(iter(by_number), 1)
        tried = "the settings of the configuration alone" if n == 1 else f"{n} settings"
        return f"Same tuning budget: every model tried {tried} in every fold."
    parts = [f"{n} in {', '.join(own)}" for n, own in sorted(by_number.items(), reverse=True)]
    return (
        f"Not the same tuning budget: settings tried in every fold were {'; '.join(parts)}. What "
        "had more to choose from has an advantage that is not the model's. Give every model in "
        "models a grid of as many combinations."
    )


def speed_words(speed: pd.DataFrame) -> list[str]:
    """Say, a line each, on which recording models were timed, and which were not.

    Parameters
    ----------
    speed
        Columns :data:`SPEED_COLUMNS`.
    """
    timed = speed[speed["reason"] == ""]
    lines = [
        f"{', '.join(dict.fromkeys(own['model']))}: timed on {recording} "
        f"({float(own['minutes'].iloc[0]):.2g} minutes)"
        for recording, own in timed.groupby("recording", sort=False)
    ]
    return lines + [
        f"{row.model}: not timed: {row.reason}"
        for row in speed[speed["reason"] != ""].itertuples(index=False)
    ]
