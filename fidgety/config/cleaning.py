"""The ``cleaning`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(ge=0, le=1)]


class CleaningConfig(Section):
    """How a raw pose becomes a clean one. Lengths in trunk lengths, times in seconds."""

    min_confidence: Share = 0.3
    """Keypoints below this confidence are taken as missing."""
    bone_length_tolerance: Annotated[float, Field(gt=0)] = 0.6
    """A bone further from its robust length than this share of it marks an outlier; for 2D
    only longer bones count (a bone pointing at the camera is short)."""
    bone_check: Literal["auto", "always", "never"] = "auto"
    """``auto`` leaves bones alone where the units are no lengths (z-scored tracks)."""
    joint_limits: bool = True
    """Knees and elbows bent beyond anatomy mark outliers (3D only)."""
    jump_window_s: Annotated[float, Field(gt=0)] = 0.5
    """Window of the robust trajectory (running median)."""
    jump_threshold: Annotated[float, Field(gt=0)] = 6.0
    """Distance from the robust trajectory, in robust standard deviations, that marks a jump."""
    fix_swaps: bool = True
    """Find stretches with left and right exchanged and exchange them back."""
    max_gap_s: Annotated[float, Field(ge=0)] = 0.6
    """Longest gap that is imputed (modified Akima); longer ones stay missing."""
    makima_gap_s: Annotated[float, Field(gt=0)] = 0.16
    """Gaps longer than this are drawn towards the straight line, in proportion: the speed at
    their edges no longer tells their middle."""
    smoothing: Literal["moving_average", "savitzky_golay", "butterworth", "none"] = "savitzky_golay"
    """Filter after imputation. The default bends small, quick movements least; Gao 2023 has the
    moving average."""
    smoothing_window_frames: Annotated[int, Field(ge=1)] = 5
    """Window of the moving average (5 in Gao 2023) and of Savitzky-Golay."""
    smoothing_order: Annotated[int, Field(ge=1, le=8)] = 2
    """Polynomial order of Savitzky-Golay, order of Butterworth."""
    cutoff_hz: Annotated[float, Field(gt=0)] = 6.0
    """Cut-off of Butterworth."""
    smoothing_min_jitter: Annotated[float, Field(ge=0)] = 0.025
    """Keypoints that jitter less than this (standard deviation, in trunk lengths) are not
    smoothed: every filter flattens small movements, which are what is looked for. 0 smooths
    everything."""
    upright_3d: Literal["auto", "always", "never"] = "auto"
    """Turn 3D poses by one angle a recording so that pelvis to thorax points up in the picture
    plane. ``auto`` leaves z-scored tracks and unknown units as they are."""
    max_missing: Share = 0.4
    """Recordings with a larger share of missing values after cleaning are not assessable."""
