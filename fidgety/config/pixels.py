"""The ``pixels`` section: crops of the body alone and their optical flow (Hashimoto 2022)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class PixelsConfig(Section):
    """What `snakemake pixels` makes of videos for models that look at pictures."""

    size_px: Annotated[int, Field(ge=32, le=512)] = 224
    """Side of the aligned crops."""
    rate_hz: Annotated[float, Field(gt=0, le=60)] = 6.0
    """Fields of optical flow, and crops, a second: every fifth of 30 frames, at whatever rate the
    recording has."""
    flow: Literal["farneback", "dis"] = "farneback"
    """``farneback`` with the published parameters; ``dis`` is faster."""
    bits: Literal["uint8", "float16"] = "uint8"
    """How flow is stored: 8 bits as published, steps of 0.16 pixels; or 16, twice as large."""
