"""Options of the ``estimator`` lifter: there are none."""

from __future__ import annotations

from fidgety.pose.estimator_options import EstimatorOptions


class EstimatorLifterOptions(EstimatorOptions):
    """Options of the ``estimator`` lifter: it has none."""


Options = EstimatorLifterOptions
