"""What a model's description must say before the model is used: a bundle's comes from elsewhere.

Checksums tell that a file is what its maker wrote, not that the maker wrote what makes sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    """A part of a description; what is not used to predict is not looked at."""

    model_config = ConfigDict(strict=True, frozen=True)


class ScalingSaid(_Part):
    """Of features: a mean and a standard deviation each."""

    features: list[str]
    mean: list[Finite]
    sd: list[Scale]

    @model_validator(mode="after")
    def _one_each(self) -> ScalingSaid:
        if not len(self.features) == len(self.mean) == len(self.sd):
            raise ValueError("every feature must have one mean and one standard deviation")
        return self


class InfoSaid(_Part):
    """Of the infants' characteristics."""

    mean: list[Finite]
    sd: list[Scale]
    flags: bool

    @model_validator(mode="after")
    def _one_each(self) -> InfoSaid:
        if len(self.mean) != len(self.sd):
            raise ValueError("every characteristic must have one mean and one standard deviation")
        return self


class ThresholdSaid(_Part):
    """Of the probability of being at risk."""

    value: Annotated[float, Field(ge=0, le=1)]


class ValidationSaid(_Part):
    """A validation infant."""

    infant: str


class ModelSaid(_Part):
    """What of a description is used to predict (:mod:`fidgety.training.fold_model`)."""

    model: str
    kind: str
    fold: Annotated[int, Field(ge=1)]
    options: dict[str, Any]
    classes: Annotated[list[str], Field(min_length=2)]
    at_risk: list[bool]
    inputs: dict[str, Any]
    units: list[str]
    standardisation: ScalingSaid
    info: InfoSaid | None
    pooling: Literal["infant", "recording"]
    threshold: ThresholdSaid
    validation_loss: Finite | None
    validation: list[ValidationSaid]
    training_infants: list[str]
    reference_infants: list[str]

    @model_validator(mode="after")
    def _one_each(self) -> ModelSaid:
        if len(self.classes) != len(self.at_risk):
            raise ValueError("every class must be at risk or not")
        return self


def check_described(description: Mapping[str, Any]) -> ModelSaid:
    """Check a model's description.

    Raises
    ------
    ValueError
        With one finding after another.
    """
    try:
        return ModelSaid.model_validate(dict(description))
    except ValidationError as error:
        found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise ValueError("; ".join(found[:5])) from None
