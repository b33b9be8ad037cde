"""The ``report`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class ReportConfig(Section):
    """What the report shows."""

    title: str = "Model estimates from infants' movements (not a GMA)"
    """Title of the pages. A General Movements Assessment is a certified rater's judgement; the
    pages show models' estimates."""
    pages: Literal["all", "new", "none"] = "all"
    """Whose pages, with their overlay videos, are made beside the study's: everybody's, those of
    the role ``new`` alone, or nobody's. Any other is made by its name:
    ``snakemake results/report/infants/ID.html``."""
    faces: Literal["hidden", "visible"] = "hidden"
    """Whether overlay videos show faces. ``hidden`` covers the infant's head and makes all that is
    outside the body mask unrecognisable: other people's faces are there."""
    overlay: Literal["video", "skeleton"] = "video"
    """``skeleton`` draws on black: nothing of the infant's picture is shown."""
    overlay_max_side_px: Annotated[int, Field(ge=64, le=1920)] = 360
    """Longest side of overlay videos."""
    pictures: Annotated[int, Field(ge=0, le=20)] = 3
    """Clips of an infant that are shown, aligned, with what each model of pictures looks at in
    them; 0 for none."""
    best_clips: Annotated[int, Field(ge=0, le=20)] = 3
    """Instances with the likeliest fidgety movements that are cut out of an infant's overlay
    videos, to look at first; 0 for none."""
    least_clips: Annotated[int, Field(ge=0, le=20)] = 1
    """Instances with the least likely fidgety movements that are cut out beside them; none where
    ``best_clips`` is 0."""
    best_clips_model: str | None = None
    """The one of ``models`` that they are chosen by; null takes the first, by name, that finds
    fidgety movements."""
