"""Reading standard videos: constant rate, so frame ``k`` is at ``k / fps``.

Frames are RGB arrays (height, width, 3) uint8. Nothing here is for source videos: those go
through :mod:`fidgety.video.standardise` first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from fidgety.errors import StorageError

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """Size and length of a standard video."""

    width_px: int
    height_px: int
    rate: Fraction
    n_frames: int

    @property
    def fps(self) -> float:
        """Frames a second."""
        return float(self.rate)


def _open(path: Path | str) -> av.container.InputContainer:
    try:
        return av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        raise StorageError(
            f"{path}: cannot be read as a standard video ({error.strerror}). "
            "Delete it and run the workflow again."
        ) from None


def _info(stream: Any) -> VideoInfo:
    return VideoInfo(stream.width, stream.height, stream.average_rate, stream.frames)


def video_info(path: Path | str) -> VideoInfo:
    """Return size, rate and number of frames of a standard video.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    with _open(path) as container:
        return _info(container.streams.video[0])


def _index(frame: av.VideoFrame, rate: Fraction) -> int:
    return round(frame.pts * frame.time_base * rate)


def reduced_size(width: int, height: int, max_side_px: int) -> tuple[int, int]:
    """Return width and height with the longest side bounded; nothing is enlarged."""
    scale = min(1.0, max_side_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def iter_frames(
    path: Path | str,
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    size: tuple[int, int] | None = None,
) -> Iterator[Frame]:
    """Yield frames one by one.

    Parameters
    ----------
    path
        A standard video.
    start, stop, step
        Which frames, as in :func:`range`.
    size
        Width and height to scale to; None keeps the video's.

    Yields
    ------
    ndarray
        (height, width, 3) uint8, RGB.
    """
    with _open(path) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        reformatter = VideoReformatter()
        if start > 0:
            _seek(container, stream, start)
        for frame in container.decode(stream):
            index = _index(frame, rate)
            if stop is not None and index >= stop:
                return
            if index >= start and (index - start) % step == 0:
                yield _rgb(reformatter, frame, size)


def _seek(container: Any, stream: Any, index: int) -> None:
    """Go to the key frame before a frame."""
    container.seek(
        round(index / (stream.average_rate * stream.time_base)), stream=stream, backward=True
    )


def _rgb(
    reformatter: VideoReformatter, frame: av.VideoFrame, size: tuple[int, int] | None
) -> Frame:
    width, height = size or (frame.width, frame.height)
    rgb = reformatter.reformat(
        frame,
        width,
        height,
        format="rgb24",
        # Without full chroma swscale's scaled RGB is two levels too dark.
        interpolation=Interpolation.AREA | Interpolation.FULL_CHR_H_INT,
        threads=1,
    )
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def iter_batches(path: Path | str, size: int, *, step: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Yield frames in batches (n, height, width, 3); the last one may be smaller."""
    batch: list[Frame] = []
    for frame in iter_frames(path, step=step):
        batch.append(frame)
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def read_frames(
    path: Path | str, indices: Sequence[int], size: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Return some frames by number, each found by its time stamp.

    Parameters
    ----------
    path
        A standard video.
    indices
        Frame numbers in increasing order.
    size
        Width and height to scale to; None keeps the video's.

    Returns
    -------
    ndarray
        (n, height, width, 3) uint8, RGB.

    Raises
    ------
    IndexError
        If there is no such frame.
    """
    found: list[Frame] = []
    with _open(path) as container:
        stream = container.streams.video[0]
        rate, gop = stream.average_rate, max(1, round(float(stream.average_rate)))
        reformatter = VideoReformatter()
        frames = container.decode(stream)
        position = -1
        for wanted in indices:
            if wanted - position > gop:
                _seek(container, stream, wanted)
                frames = container.decode(stream)
            for frame in frames:
                position = _index(frame, rate)
                if position >= wanted:
                    break
            if position != wanted:
                raise IndexError(f"{path} has no frame {wanted}")
            found.append(_rgb(reformatter, frame, size))
    return np.stack(found)


def sample_indices(n_frames: int, n: int) -> list[int]:
    """Return up to ``n`` different frame numbers, evenly spread, in the middle of their parts."""
    n = min(n, n_frames)
    return [int((k + 0.5) * n_frames / n) for k in range(n)]


def sample_frames(path: Path | str, n: int) -> tuple[list[int], NDArray[np.uint8]]:
    """Return up to ``n`` frames, evenly spread over a video.

    Returns
    -------
    list of int
        Their numbers.
    ndarray
        (n, height, width, 3) uint8, RGB.
    """
    indices = sample_indices(video_info(path).n_frames, n)
    return indices, read_frames(path, indices)
