"""The ``publish`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class PublishConfig(Section):
    """What `snakemake bundle` gives to others (docs/bundles.md)."""

    models: tuple[str, ...] = ()
    """Models to give, by their names in `models`; none named are all of them."""
    infants_in_weights: Literal["refuse", "include"] = "refuse"
    """What to do with models whose weights hold movement of single training infants (support
    vectors of `svm`, neighbours of `eml`): ``refuse``, or ``include`` them where you may share
    it. The model card says so then."""
    licence: Annotated[str, Field(max_length=500)] = ""
    """Under which others may use the models; for the model card."""
    contact: Annotated[str, Field(max_length=500)] = ""
    """Whom to ask; for the model card."""
