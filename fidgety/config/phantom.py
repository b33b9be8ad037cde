"""The ``phantom`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section


class PhantomConfig(Section):
    """The digital phantoms that are added to the sample sheet."""

    preset: Literal["none", "tiny", "small", "validation", "repertoire"] = "small"
    """``small`` is what a fresh clone runs, ``tiny`` is for tests, ``validation`` has at least 20
    external infants a class, ``repertoire`` the classes WMs, FMs and PR instead of normal and risk;
    ``none`` runs your own recordings alone."""
    times: Annotated[int, Field(ge=1, le=100)] = 1
    """So many times the preset's infants; those of fewer stay the same."""
    duration_s: Annotated[float, Field(gt=0)] | None = None
    """Length of a recording; None takes the preset's."""
    videos: bool = True
    """Render the preset's share of recordings as videos; ``false`` simulates the pose of all,
    which costs seconds a recording: the workflow then starts from pose."""
    balance: Literal["speed", "speed_and_reach"] = "speed"
    """What does not tell the groups apart: the mean speed of movement, or its reach as well. With
    the latter a model has to see how an infant moves; networks on few infants' coordinates do
    not (docs/phantom.md)."""
