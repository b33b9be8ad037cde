"""Files of crops and flow (schema ``pixels/1``).

========  ==================================  ==================================================
variable  dimensions                          content
========  ==================================  ==================================================
crop      moment, row, column, channel        RGB of the body alone, turned upright
flow      field, row, column, direction       between a moment and the next, pixels a field, x
                                              right and y down; 8 bits or float16
frame     moment                              of the standard video
time_s    moment                              seconds
========  ==================================  ==================================================

Attributes: ``centre_x_px``, ``centre_y_px``, ``length_px``, ``angle_deg``, ``frames`` of the
alignment; ``fps`` of the video, ``rate_hz`` of the fields, ``flow_method``, ``size_px``.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fidgety.closing import Closing
from fidgety.pixels.alignment import Alignment
from fidgety.pixels.packing import unpack_flow
from fidgety.storage import number_of, read_outcome

PIXELS_SCHEMA = "pixels/1"
#: Numbers among the attributes.
NUMBERS = (
    "rate_hz", "fps", "size_px", "centre_x_px", "centre_y_px", "length_px", "angle_deg", "frames",
)  # fmt: skip


class Pixels(Closing):
    """The crops and the flow of a recording; a context manager.

    Any number of processes may read one: each opens the file for itself when it first reads, so
    that an object can be made before workers are started and handed to them.

    Parameters
    ----------
    path
        ``results/pixels/{recording}.h5``.

    Raises
    ------
    NotAssessable
        If the file records a reason instead.
    StorageError
        If it is not such a file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        read_outcome(path, PIXELS_SCHEMA).raise_if_not_ok()
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._owner = -1
        with h5py.File(self.path, "r") as file:
            self.time_s = np.asarray(file["time_s"][:], dtype=np.float64)
            self.frame = np.asarray(file["frame"][:], dtype=np.int64)
            told = {name: number_of(file, name) for name in NUMBERS}
            self.rate_hz, self.fps = told["rate_hz"], told["fps"]
            self.size_px = int(told["size_px"])
            self.alignment = Alignment(
                (told["centre_x_px"], told["centre_y_px"]),
                told["length_px"],
                told["angle_deg"],
                int(told["frames"]),
            )

    @property
    def n_fields(self) -> int:
        """Number of fields; there is one crop more."""
        return len(self.time_s) - 1

    @property
    def _open(self) -> h5py.File:
        if self._file is None or self._owner != os.getpid():
            self._file, self._owner = h5py.File(self.path, "r"), os.getpid()
        return self._file

    def crops(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return crops of shape (moment, row, column, 3), RGB."""
        return np.asarray(self._open["crop"][start:stop], dtype=np.uint8)

    def flow(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return fields of shape (field, row, column, 2) in pixels."""
        return unpack_flow(np.asarray(self._open["flow"][start:stop]))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_file": None, "_owner": -1}

    def close(self) -> None:
        """Close the file, if this process opened it."""
        if self._file is not None and self._owner == os.getpid():
            self._file.close()
        self._file = None
