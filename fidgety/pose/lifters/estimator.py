"""The 3D positions that came with the pose: the estimator's own, or those of a 3D track."""

from __future__ import annotations

import numpy as np

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.cleaning import Cleaned
from fidgety.pose.estimator_options import EstimatorOptions
from fidgety.pose.lifters.base import Lifted, Lifter
from fidgety.pose.lifters.estimator_options import EstimatorLifterOptions
from fidgety.pose.lifting import derived_origin
from fidgety.skeletons import HUMAN36M_17, convert


class EstimatorLifter(Lifter):
    """Converts to Human3.6M-17 what is 3D already."""

    name = "estimator"
    Options = EstimatorLifterOptions
    libraries = ("numpy",)

    def __init__(self, options: EstimatorOptions | None = None) -> None:
        super().__init__(options or EstimatorLifterOptions())

    def lift(self, cleaned: Cleaned, picture: tuple[int, int] | None = None) -> Lifted:
        """Give the 3D positions; see :class:`~fidgety.pose.lifters.base.Lifter`."""
        pose = cleaned.pose
        assert pose.origin is not None
        if pose.n_space == 3:
            position, origin, units, method = pose.position, pose.origin, pose.units, "track"
        elif pose.world is not None and np.isfinite(pose.world).any():
            assert cleaned.world_origin is not None
            position, origin, units = pose.world, cleaned.world_origin, "metres"
            method = "estimator"
        else:
            raise NotAssessable(
                Reason.NO_3D, f"{pose.source_software or 'the source'} gives 2D positions alone"
            )
        return Lifted(
            convert(position, pose.anatomy, HUMAN36M_17),
            derived_origin(origin, pose.anatomy, HUMAN36M_17.keypoints),
            units,
            {"method": method},
        )
