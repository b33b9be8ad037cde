"""The ``export`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class ExportConfig(Section):
    """Tracks for other programs: ``snakemake export_pose`` (docs/track-files.md)."""

    formats: Annotated[tuple[str, ...], Field(min_length=1)] = ("movement", "deeplabcut", "nwb")
    """Formats to write: ``movement`` (netCDF), ``deeplabcut`` (CSV), ``nwb``."""
    tracks: Literal["clean", "raw"] = "clean"
    """Cleaned, with gaps filled, or as the tracker gave them."""
