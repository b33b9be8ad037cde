"""The ``compare_pose`` section."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from fidgety.config.base import Section


class BackendConfig(Section):
    """One way to estimate the pose."""

    method: str = "mediapipe"
    """Name from the registry, as in ``pose.method``."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its options; all other keys of ``pose`` count for every backend."""
    note: str = ""
    """A sentence that stands beside its figures: where its weights are from."""


class ComparePoseConfig(Section):
    """What `snakemake compare_pose` compares."""

    backends: dict[str, BackendConfig] = Field(default_factory=dict)
    """Backends by a name of your own; none: the one of ``pose`` by itself."""
    recordings: tuple[str, ...] = ()
    """Recordings with a video; none: the first ones of different infants."""
    n_recordings: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many, where ``recordings`` names none."""
    annotations: str | None = None
    """What was marked by hand: a COCO keypoints file whose pictures are named as `snakemake
    pick_frames` names them, or a folder of corrections. Phantoms bring their own truth."""
    cleaned: bool = True
    """Compare the tracks after cleaning as well."""
