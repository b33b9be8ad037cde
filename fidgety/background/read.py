"""Reading body masks: some frames at a time, at any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from fidgety.background.apply import resize_mask
from fidgety.background.base import Frame, Mask
from fidgety.background.extract import SCHEMA
from fidgety.closing import Closing
from fidgety.storage import read_outcome


class BodyMasks(Closing):
    """The masks of a recording in an open file; a context manager.

    ``masks[start:stop]`` reads a stretch as it is stored, ``masks.at(k)`` one mask at the
    video's size.

    Parameters
    ----------
    path
        ``results/background/{recording}.h5``.

    Attributes
    ----------
    scale
        Mask pixels a video pixel.
    size
        Width and height of the video.
    fps
        Frames a second.
    method
        Name of the method that made them.
    follows_one
        Whether they are of one person, whoever else is in view.

    Raises
    ------
    NotAssessable
        If the file records a reason instead.
    StorageError
        If it is not such a file.
    """

    def __init__(self, path: Path | str) -> None:
        read_outcome(path, SCHEMA).raise_if_not_ok()
        self._file = h5py.File(path, "r")
        attributes = self._file.attrs
        self.scale = float(attributes["scale"])
        self.size = int(attributes["video_width_px"]), int(attributes["video_height_px"])
        self.fps = float(attributes["fps"])
        self.method = str(attributes["method"])
        self.follows_one = bool(attributes.get("follows_one", False))
        self._masks = self._file["mask"]

    def __len__(self) -> int:
        return int(self._masks.shape[0])

    def __getitem__(self, index: slice | int | list[int]) -> NDArray[np.uint8]:
        return np.asarray(self._masks[index], dtype=np.uint8)

    def at(self, frame: int, size: tuple[int, int] | None = None) -> Mask:
        """Return one mask at a size (width, height); the video's by default."""
        return resize_mask(self[frame], *(size or self.size))

    def iter(self, size: tuple[int, int] | None = None, chunk: int = 16) -> Iterator[Mask]:
        """Yield all masks in order at a size; the video's by default."""
        for start in range(0, len(self), chunk):
            for mask in self[start : start + chunk]:
                yield resize_mask(mask, *(size or self.size))

    def coverage(self) -> NDArray[np.float64]:
        """Return the share of the picture that is body, (frame,)."""
        return np.asarray(self._file["coverage"][:], dtype=np.float64)

    def background(self) -> Frame:
        """Return the background image at the masks' size, RGB."""
        return np.asarray(self._file["background"][:], dtype=np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_mask(path: Path | str, frame: int, size: tuple[int, int] | None = None) -> Mask:
    """Return the mask of one frame at a size (width, height); the video's by default."""
    with BodyMasks(path) as masks:
        return masks.at(frame, size)
