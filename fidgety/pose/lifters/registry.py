"""Lifters by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fidgety.registry import Registry

if TYPE_CHECKING:
    from fidgety.pose.lifters.base import Lifter

#: A member's module is imported only when it is chosen, so heavy libraries cost nothing else.
LIFTERS: Registry[type[Lifter]] = Registry(
    "lifting method",
    {
        "estimator": "fidgety.pose.lifters.estimator:EstimatorLifter",
        "mmpose": "fidgety.pose.lifters.mmpose:MMPoseLifter",
    },
)
