"""What a feature set is: its contract.

A feature set is a class with a ``name`` and a method ``build``; it is a module of this folder
and one line in :mod:`fidgety.features.registry`. Everything it may need of a recording comes
as :class:`Tracks`; what it gives is a
:class:`~fidgety.features.store.FeatureSet`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fidgety.config.features import FeaturesConfig
from fidgety.errors import Outcome
from fidgety.features.store import FeatureSet
from fidgety.pose.tracks import Pose


@dataclass(frozen=True)
class Tracks:
    """What a recording has to build features from.

    Parameters
    ----------
    clean
        Clean pose: 2D, or 3D for a 3D track.
    lifted
        3D pose in Human3.6M-17, if there is one.
    lifted_outcome
        Why there is none.
    """

    clean: Pose
    lifted: Pose | None = None
    lifted_outcome: Outcome = field(default_factory=Outcome)


class FeatureSetBuilder(Protocol):
    """Builds one feature set."""

    name: str

    def build(self, tracks: Tracks, config: FeaturesConfig) -> FeatureSet:
        """Build the features.

        Raises
        ------
        NotAssessable
            ``feature_unavailable`` if the tracks do not give them, naming what is missing;
            ``no_3d`` if there is no 3D pose; ``pose_too_sparse`` if the trunk is never seen.
        """
        ...
