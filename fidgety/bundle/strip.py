"""What of a fold model's description is shared: numbers of infants, never infants.

A list of what may go, not of what may not: a field that is added to ``model.json`` one day stays at
home until somebody has thought about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fidgety.errors import StorageError

#: Options that name a file: the weights that a training started from, or a network's.
FILE_OPTIONS = frozenset({"weights"})
#: Fields that tell of no infant.
KEPT = (
    "schema",
    "model",
    "kind",
    "classes",
    "at_risk",
    "inputs",
    "units",
    "n_features",
    "standardisation",
    "info",
    "pooling",
    "threshold",
    "split",
    "leaks",
    "validation_loss",
    "counts",
    "epochs",
    "best_epoch",
    "parameters",
    "fold",
    "seed",
    "weights",
    "weights_sha256",
)
#: Fields that name infants, and what stands in their place, so that the file can still be read.
EMPTIED: Mapping[str, Any] = {
    "validation": [],
    "training_infants": [],
    "reference_infants": [],
    "left_out": {},
}
PROVENANCE = ("code", "libraries", "seed")
#: Of the choice among the combinations of a grid; their texts, which name files, are made anew.
SELECTION = ("validation_loss", "reason")


def _without_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """Put bare names in place of paths; the weights that training started from are in no bundle."""
    return {
        key: Path(value).name if key in FILE_OPTIONS and isinstance(value, str) else value
        for key, value in options.items()
    }


def _shared_selection(selection: Mapping[str, Any], choices: Sequence[str]) -> dict[str, Any]:
    """Tell the choice by the texts of the shared grid, in the order of the own one."""
    own = list(selection["choices"])
    if len(own) != len(choices):
        raise StorageError(
            "was chosen from another grid than that of the configuration. Delete it and run the "
            "workflow again."
        )
    kept = {name: selection[name] for name in SELECTION if name in selection}
    return {**kept, "choices": list(choices), "chosen": choices[own.index(selection["chosen"])]}


def shared_description(
    description: Mapping[str, Any], choices: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what of a ``model.json`` goes into a bundle.

    Parameters
    ----------
    description
        As the workflow wrote it.
    choices
        The combinations of its grid in words, made of the grid as it is shared.

    Returns
    -------
    dict
        Readable as before, without ids and scores of infants, and without paths.

    Raises
    ------
    StorageError
        If it was chosen from another number of combinations; the caller names the file.
    """
    kept = {name: description[name] for name in KEPT if name in description}
    kept["options"] = _without_paths(description["options"])
    if "selection" in description:
        kept["selection"] = _shared_selection(description["selection"], choices)
    made = description.get("provenance", {})
    kept["provenance"] = {name: made[name] for name in PROVENANCE if name in made}
    return {**kept, **EMPTIED}
