"""Options of ``kind: multirocket_hydra``, apart from PyTorch and aeon."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.models.snippet_options import SnippetOptions


class MultiRocketOptions(SnippetOptions):
    """Options of ``kind: multirocket_hydra``: aeon's MultiRocket-Hydra, sizes as published.

    It is no model of Kaur 2025; ``preset: kaur2025`` gives it that paper's snippets, so that it
    can be compared with the paper's models.
    """

    preset: Literal["none", "kaur2025"] = "none"
    """``kaur2025``: the snippets of that paper; keys beside it win over it."""
    n_kernels: Annotated[int, Field(ge=84)] = 6250
    """Of MultiRocket, with four numbers each, of the series and of its differences from frame to
    frame; the next lower multiple of 84 is taken."""
    hydra_kernels: Annotated[int, Field(ge=2)] = 8
    """Of Hydra, in a group: they compete for every frame."""
    hydra_groups: Annotated[int, Field(ge=2)] = 64
    """Of Hydra, a dilation: one half for the series, one half for its differences."""
    max_gb: Annotated[float, Field(gt=0)] = 4.0
    """The training snippets' numbers (55,872 each of 300 frames) have to be laid out side by side,
    12 bytes a number: more than this is refused, rather than the machine's memory filled. It is
    enough for 5,900 snippets."""


Options = MultiRocketOptions
