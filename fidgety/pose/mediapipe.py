"""BlazePose as the mediapipe wheel carries it: no download, no network.

33 keypoints in the picture, their visibility as confidence, and 3D positions in metres around
the middle of the hips (Bazarevsky et al. 2020, "BlazePose: on-device real-time body pose
tracking"; Grishchenko et al. 2022, "BlazePose GHUM holistic"). The wheel holds the model of
complexity 1 alone. The model was made with adults: distances in its 3D are an adult's, so use
their ratios.

Tracking (the region of interest follows from the last frame's keypoints) is the default: on
phantoms it was both closer to the truth and a third faster than a fresh detection in every
frame. BlazePose's own smoothing is off: it depends on the clock and hides what was measured;
smoothing is a step of its own here.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.config.base import Section
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.mediapipe_options import BlazePoseOptions
from fidgety.pose.native_output import quiet
from fidgety.skeletons import BLAZEPOSE_33, Skeleton

# Before the import: the library reads it once. Its notes on delegates are no news to a user.
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from mediapipe.python.solutions import pose as _blazepose

#: Side of the black picture that a graph is started with.
_START_PX = 64


def _start(graph: Any) -> None:
    """Load a graph's models now, which it does with the first picture; black is nobody."""
    graph.process(np.zeros((_START_PX, _START_PX, 3), np.uint8))


class BlazePose(PoseEstimator):
    """BlazePose (33 keypoints, complexity 1).

    Examples
    --------
    >>> with BlazePose(BlazePoseOptions()) as estimator:  # doctest: +SKIP
    ...     found = estimator.estimate(crops)
    """

    name: ClassVar[str] = "mediapipe"
    skeleton: Skeleton = BLAZEPOSE_33
    Options: ClassVar[type[Section]] = BlazePoseOptions
    libraries: ClassVar[tuple[str, ...]] = ("mediapipe",)
    crop_px: int = 384
    has_world: ClassVar[bool] = True

    def __init__(self, options: BlazePoseOptions) -> None:
        super().__init__(options)
        self._options = options
        self._graphs: dict[bool, Any] = {}

    def _graph(self, static: bool) -> Any:
        """Return the graph for independent pictures or for tracking, made when first asked."""
        if static not in self._graphs:
            with quiet():
                graph = _blazepose.Pose(
                    static_image_mode=static,
                    model_complexity=1,
                    smooth_landmarks=False,
                    enable_segmentation=False,
                    min_detection_confidence=self._options.min_detection_confidence,
                    min_tracking_confidence=self._options.min_tracking_confidence,
                )
                _start(graph)
            self._graphs[static] = graph
        return self._graphs[static]

    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        """Find the keypoints in a batch of crops; see :meth:`PoseEstimator.estimate`."""
        n, (height, width) = len(crops), crops.shape[1:3]
        k = len(self.skeleton.keypoints)
        position = np.full((n, 2, k), np.nan)
        confidence = np.zeros((n, k))
        world = np.full((n, 3, k), np.nan)
        graph = self._graph(static=not consecutive or self._options.mode == "static")
        for i, crop in enumerate(crops):
            found = graph.process(np.ascontiguousarray(crop))
            if not found.pose_landmarks:
                continue
            points = found.pose_landmarks.landmark
            position[i, 0] = [p.x * width for p in points]
            position[i, 1] = [p.y * height for p in points]
            confidence[i] = np.clip([p.visibility for p in points], 0.0, 1.0)
            if found.pose_world_landmarks:
                world[i] = np.array(
                    [(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark]
                ).T
        return Estimate(position, confidence, world)

    def reset(self) -> None:
        """Forget where the body was: the next batch shows another view."""
        if False in self._graphs:
            with quiet():
                self._graphs[False].reset()
                _start(self._graphs[False])

    def close(self) -> None:
        """Free the graphs."""
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()
