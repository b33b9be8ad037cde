"""The contract of a lifter.

A lifter takes a clean pose and gives 3D positions in the Human3.6M-17 skeleton, as the body lies
in the picture. That the pelvis goes to zero and the body is turned upright is not its business
(:mod:`fidgety.pose.lifting`).

To add one: a module in this folder with a subclass of :class:`Lifter`, its options in a module
of the same name with ``_options`` behind, and a line in :mod:`fidgety.pose.lifters.registry`.
``tests/pose/test_lifters.py`` checks every member.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.pose.estimator_options import EstimatorOptions

if TYPE_CHECKING:  # a plan knows lifters by name, and needs no SciPy for it
    from fidgety.pose.cleaning import Cleaned


@dataclass(frozen=True)
class Lifted:
    """What a lifter gives.

    Parameters
    ----------
    position : ndarray of shape (frame, 3, 17)
        Human3.6M-17: x right and y down in the picture, z away from the camera; NaN is missing.
    origin : ndarray of uint8, shape (frame, 17)
        :class:`~fidgety.pose.tracks.Origin` of each value.
    units
        As in a pose file.
    details
        ``method`` and what was done, for the file.
    """

    position: NDArray[np.float64]
    origin: NDArray[np.uint8]
    units: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Lifter(abc.ABC):
    """One way to 3D positions.

    Parameters
    ----------
    options
        The lifter's own options, an instance of :attr:`Options`.

    Attributes
    ----------
    name
        Name in the registry.
    Options
        Model of its options: unknown keys are errors; it tells the plan what the job needs.
    libraries
        Distributions whose version decides its result.
    """

    name: ClassVar[str]
    Options: ClassVar[type[EstimatorOptions]]
    libraries: ClassVar[tuple[str, ...]]

    def __init__(self, options: EstimatorOptions) -> None:
        self.options = options

    def use_threads(self, threads: int) -> None:  # noqa: B027 - some use one
        """Use this many processor threads: as many as the job was given."""

    @abc.abstractmethod
    def lift(self, cleaned: Cleaned, picture: tuple[int, int] | None = None) -> Lifted:
        """Give the 3D positions of one recording.

        Parameters
        ----------
        cleaned
            Clean pose.
        picture
            Width and height of the picture in pixels; None where there is no video.

        Raises
        ------
        NotAssessable
            ``no_3d`` if this pose cannot be lifted; ``skeleton_mismatch`` if its keypoints do
            not give the skeleton.
        """
