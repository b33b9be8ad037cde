"""The 24 landmarks of Kaur 2025, from any skeleton that can supply them.

The paper (section 3.1) moves the sternum to (0, 0) and normalises no further, which is
``features: {origin: sternum, scale: none, upright: false}``. Which landmarks it took besides the
sternum and the joints with angles is not said: :data:`fidgety.skeletons.KAUR_24` has the ones
here.
"""

from __future__ import annotations

from fidgety.config.features import FeaturesConfig
from fidgety.features.contract import Tracks
from fidgety.features.coordinates import given_keypoints, picture_positions
from fidgety.features.store import FeatureSet, coordinate_names, flatten
from fidgety.pose.normalisation import normalise
from fidgety.skeletons import KAUR_24


class Landmarks2D:
    """Positions of Kaur's 24 landmarks in the picture, normalised; 48 features."""

    name = "landmarks_2d"

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features; see :class:`~fidgety.features.contract.FeatureSetBuilder`."""
        kept, left_out = given_keypoints(tracks, KAUR_24.keypoints, config.missing_landmarks)
        position, parameters = normalise(
            picture_positions(tracks, kept),
            kept,
            origin=config.origin,
            scale=config.scale,
            upright=config.upright,
        )
        return FeatureSet(
            flatten(position),
            coordinate_names(kept, 2),
            tracks.clean.time_s,
            tracks.clean.fps,
            "trunk" if config.scale == "trunk" else tracks.clean.units,
            {"skeleton": KAUR_24.name, "left_out": list(left_out), **parameters},
        )
