"""The choice among the combinations of a grid, by the loss on a fold's validation infants.

So it is nested in the cross-validation: the infants that a fold tests have no say in which
options its model has.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fidgety.files import atomic_path, write_json
from fidgety.training.description import read_description
from fidgety.training.fold_model import WEIGHTS_NAME, load_fold_model


@dataclass(frozen=True)
class Selection:
    """What was chosen from what.

    Parameters
    ----------
    choices
        The combinations in words.
    loss
        Validation loss of each; NaN without validation infants.
    chosen
        Index.
    """

    choices: tuple[str, ...]
    loss: tuple[float, ...]
    chosen: int

    @property
    def reason(self) -> str:
        """Why this one, for a person."""
        if math.isfinite(self.loss[self.chosen]):
            return "lowest loss on the validation infants"
        return "the first of the grid: there were no validation infants to choose on"

    def lines(self) -> list[str]:
        """Return one line a combination, for the log."""
        return [
            f"{'*' if k == self.chosen else ' '} {text}: validation loss {loss:.4f}"
            for k, (text, loss) in enumerate(zip(self.choices, self.loss, strict=True))
        ] + [f"chosen (*): {self.reason}"]


def lowest(loss: Sequence[float]) -> int:
    """Return the index of the lowest loss, the first among equals; 0 if none is finite."""
    finite = [(value, k) for k, value in enumerate(loss) if math.isfinite(value)]
    return min(finite)[1] if finite else 0


def select(models: Sequence[str | os.PathLike[str]], choices: Sequence[str]) -> Selection:
    """Choose among trained candidates.

    Parameters
    ----------
    models
        Their ``model.json``.
    choices
        The combinations in words, in the same order.

    Raises
    ------
    StorageError
        If a candidate's weights are not those that it describes.
    """
    loss = tuple(load_fold_model(path).validation_loss for path in models)
    return Selection(tuple(choices), loss, lowest(loss))


def copy_selected(
    candidate: str | os.PathLike[str],
    selection: Selection,
    *,
    weights: str | os.PathLike[str],
    model: str | os.PathLike[str],
    history: str | os.PathLike[str],
) -> None:
    """Copy the chosen candidate's files; its description says what it was chosen from."""
    source = Path(candidate)
    for name, target in ((WEIGHTS_NAME, weights), ("history.tsv", history)):
        with atomic_path(target) as temporary:
            shutil.copyfile(source.with_name(name), temporary)
    description = read_description(source)
    write_json(
        model,
        {
            **description,
            "selection": {
                "choices": list(selection.choices),
                "validation_loss": list(selection.loss),
                "chosen": selection.choices[selection.chosen],
                "reason": selection.reason,
            },
        },
    )
