"""The list of fold models: one small file that all infants' jobs depend on.

A job an infant that named every fold model as an input would have the workflow compare each of
its files with each of theirs: minutes for a large cohort. It names this list instead, which
holds the models' checksums and so changes whenever one of them does.

================  ============================================================
column            content
================  ============================================================
model, fold       which fold model
description       its ``model.json``, as the job that wrote the list found it
sha256            checksum of that file, which holds the checksum of the weights
================  ============================================================
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from fidgety.datasets.folds import read_table
from fidgety.errors import StorageError
from fidgety.files import atomic_path, file_sha256
from fidgety.training.description import read_description

COLUMNS = ("model", "fold", "description", "sha256")


def write_model_list(
    path: str | os.PathLike[str], descriptions: Iterable[str | os.PathLike[str]]
) -> int:
    """Write the list, whole or not at all.

    Parameters
    ----------
    path
        The list.
    descriptions
        ``model.json`` of every model and fold.

    Returns
    -------
    int
        How many models are listed.

    Raises
    ------
    StorageError
        If one of them is no description of a model.
    """
    rows = []
    for one in descriptions:
        said = read_description(one)
        rows.append((str(said["model"]), int(said["fold"]), os.fspath(one), file_sha256(one)))
    table = pd.DataFrame(sorted(rows), columns=list(COLUMNS))
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    return len(rows)


def read_model_list(path: str | os.PathLike[str]) -> list[Path]:
    """Return the descriptions in the list: ``model.json`` of every model and fold.

    Raises
    ------
    StorageError
        If it is no such list, or a model is not what it was when the list was written.
    """
    table = read_table(path)
    if tuple(table.columns) != COLUMNS:
        raise StorageError(
            f"{path}: is no list of models with the columns {', '.join(COLUMNS)}. "
            "Delete it and run the workflow again."
        )
    found = []
    for model, fold, description, sha256 in table.itertuples(index=False, name=None):
        if not Path(description).is_file() or file_sha256(description) != sha256:
            raise StorageError(
                f"{description}: is not the model {model} of fold {fold} that {path} lists. "
                f"Delete {path} and run the workflow again."
            )
        found.append(Path(description))
    return found
