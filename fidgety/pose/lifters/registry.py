"""Lifters by name."""

from __future__ import annotations

from fidgety.pose.lifters.base import Lifter
from fidgety.registry import Registry

#: A member's module is imported only when it is chosen, so heavy libraries cost nothing else.
LIFTERS: Registry[type[Lifter]] = Registry(
    "lifting method",
    {
        "estimator": "fidgety.pose.lifters.estimator:EstimatorLifter",
        "mmpose": "fidgety.pose.lifters.mmpose:MMPoseLifter",
    },
)
