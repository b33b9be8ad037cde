"""Options of ``kind: vit``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from fidgety.models.snippet_options import Positive, SnippetNetworkOptions


class VitOptions(SnippetNetworkOptions):
    """Options of ``kind: vit`` (Kaur 2025)."""

    published: ClassVar[Mapping[str, Any]] = {
        **SnippetNetworkOptions.published,
        "heads": 8,
        "encoder_layers": 2,
        "dense": 128,
    }

    encoder_layers: Annotated[int, Field(ge=1, le=100)] = 2
    """Encoder layers; the paper's other network has 4."""
    heads: Positive = 8
    """Attention heads."""
    dense: Positive = 128
    """Width of the dense layer before the output."""
    width: Positive = 64
    """Width of a frame's token (not in the paper)."""
    feed_forward: Positive = 256
    """Width of the encoders' inner layer (not in the paper; ViT's is four times the token's)."""
    position: Literal["learned", "sinusoidal"] = "learned"
    """Code of a frame's place in the snippet (ViT learns it; the paper does not say)."""

    @model_validator(mode="after")
    def _check_width(self) -> VitOptions:
        if self.width % self.heads or self.width % 2:
            raise ValueError("width must be even and a multiple of heads")
        return self


Options = VitOptions
