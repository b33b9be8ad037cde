"""The ``evaluation`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class EvaluationConfig(Section):
    """How results are judged."""

    bootstrap: Annotated[int, Field(ge=100)] = 2000
    """Resamples, by infant, for intervals."""
    confidence: Share = 0.95
    """Coverage of the intervals."""
    threshold: Literal["youden", "sensitivity"] | Share = "youden"
    """How a threshold is chosen on validation infants, or a fixed probability."""
    wanted_sensitivity: Share = 0.9
    """With ``threshold: sensitivity``."""
    zone_sensitivity: Share = 0.9
    """That the zone of doubt in `snakemake compare` keeps on validation infants."""
    zone_specificity: Share = 0.9
    """Likewise."""
    prevalence: Share | None = None
    """Share of the infants at risk among those that your clinic screens (22 to 24 % in Gao 2023),
    for predictive values in `snakemake compare`; null takes each set's own."""
    outcome_prevalence: Share | None = None
    """Share of infants with cerebral palsy among those that your clinic screens, for predictive
    values of the outcome in `snakemake compare`; null takes each set's own."""
    age_band_weeks: Annotated[int, Field(ge=1, le=6)] = 1
    """Width of the bands of corrected age in `snakemake compare`, counted from 9 weeks."""
    pooling: Literal["infant", "recording"] = "infant"
    """``infant`` pools all instances of an infant's recordings; ``recording`` keeps serial
    recordings at different ages apart."""
    other_units: Literal["refuse", "accept"] = "refuse"
    """What to do with features in other units than those a model learned from (z-scored tracks
    against trunk lengths): ``refuse`` records the reason; ``accept`` gives a probability that the
    model's scaling does not fit, to see that the line runs, never to judge an infant."""
    continuous_from: Share | Literal["development"] = 0.603
    """Frequency of fidgety movements from which an infant's are called continuous, not
    intermittent, by models that find them: that of Gao 2023, or ``development`` for the one that
    parts the development infants best (`fm_type` in the sheet), in `snakemake gao2023` alone."""
