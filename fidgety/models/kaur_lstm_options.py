"""Options of ``kind: lstm``, apart from PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fidgety.models.snippet_options import Positive, SnippetNetworkOptions


class LstmOptions(SnippetNetworkOptions):
    """Options of ``kind: lstm`` (Kaur 2025)."""

    published: ClassVar[Mapping[str, Any]] = {
        **SnippetNetworkOptions.published,
        "units": (128, 64, 32),
    }

    units: Annotated[tuple[Positive, ...], Field(min_length=1)] = (128, 64, 32)
    """Units of the layers; the paper's other network has (64, 32)."""


Options = LstmOptions
