"""The description of a fold model, ``model.json``, read without the libraries that use the model.

:mod:`fidgety.training.fold_model` says what is in it.
"""

from __future__ import annotations

import os
from typing import Any

from fidgety.errors import StorageError
from fidgety.files import read_json

MODEL_SCHEMA = "model/1"


def refusal(model_path: str | os.PathLike[str]) -> str:
    """Return why a model could not be trained; empty if it was."""
    return str(read_description(model_path).get("refused", ""))


def read_description(model_path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``model.json``.

    Raises
    ------
    StorageError
        If it is no such file, or of another version.
    """
    description = read_json(model_path)
    if not isinstance(description, dict) or description.get("schema") != MODEL_SCHEMA:
        raise StorageError(
            f"{model_path}: is no description of a model with schema {MODEL_SCHEMA!r}. "
            "Delete it and run the workflow again."
        )
    if not isinstance(description.get("model"), str) or type(description.get("fold")) is not int:
        raise StorageError(
            f"{model_path}: does not say of which model and fold it is. Delete its folder and run "
            "the workflow again."
        )
    return description
