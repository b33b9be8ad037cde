"""The feature sets, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fidgety.registry import Registry

if TYPE_CHECKING:
    from fidgety.features.contract import FeatureSetBuilder

FEATURE_SETS: Registry[type[FeatureSetBuilder]] = Registry(
    "feature set",
    {
        "coordinates_2d": "fidgety.features.coordinates:Coordinates2D",
        "coordinates_3d": "fidgety.features.coordinates:Coordinates3D",
        "landmarks_2d": "fidgety.features.landmarks:Landmarks2D",
        "angles_2d": "fidgety.features.angles:Angles2D",
        "velocities_2d": "fidgety.features.derivatives:Velocities2D",
        "velocities_3d": "fidgety.features.derivatives:Velocities3D",
        "accelerations_2d": "fidgety.features.derivatives:Accelerations2D",
        "accelerations_3d": "fidgety.features.derivatives:Accelerations3D",
    },
)
