"""The ``reading`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section

#: A rater's code name; it stands in file names.
CodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class ReadingConfig(Section):
    """Blinded readings of the videos by raters (docs/reading.md)."""

    raters: tuple[CodeName, ...] = ()
    """Code names of the raters, not their names; two files a rater."""
    infants: tuple[str, ...] | None = None
    """Infants to read; null takes all that are assessed."""
    not_assessable: bool = False
    """Whether infants without any model's result are read, too: with help nothing is shown."""
    sample: Annotated[int, Field(ge=1)] | None = None
    """Read this many of them, drawn by the seed; null reads all."""
    order: Literal["crossover", "first_without"] = "crossover"
    """``crossover``: half of the raters, drawn by the seed, read with the model's help first.
    ``first_without``: all read without help first (Gao 2023)."""
    washout_days: Annotated[float, Field(ge=0)] = 14
    """Days between a rater's two readings. The page of the second says when they are over."""
    age: Literal["fidgety", "writhing"] = "fidgety"
    """Which types of general movements the page offers."""
    mos_r: bool = False
    """Whether the page asks for the five items of the revised Motor Optimality Score, too: it is
    a score of 3 to 5 months, so ``age`` must be ``fidgety``."""
    clips: Annotated[int, Field(ge=0, le=20)] = 3
    """Likeliest instances that a reading with help offers. The model is
    ``report.best_clips_model``."""
    max_side_px: Annotated[int, Field(ge=64, le=4096)] | None = None
    """Longest side of the videos that raters see; null keeps the size of the standard video."""
    kbps: Annotated[int, Field(ge=100)] | None = None
    """Kilobits a second that they take at most; null sets no limit: they are as good as the
    standard video (``video.crf``)."""
    faces: Literal["hidden", "visible"] | None = None
    """Whether raters see faces and surroundings; null follows ``report.faces``. Where they are
    hidden, movements of face, head and neck cannot be read."""
    returned: str = "readings"
    """Folder with the files that raters sent back, ``*.json``."""

    @model_validator(mode="after")
    def _check_raters(self) -> ReadingConfig:
        names = [name.lower() for name in self.raters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"raters: {', '.join(twice)} stands there twice")
        return self

    @model_validator(mode="after")
    def _check_age(self) -> ReadingConfig:
        if self.mos_r and self.age != "fidgety":
            raise ValueError(
                "mos_r: the revised Motor Optimality Score is of infants of 3 to 5 months, whose "
                "movements are fidgety. Set age: fidgety, or mos_r: false."
            )
        return self
