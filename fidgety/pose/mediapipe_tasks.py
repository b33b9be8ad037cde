"""BlazePose by mediapipe's present interface, Tasks, with a model file that you bring.

The same 33 keypoints, visibilities and 3D positions in metres as the ``mediapipe`` estimator
(:mod:`fidgety.pose.mediapipe`, where the papers are), whose interface ended with mediapipe
0.10.21. Tasks goes on, has two more models (lite and heavy), and takes a ``.task`` file.

Consecutive frames go through VIDEO mode, which tracks; independent pictures through IMAGE mode.
VIDEO mode smooths, and cannot be told not to, which would hide what was measured (smoothing is a
step of its own here). So it is kept from it:

- Positions go through a one-euro filter (Casiez et al. 2012), whose weight of the past falls
  with the time since the last frame. Frames are stamped 28 hours apart: the past's weight is
  then below 1e-4, and nothing else depends on the stamps.
- Visibilities go through an exponential filter, a tenth of which is new in each frame: a limb
  out of view would keep half of its confidence for 7 frames. The filter is undone.

On the phantom of the tests positions differ from the ``mediapipe`` estimator's by 0.01 trunk
lengths in the median (the two place the region of interest differently), errors are equal.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.config.base import Section
from fidgety.errors import ConfigError, FidgetyError
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.mediapipe_tasks_options import WHERE_TO_GET_IT, PoseLandmarkerOptions
from fidgety.pose.native_output import quiet
from fidgety.skeletons import BLAZEPOSE_33, Skeleton

# Before the import: the library reads it once. Its notes on delegates are no news to a user.
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

#: Milliseconds between the stamps of two frames.
STEP_MS = 10**8
#: Share of the new value in the library's filter of visibilities.
NEW_SHARE = 0.1
#: How far outside 0 to 1 an unfiltered visibility may be by rounding.
ROUNDING = 1e-3
#: Side of the black picture that a graph is started with.
_START_PX = 64


def unfiltered(
    visibility: NDArray[np.float64], before: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Undo the exponential filter of VIDEO mode.

    Parameters
    ----------
    visibility : ndarray of shape (keypoint,)
        Filtered, of this frame.
    before : ndarray of shape (keypoint,), optional
        Filtered, of the frame before; None where there was no body: the filter began anew.

    Returns
    -------
    ndarray of shape (keypoint,)
        Between 0 and 1.

    Raises
    ------
    FidgetyError
        If no visibility between 0 and 1 gives these values: another version of the library
        filters in another way.
    """
    if before is None:
        return np.clip(visibility, 0.0, 1.0)
    new = (visibility - (1.0 - NEW_SHARE) * before) / NEW_SHARE
    if new.min() < -ROUNDING or new.max() > 1.0 + ROUNDING:
        raise FidgetyError(
            "pose.method mediapipe_tasks: this version of mediapipe smooths visibilities in "
            "another way than 0.10.21, which is undone here. Set pose.options.mode to 'static'."
        )
    return np.clip(new, 0.0, 1.0)


class PoseLandmarker(PoseEstimator):
    """BlazePose (33 keypoints) from a ``.task`` file.

    Parameters
    ----------
    options
        The model file, and how to run it.

    Raises
    ------
    ConfigError
        If the file is missing, is another one, or is no pose landmarker.
    """

    name: ClassVar[str] = "mediapipe_tasks"
    skeleton: Skeleton = BLAZEPOSE_33
    Options: ClassVar[type[Section]] = PoseLandmarkerOptions
    libraries: ClassVar[tuple[str, ...]] = ("mediapipe",)
    crop_px: int = 384
    has_world: ClassVar[bool] = True

    def __init__(self, options: PoseLandmarkerOptions) -> None:
        super().__init__(options)
        self._options = options
        findings = options.check()
        if findings:
            raise ConfigError("\n".join(findings))
        # The file is read once: what was checked is what runs.
        self._content = options.path.read_bytes()
        found = hashlib.sha256(self._content).hexdigest()
        if options.sha256 is not None and found != options.sha256.lower():
            raise ConfigError(
                f"pose.options.model: {options.path} has SHA-256 {found}, expected "
                f"{options.sha256}. Either the file is damaged, or it is another one: then give "
                f"its checksum in pose.options.sha256. {WHERE_TO_GET_IT}"
            )
        self._graphs: dict[bool, Any] = {}
        self._stamp_ms = 0
        self._filtered: NDArray[np.float64] | None = None
        self._graph(static=self._options.mode == "static")

    def _graph(self, static: bool) -> Any:
        """Return the graph for independent pictures or for tracking, made when first asked."""
        if static not in self._graphs:
            mode = vision.RunningMode.IMAGE if static else vision.RunningMode.VIDEO
            settings = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=self._content),
                running_mode=mode,
                num_poses=1,
                min_pose_detection_confidence=self._options.min_detection_confidence,
                min_pose_presence_confidence=self._options.min_tracking_confidence,
                min_tracking_confidence=self._options.min_tracking_confidence,
            )
            with quiet():
                try:
                    graph = vision.PoseLandmarker.create_from_options(settings)
                except (RuntimeError, ValueError) as error:
                    raise ConfigError(
                        f"pose.options.model: {self._options.path} cannot be opened as a pose "
                        f"landmarker: {error} {WHERE_TO_GET_IT}"
                    ) from None
                self._graphs[static] = graph
                # Models are loaded with the first picture; black is nobody.
                self._detect(np.zeros((_START_PX, _START_PX, 3), np.uint8), static)
        return self._graphs[static]

    def _detect(self, crop: NDArray[np.uint8], static: bool) -> Any:
        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(crop))
        if static:
            return self._graphs[True].detect(picture)
        self._stamp_ms += STEP_MS
        return self._graphs[False].detect_for_video(picture, self._stamp_ms)

    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        """Find the keypoints in a batch of crops; see :meth:`PoseEstimator.estimate`."""
        n, (height, width) = len(crops), crops.shape[1:3]
        k = len(self.skeleton.keypoints)
        position = np.full((n, 2, k), np.nan)
        confidence = np.zeros((n, k))
        world = np.full((n, 3, k), np.nan)
        static = not consecutive or self._options.mode == "static"
        self._graph(static)
        for i, crop in enumerate(crops):
            found = self._detect(crop, static)
            if not found.pose_landmarks:
                if not static:
                    self._filtered = None
                continue
            points = found.pose_landmarks[0]
            position[i, 0] = [p.x * width for p in points]
            position[i, 1] = [p.y * height for p in points]
            visibility = np.array([p.visibility for p in points], dtype=np.float64)
            if static:
                confidence[i] = np.clip(visibility, 0.0, 1.0)
            else:
                confidence[i] = unfiltered(visibility, self._filtered)
                self._filtered = visibility
            if found.pose_world_landmarks:
                world[i] = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks[0]]).T
        return Estimate(position, confidence, world)

    def reset(self) -> None:
        """Forget where the body was: the next batch shows another view."""
        graph = self._graphs.pop(False, None)
        if graph is not None:
            graph.close()
        self._stamp_ms, self._filtered = 0, None

    def close(self) -> None:
        """Free the graphs."""
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()
