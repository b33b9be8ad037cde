"""The contract of a background method.

A method turns RGB frames into soft body masks. It may ask to see frames spread over the whole
recording first (a background image, or which way up the body lies, needs them); then every
frame comes once, in order. Reading, resizing and storing are not its business
(:mod:`fidgety.background.extract`).

To add one: a module in this folder with a subclass of :class:`BackgroundMethod`, and a line in
:mod:`fidgety.background.registry`. ``tests/background/test_methods.py`` checks every member.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.closing import Closing
from fidgety.config.base import Section

Frame = NDArray[np.uint8]
"""RGB (height, width, 3)."""
Mask = NDArray[np.uint8]
"""(height, width): 0 is background, 255 is body, between them are soft edges and doubt."""


class BackgroundMethod(Closing):
    """One way to tell the body from the background; a context manager.

    Parameters
    ----------
    options
        The method's own options, an instance of :attr:`Options`.

    Attributes
    ----------
    name
        Name in the registry.
    Options
        Model of its options: unknown keys are errors.
    libraries
        Distributions whose version decides its result.
    n_samples
        Frames, evenly spread over the recording, that it wants to see first; 0 for a method
        that needs a single pass.
    work_side_px
        Longest side of the frames that it wants: larger ones are reduced before.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Section]]
    libraries: ClassVar[tuple[str, ...]]
    n_samples: ClassVar[int] = 0
    work_side_px: ClassVar[int] = 400

    def __init__(self, options: Section) -> None:
        self.options = options

    def prepare(self, samples: NDArray[np.uint8]) -> None:
        """See frames of the whole recording.

        Parameters
        ----------
        samples : ndarray of shape (frame, height, width, 3)
            RGB, up to :attr:`n_samples` frames in order. Called once, before :meth:`masks`,
            if :attr:`n_samples` is above 0.
        """

    @property
    def follows_one(self) -> bool:
        """Whether masks are of one person, whoever else is in view: others cannot be counted."""
        return False

    @abc.abstractmethod
    def masks(self, frames: Iterable[Frame]) -> Iterator[Mask]:
        """Yield one mask a frame, of the frame's height and width.

        Parameters
        ----------
        frames
            RGB, one recording from its first frame on. Few are held at a time.
        """

    def close(self) -> None:
        """Free what the method holds."""
