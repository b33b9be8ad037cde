"""The ``gao`` section: the study of Gao et al. 2023, its ablations and inputs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from fidgety.config.base import Section

Options = dict[str, Any]


class GaoConfig(Section):
    """What `snakemake gao2023` trains and compares (docs/mam.md); `compare` reads `rater`."""

    options: Options = Field(default_factory=lambda: {"preset": "gao2023"})
    """Options of ``kind: mam`` for all models of the study; a model's own win over them."""
    ablations: Annotated[dict[str, Options], Field(min_length=1)] = {
        "mam": {},
        "without-info": {"info": False},
        "without-closeness": {"closeness": False},
        "without-closeness-and-reference": {"closeness": False, "reference": False},
    }
    """Models of Table 2 and Figure 3b, by a name of your own: what each leaves out."""
    inputs: dict[str, Options] = {
        "distances-2d": {"coordinates": "coordinates_2d"},
        "coordinates-3d": {"inputs": ["coordinates"]},
        "velocities-3d": {"inputs": ["velocities"]},
        "accelerations-3d": {"inputs": ["accelerations"]},
        "all-3d": {"inputs": ["coordinates", "velocities", "accelerations"]},
        "coordinates-2d": {"inputs": ["coordinates"], "coordinates": "coordinates_2d"},
        "velocities-2d": {"inputs": ["velocities"], "coordinates": "coordinates_2d"},
        "accelerations-2d": {"inputs": ["accelerations"], "coordinates": "coordinates_2d"},
        "all-2d": {
            "inputs": ["coordinates", "velocities", "accelerations"],
            "coordinates": "coordinates_2d",
        },
    }
    """Models of Supplementary Table 1: other inputs than distances in 3D; ``{}`` for none."""
    model: str = "mam"
    """The one of ``ablations`` that is looked at closely: frequency, examples, contributions."""
    beside: tuple[str, ...] | None = None
    """Names in ``models`` whose results stand in the tables, too; null takes them all."""
    rater: str = "consensus"
    """Whose intervals the models are compared with, in `snakemake compare` too."""
    examples: Annotated[int, Field(ge=0, le=50)] = 4
    """Infants in Figure 3a: as many of each side as there are, external ones first."""

    @model_validator(mode="after")
    def _check_names(self) -> GaoConfig:
        if self.model not in self.ablations:
            raise ValueError(
                f"model: {self.model!r} is none of ablations ({', '.join(self.ablations)})"
            )
        twice = sorted(set(self.ablations) & set(self.inputs))
        if twice:
            raise ValueError(f"inputs: {', '.join(twice)} stands in ablations, too")
        return self
