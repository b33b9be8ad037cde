"""Build the feature sets of a recording."""

from __future__ import annotations

from fidgety.config.features import FeaturesConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.features.contract import Tracks
from fidgety.features.registry import FEATURE_SETS
from fidgety.features.store import Features, FeatureSet


def build_features(tracks: Tracks, config: FeaturesConfig) -> Features:
    """Build the configured feature sets.

    Parameters
    ----------
    tracks
        Clean and lifted pose.
    config
        The ``features`` section.

    Raises
    ------
    ConfigError
        If a set is unknown.
    """
    sets: dict[str, FeatureSet] = {}
    unavailable: dict[str, Outcome] = {}
    for name in config.sets:
        builder = FEATURE_SETS.get(name)()
        try:
            sets[name] = builder.build(tracks, config)
        except NotAssessable as error:
            unavailable[name] = Outcome.of(error)
    return Features(tracks.clean.fps, sets, unavailable)
