"""Body masks by mediapipe, with the weights that its wheel carries: no download, no network.

Two models are in the wheel. On rendered phantoms lying at eight angles (56 to 326 degrees),
BlazePose's segmentation reached an IoU of 0.96 to 0.98 with the picture turned in any way: its
detector finds the body's own axis (Bazarevsky et al. 2020, "BlazePose: on-device real-time
body pose tracking"). Selfie segmentation is five times as fast, but stayed between 0.32 and
0.90: it expects people who sit in front of the camera. So ``pose`` is the default.

A detector made with people upright may still miss an infant upside down. So frames from the
whole recording are looked at first; if the body is not found in nearly all of them, the
quarter turn is taken in which it is found best.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.background.base import BackgroundMethod, Frame, Mask
from fidgety.background.mediapipe_options import MediapipeMaskOptions
from fidgety.config.base import Section

# Before the import: the library reads it once. Its notes on delegates are no news to a user.
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from mediapipe.python.solutions import pose as _pose
from mediapipe.python.solutions import selfie_segmentation as _selfie

#: Mean quality over the sampled frames from which no further quarter turn is tried.
GOOD = 0.8


class MediapipeMask(BackgroundMethod):
    """BlazePose's or selfie segmentation's mask."""

    name: ClassVar[str] = "mediapipe"
    Options: ClassVar[type[Section]] = MediapipeMaskOptions
    libraries: ClassVar[tuple[str, ...]] = ("mediapipe",)
    n_samples: ClassVar[int] = 12
    work_side_px: ClassVar[int] = 400

    def __init__(self, options: MediapipeMaskOptions) -> None:
        super().__init__(options)
        self._options = options
        self._turns: int = 0 if options.quarter_turns == "auto" else options.quarter_turns

    @property
    def follows_one(self) -> bool:
        """See :attr:`MediapipeMaskOptions.follows_one`."""
        return self._options.follows_one

    def _model(self, static: bool) -> Any:
        if self._options.model == "selfie":
            return _selfie.SelfieSegmentation(model_selection=0)
        return _pose.Pose(
            static_image_mode=static,
            model_complexity=1,
            smooth_landmarks=False,
            enable_segmentation=True,
            # Smoothing would mix the previous frame's mask into this one's.
            smooth_segmentation=False,
            min_detection_confidence=self._options.min_confidence,
            min_tracking_confidence=self._options.min_confidence,
        )

    def _quality(self, model: Any, picture: Frame) -> float:
        """Say how well the model finds a body, from 0 to 1."""
        found = model.process(picture)
        if self._options.model == "pose":
            if not found.pose_landmarks:
                return 0.0
            return float(np.mean([p.visibility for p in found.pose_landmarks.landmark]))
        if found.segmentation_mask is None:
            return 0.0
        # How decided the mask is where it sees a body: doubt pulls it towards one half.
        body = found.segmentation_mask[found.segmentation_mask > 0.5]
        return float(body.mean()) if body.size else 0.0

    def prepare(self, samples: NDArray[np.uint8]) -> None:
        """Find the quarter turn in which the body is found best."""
        if self._options.quarter_turns != "auto":
            return
        best = -1.0
        with self._model(static=True) as model:
            for turns in range(4):
                quality = float(
                    np.mean([self._quality(model, _turned(frame, turns)) for frame in samples])
                )
                if quality > best:
                    best, self._turns = quality, turns
                if best >= GOOD and self._options.model == "pose":
                    break

    def masks(self, frames: Iterable[Frame]) -> Iterator[Mask]:
        """Yield a mask a frame; frames without a body have an empty one."""
        with self._model(static=self._options.mode == "static") as model:
            for frame in frames:
                soft = model.process(_turned(frame, self._turns)).segmentation_mask
                if soft is None:
                    yield np.zeros(frame.shape[:2], np.uint8)
                    continue
                mask = np.rint(255 * np.clip(soft, 0.0, 1.0)).astype(np.uint8)
                yield np.ascontiguousarray(np.rot90(mask, -self._turns))


def _turned(frame: Frame, turns: int) -> Frame:
    return np.ascontiguousarray(np.rot90(frame, turns))
