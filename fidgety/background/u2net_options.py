"""Options of the ``u2net`` background method, apart from its heavy libraries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fidgety.config.base import Section

U2NET_SHA256 = "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491"


class U2NetOptions(Section):
    """Options of the ``u2net`` background method."""

    weights: str = "weights/u2net.onnx"
    """ONNX file of the network."""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] = U2NET_SHA256
    """Checksum of that file; the default is the published u2net.onnx."""
    batch: Annotated[int, Field(ge=1, le=64)] = 8
    """Frames at once, where the network takes more than one."""
    threads: Annotated[int, Field(ge=1)] = 1
    """Threads of the network."""


Options = U2NetOptions
