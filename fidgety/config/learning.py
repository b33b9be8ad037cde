"""The ``folds``, ``models`` and ``training`` sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from fidgety.config.base import Section

#: What of a training's recordings stays in memory; the others lie on disk.
SERIES_IN_MEMORY_MB = 512
#: What a model may be called: the name is part of file names.
MODEL_NAME = re.compile(r"[A-Za-z0-9_-]+")


class FoldsConfig(Section):
    """Cross-validation over the infants of the development cohorts."""

    by: Literal["infant", "site"] = "infant"
    """``site``: leave one site out. Every site of the development cohorts (column ``site`` of the
    sheet) is a fold of its own, and neither its infants nor its reference clips train that fold's
    model."""
    n: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of folds; infants are dealt by class, in the order of a hash of their id. With ``by:
    site`` it is the number of sites: leave it out."""
    file: str | None = None
    """An earlier ``folds.tsv``: its infants (by site: its sites) keep their fold. Without one, they
    keep the fold that ``results/folds.tsv`` gives them as long as that file stays; keep a copy of
    it to have the same folds after ``make clean`` or elsewhere."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of a fold's training infants kept aside for early stopping and thresholds. 0 keeps
    nobody aside, which small cohorts may need: networks then train for their ``blind_epochs``, and
    thresholds are 0.5 unless fixed; grids have nobody to choose by."""


class TrainingConfig(Section):
    """What every model's training shares."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """``auto`` uses a GPU where there is one."""
    precision: Literal["auto", "32", "bf16-mixed", "16-mixed"] = "auto"
    """``auto``: mixed precision on a GPU, 32 bits on a CPU."""
    augment_flip: bool = True
    """Mirror training instances left to right at random (Kaur 2025)."""


class ModelConfig(Section):
    """One model to train: ``models: {my_name: {kind: cnn1d, options: {...}}}``."""

    kind: str
    """Name from the model registry."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the model; checked against the model's own section."""
    grid: tuple[dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]], ...] = ()
    """Options to choose from: of every option a list, all of them combined; or a list of such
    grids. Every fold trains all combinations and keeps the one with the lowest loss on its
    validation infants, so its test infants have no say."""

    @field_validator("grid", mode="before")
    @classmethod
    def _one_grid(cls, value: Any) -> Any:
        return [value] if isinstance(value, Mapping) else value

    def candidates(self) -> list[dict[str, Any]]:
        """Return the options of every combination of the grid; without one, the options."""
        return [{**self.options, **chosen} for chosen in self.choices()]

    def choices(self) -> list[dict[str, Any]]:
        """Return what each combination of the grid chooses; without one, one empty choice."""
        return [
            dict(zip(grid, values, strict=True))
            for grid in self.grid or ({},)
            for values in product(*grid.values())
        ]


def choice_text(choice: Mapping[str, Any]) -> str:
    """Name a combination of a grid, in one order: ``dropout 0.3; units 64, 32``."""
    return "; ".join(
        f"{key} {', '.join(map(str, v)) if isinstance(v, list | tuple) else v}"
        for key, v in sorted(choice.items())
    )
