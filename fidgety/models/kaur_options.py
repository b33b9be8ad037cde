"""Options of ``kind: cnn1d``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fidgety.models.snippet_options import Positive, SnippetNetworkOptions


class Cnn1dOptions(SnippetNetworkOptions):
    """Options of ``kind: cnn1d``; the defaults are the published ones where it gives them."""

    published: ClassVar[Mapping[str, Any]] = {
        **SnippetNetworkOptions.published,
        "filters": (32, 64, 128),
        "dense": 64,
    }

    filters: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128)
    """Filters of the convolutions; the paper's other network has (32, 64) and 32 dense."""
    dense: Positive = 64
    """Width of the dense layer."""
    kernel: Positive = 5
    """Frames that a convolution sees (not in the paper)."""
    pool: Positive = 2
    """Frames that the maximum is taken over behind a convolution (not in the paper)."""
    head: Literal["average", "flatten"] = "average"
    """How the last convolution meets the dense layer (not in the paper)."""

    @model_validator(mode="after")
    def _check_pooling(self) -> Cnn1dOptions:
        if self.window_frames < self.pool ** len(self.filters):
            raise ValueError("window_s is too short for so many poolings")
        return self


Options = Cnn1dOptions
