"""Pose estimators by name."""

from __future__ import annotations

from fidgety.pose.base import PoseEstimator
from fidgety.registry import Registry

#: A member's module is imported only when it is chosen, so heavy libraries cost nothing else.
ESTIMATORS: Registry[type[PoseEstimator]] = Registry(
    "pose estimator",
    {
        "mediapipe": "fidgety.pose.mediapipe:BlazePose",
        "mediapipe_tasks": "fidgety.pose.mediapipe_tasks:PoseLandmarker",
        "mmpose": "fidgety.pose.mmpose:MMPose",
        "vitpose": "fidgety.pose.vitpose:ViTPose",
    },
)
