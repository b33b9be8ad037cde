"""The ``pixels`` section: crops of the body alone and their optical flow (Hashimoto 2022)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fidgety.config.base import Section


class PixelsConfig(Section):
    """What `snakemake pixels` makes of videos for models that look at pictures."""

    size_px: Annotated[int, Field(ge=32, le=512)] = 224
    """Side of the aligned crops."""
    rate_hz: Annotated[float, Field(gt=0, le=60)] = 6.0
    """Fields of optical flow, and crops, a second: every fifth of 30 frames, at whatever rate the
    recording has."""
    flow: Literal["farneback", "dis", "raft"] = "farneback"
    """``farneback`` with the published parameters; ``dis`` is faster; ``raft`` is a network, whose
    weights you bring."""
    raft_weights: str | None = None
    """ONNX file of ``flow: raft`` ([two-stream.md](two-stream.md) says where to get one)."""
    bits: Literal["uint8", "float16"] = "uint8"
    """How flow is stored: 8 bits as published, steps of 0.16 pixels; or 16, twice as large."""

    @model_validator(mode="after")
    def _check_weights(self) -> PixelsConfig:
        if self.flow == "raft" and self.raft_weights is None:
            raise ValueError("flow is raft: name its file in raft_weights")
        return self

    def files(self) -> dict[str, Path]:
        """Return the files that are named and used, by key."""
        if self.flow != "raft" or self.raft_weights is None:
            return {}
        return {"raft_weights": Path(self.raft_weights).expanduser()}
