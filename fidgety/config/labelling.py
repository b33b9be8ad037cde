"""The ``labelling`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section
from fidgety.config.study import Role

LabelFormat = Literal["cvat", "labelme", "deeplabcut"]


class LabellingConfig(Section):
    """Which frames `snakemake pick_frames` picks for labelling by hand, and for which tools."""

    frames_per_video: Annotated[int, Field(ge=1, le=500)] = 5
    """Frames a video (Gao 2023 labelled five); fewer where a video shows nothing more that is
    different."""
    formats: Annotated[tuple[LabelFormat, ...], Field(min_length=1)] = ("cvat",)
    """Tools to write for: ``cvat`` (COCO keypoints), ``labelme``, ``deeplabcut``."""
    roles: tuple[Role, ...] = (Role.DEVELOPMENT,)
    """Whose videos. A pose model that has seen an external cohort's frames is no longer tested
    on it."""
    recordings: tuple[str, ...] = ()
    """Recordings to pick from, instead of all of the roles."""
    skeleton: str = "coco17"
    """Keypoints to label."""
    prelabel: bool = True
    """Mark the estimated pose, so that a labeller only corrects. Without it neither body mask
    nor pose is computed."""
    scorer: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "fidgety"
    """Name of the labeller in DeepLabCut's files: the same as ``scorer`` in its project."""
