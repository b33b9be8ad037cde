"""The contract of a pose estimator.

An estimator sees square RGB crops in which the infant is upright (head up) and says where the
keypoints are, in pixels of the crop. Where the crop comes from and how its coordinates go back
into the video is not its business (:mod:`fidgety.pose.crop`, :mod:`fidgety.pose.orientation`).

To add one: a module in this folder with a subclass of :class:`PoseEstimator`, and a line in
:mod:`fidgety.pose.registry`. ``tests/pose/test_estimators.py`` checks every member.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.closing import Closing
from fidgety.config.base import Section
from fidgety.skeletons import Skeleton


@dataclass(frozen=True)
class Estimate:
    """What an estimator found in a batch of crops.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        Pixels of the crop, x right, y down, (0, 0) the outer corner of the first pixel; NaN in
        frames without a body. Points outside the crop are possible.
    confidence : ndarray of shape (frame, keypoint)
        Between 0 and 1; 0 in frames without a body.
    world : ndarray of shape (frame, 3, keypoint), optional
        Metres, x right and y down in the crop, z away from the camera; the origin is the
        estimator's own.
    """

    position: NDArray[np.float64]
    confidence: NDArray[np.float64]
    world: NDArray[np.float64] | None = None

    @property
    def detected(self) -> NDArray[np.bool_]:
        """For each frame whether there is a body: array of shape (frame,)."""
        known: NDArray[np.bool_] = np.isfinite(self.position)
        return np.asarray(np.any(np.all(known, axis=1), axis=1), dtype=np.bool_)


class PoseEstimator(Closing):
    """One way to find keypoints in pictures; a context manager that frees its resources.

    Parameters
    ----------
    options
        The estimator's own options, an instance of :attr:`Options`.

    Attributes
    ----------
    name
        Name in the registry.
    skeleton
        Keypoints that it gives; of the class where they are always the same, else of the instance.
    Options
        Model of its options: unknown keys are errors.
    libraries
        Distributions whose version decides its result.
    crop_px
        Side of the square crops that it wants; of the class or of the instance.
    has_world
        Whether it gives 3D positions.
    again
        Whether one instance may see recordings one after the other: loading it is dear, and it
        remembers nothing of what it saw.
    """

    name: ClassVar[str]
    skeleton: Skeleton
    Options: ClassVar[type[Section]]
    libraries: ClassVar[tuple[str, ...]]
    crop_px: int
    has_world: ClassVar[bool]
    again: ClassVar[bool] = False

    def __init__(self, options: Section) -> None:
        self.options = options

    @abc.abstractmethod
    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        """Find the keypoints in a batch of crops.

        Parameters
        ----------
        crops : ndarray of shape (frame, height, width, 3)
            RGB, upright.
        consecutive
            True: the frames follow the last batch's in one and the same view, so the
            estimator may track. False: independent pictures; what was tracked stays as it
            was.

        Returns
        -------
        Estimate
        """

    def use_threads(self, threads: int) -> None:
        """Use this many processor threads: as many as the job was given."""

    def reset(self) -> None:
        """Forget what was tracked: the next batch shows another view."""

    def close(self) -> None:
        """Free what the estimator holds."""
