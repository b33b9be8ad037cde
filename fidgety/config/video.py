"""The ``video`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class VideoConfig(Section):
    """How a source video becomes the standard one."""

    max_rate_hz: Annotated[float, Field(gt=0, le=240)] = 30.0
    """Highest frame rate kept: slower sources keep their own nominal rate."""
    max_side_px: Annotated[int, Field(ge=64, le=4096)] = 640
    """Longest side of the standard video; larger pictures are reduced, none is enlarged."""
    min_side_px: Annotated[int, Field(ge=16)] = 64
    """Shortest side of a picture in which an infant can be found."""
    min_duration_s: Annotated[float, Field(ge=0)] = 5.0
    """Shorter recordings are not assessable."""
    deinterlace: Literal["auto", "always", "never"] = "auto"
    """``auto`` acts on frames that the stream marks as interlaced."""
    crf: Annotated[int, Field(ge=0, le=40)] = 18
    """Quality of the standard H.264 video (lower is better)."""
    export_frames: Literal["none", "png", "jpeg"] = "none"
    """Also write every frame as an image file under ``results/frames/{recording}``."""
