"""Clips of crops and flow, as a two-stream network reads them (Hashimoto 2022)."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import ConfigError
from fidgety.pixels.packing import LIMIT_PX
from fidgety.pixels.store import Pixels

#: Channels of a clip that are the crop's; those of flow follow.
CROP_CHANNELS = 3


def middle_of(start: int, stop: int) -> int:
    """Return the moment whose crop stands for a clip of some fields."""
    return (start + stop) // 2


class PixelClips:
    """A recording's crops and flow, read clip by clip.

    Parameters
    ----------
    path
        ``results/pixels/{recording}.h5``.
    rate_hz
        Fields a second that are wanted.

    Raises
    ------
    NotAssessable
        If the file records a reason instead.
    ConfigError
        If its fields are of another rate.
    """

    def __init__(self, path: str | os.PathLike[str], rate_hz: float) -> None:
        self.pixels = Pixels(path)
        if abs(self.pixels.rate_hz - rate_hz) > 1e-6:
            raise ConfigError(
                f"{path}: has {self.pixels.rate_hz:g} fields of flow a second, the model reads "
                f"{rate_hz:g}: set pixels.rate_hz to that."
            )

    @property
    def n_fields(self) -> int:
        """Number of fields of flow."""
        return self.pixels.n_fields

    @property
    def start_s(self) -> float:
        """Time of the first crop."""
        return float(self.pixels.time_s[0])

    def read(self, start: int, stop: int, mirrored: bool = False) -> NDArray[np.float32]:
        """Return a clip: the middle crop and the fields around it.

        Parameters
        ----------
        start, stop
            Fields.
        mirrored
            Left and right exchanged: columns in reverse, x of the flow negated.

        Returns
        -------
        ndarray of shape (3 + 2 * field, row, column)
            Red, green and blue between 0 and 1; x and y of every field in turn, between -1 and 1
            (:data:`~fidgety.pixels.packing.LIMIT_PX`).
        """
        middle = middle_of(start, stop)
        crop = self.pixels.crops(middle, middle + 1)[0].astype(np.float32) / 255
        flow = self.pixels.flow(start, stop) / np.float32(LIMIT_PX)
        rows, columns = crop.shape[:2]
        channels = flow.transpose(0, 3, 1, 2).reshape(-1, rows, columns)
        clip = np.concatenate([crop.transpose(2, 0, 1), channels])
        if not mirrored:
            return clip
        clip = clip[:, :, ::-1].copy()
        clip[CROP_CHANNELS::2] *= -1
        return clip
