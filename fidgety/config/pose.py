"""The ``pose`` section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(ge=0, le=1)]


class PoseConfig(Section):
    """How the pose is estimated."""

    method: str = "mediapipe"
    """Name from the registry."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the estimator; checked against the estimator's own model."""
    orientation: Literal["auto", "0", "90", "180", "270"] = "auto"
    """Which way up the infant lies: degrees to turn the picture clockwise until the head is up.
    ``auto`` finds it from sampled frames, at any angle."""
    crop_to_body: bool = True
    """Estimate on a crop around the body mask."""
    infant: Literal["auto", "largest", "central"] = "auto"
    """Who is the infant where the body mask shows several people (the default background's shows
    one). ``auto``: who is in view most
    of the time, whole (not cut by the picture's border), large and central; ``largest`` and
    ``central`` go by size or place alone. Others are left out of the crop."""
    hide_others: bool = True
    """Black out other people of the body mask before the estimate: a larger body in sight is
    easily taken for the infant's."""
    keypoint_names: dict[str, str] = Field(default_factory=dict)
    """For imported tracks: what a file calls a keypoint, to its name here
    (``{hand_tip_l: left_hand}``). Spelling and sides (``L_wrist``, ``wristLeft``) are told without
    it."""
    skeletons: tuple[str, ...] = ()
    """Files of your own skeletons (YAML, docs/skeletons.md), for tracks that are imported.
    Relative paths start from the working directory."""
    min_detected: Share = 0.5
    """Smallest share of frames with a body for a recording to be assessable."""
