"""The ``corrections`` section."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fidgety.config.base import Section


class CorrectionsConfig(Section):
    """Keypoints put right by hand, and what is prepared for that (docs/corrections.md)."""

    folder: str = "corrections"
    """Folder with one table a corrected recording, ``{recording}.csv`` (or an edited
    ``{recording}.nc``). It need not exist."""
    review_frames: Annotated[int, Field(ge=1, le=1000)] = 30
    """Most frames a recording that ``snakemake review_pose`` picks for a person to look at."""
    review_every_s: Annotated[float, Field(ge=0)] = 0.5
    """Shortest time between two of them: neighbours show the same trouble."""
