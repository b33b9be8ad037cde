"""A shelf: arrays on disk that are used like arrays in memory.

A training goes through its recordings batch by batch, in an order of its own. A thousand recordings
of five minutes fill gigabytes, and trainings run side by side; on a shelf they lie in a file that
the system maps into memory piece by piece, and takes out again when something else needs the room.
Small cohorts stay in memory.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fidgety.config.learning import SERIES_IN_MEMORY_MB

if TYPE_CHECKING:
    from fidgety.datasets.series import Series

Number = TypeVar("Number", bound=np.generic)

#: Below this, arrays stay in memory.
IN_MEMORY_BYTES = SERIES_IN_MEMORY_MB * 10**6
#: Room is taken by this much at a time: there is a limit to the number of maps of a process.
CHUNK_BYTES = 1 << 28
ALIGNMENT = 64


class Shelf:
    """Room for arrays, in memory first and then in files that nobody else sees.

    The files have no name: nothing is left of them when the process ends, however it does.

    Parameters
    ----------
    folder
        Where the files are made; on a disk with room, not in memory. It is made when it is needed.
    in_memory_bytes
        What stays in memory of all that is put here.
    chunk_bytes
        Size of a file, at least.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        in_memory_bytes: int = IN_MEMORY_BYTES,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.folder = Path(folder)
        self.in_memory_bytes, self.chunk_bytes = in_memory_bytes, chunk_bytes
        self._room: NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self._used = 0

    def put(self, values: NDArray[Number]) -> NDArray[Number]:
        """Return an array of the same values, which may be changed; the given one may go.

        Raises
        ------
        OSError
            If the disk is full.
        """
        if values.nbytes <= self.in_memory_bytes:
            self.in_memory_bytes -= values.nbytes
            return values
        if values.nbytes > len(self._room) - self._used:
            self._room = self._chunk(max(values.nbytes, self.chunk_bytes))
            self._used = 0
        place = self._room[self._used : self._used + values.nbytes]
        self._used += -(-values.nbytes // ALIGNMENT) * ALIGNMENT
        kept: NDArray[Any] = place.view(values.dtype).reshape(values.shape)
        kept[...] = values
        return kept

    def put_series(self, series: Series) -> Series:
        """Return the series with its values here."""
        mirrored = None if series.mirrored is None else self.put(series.mirrored)
        return replace(series, values=self.put(series.values), mirrored=mirrored)

    def _chunk(self, size: int) -> NDArray[np.uint8]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            # Taken now: a disk that is full when a map is written to would kill the process.
            os.posix_fallocate(file.fileno(), 0, size)
            mapped: NDArray[np.uint8] = np.memmap(file, dtype=np.uint8, mode="r+", shape=(size,))
        return mapped
