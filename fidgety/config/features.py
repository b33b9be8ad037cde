"""The ``features`` section."""

from __future__ import annotations

from typing import Literal

from fidgety.config.base import Section


class FeaturesConfig(Section):
    """Which features are built, and in which frame of reference."""

    sets: tuple[str, ...] = (
        "coordinates_2d",
        "angles_2d",
        "coordinates_3d",
        "velocities_2d",
        "accelerations_2d",
    )
    """Feature sets from the registry."""
    origin: Literal["sternum", "pelvis", "none"] = "sternum"
    """Which point is moved to (0, 0) in every frame for 2D sets (Kaur 2025: the sternum); 3D has
    the pelvis there (Gao 2023)."""
    scale: Literal["trunk", "none"] = "trunk"
    """``trunk``: lengths in units of the recording's median trunk length."""
    upright: bool = True
    """Turn by one angle a recording so that pelvis to thorax points up."""
    missing_landmarks: Literal["refuse", "leave_out"] = "refuse"
    """What to do where a tracker does not give all of the 24 landmarks (``landmarks_2d``) or all
    keypoints of the twelve joint angles (``angles_2d``): ``refuse`` the set, naming them, or
    ``leave_out`` these landmarks and angles, on both sides, and keep the rest."""
