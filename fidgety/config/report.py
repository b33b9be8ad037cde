"""The ``report`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section
from fidgety.config.study import Role

#: With more infants, ``pages: auto`` makes the pages of new ones alone.
PAGES_OF_ALL = 1000


class ReportConfig(Section):
    """What the report shows."""

    title: str = "Model estimates from infants' movements (not a GMA)"
    """Title of the pages. A General Movements Assessment is a certified rater's judgement; the
    pages show models' estimates."""
    pages: Literal["auto", "all", "new", "none"] = "auto"
    """Whose pages, with their overlay videos, are made beside the study's: everybody's, those of
    the role ``new`` alone, or nobody's. ``auto`` means ``all`` in a study of up to 1,000 infants
    and ``new`` in a larger one: pages and videos are a quarter of its jobs and 9 MB for five
    minutes. Any other is made by its name, ``snakemake results/report/infants/ID.html``, and kept
    up to date from then on, until its file is removed."""
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

    def has_page(self, role: Role, infants: int) -> bool:
        """Tell whether an infant's page is made beside the study's.

        Parameters
        ----------
        role
            Of the infant.
        infants
            How many are assessed.
        """
        whose = self.pages
        if whose == "auto":
            whose = "all" if infants <= PAGES_OF_ALL else "new"
        return whose == "all" or (whose == "new" and role is Role.NEW)
