"""The ``folds``, ``models`` and ``training`` sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class FoldsConfig(Section):
    """Cross-validation over the infants of the development cohorts."""

    n: Annotated[int, Field(ge=2, le=20)] = 5
    """Number of folds; infants are dealt by class, in the order of a hash of their id."""
    file: str | None = None
    """An earlier ``folds.tsv``: its infants keep their fold. Without one, infants keep the fold
    that ``results/folds.tsv`` gives them as long as that file stays; keep a copy of it to have the
    same folds after ``make clean`` or elsewhere."""
    validation_share: Share = 0.2
    """Share of a fold's training infants kept aside for early stopping and thresholds."""


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
