"""Writing H.264 video: constant rate, whole or absent, equal frames give equal bytes."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from fidgety.files import atomic_path
from fidgety.video.timing import snap_rate

_BT709 = 1
_LIMITED = 1

#: x264's options that make equal pictures equal bytes. The bitstream depends on the number of
#: threads; and the macroblock tree reads memory that nothing wrote on processors with AVX-512
#: (found by ``MALLOC_PERTURB_``), so that a file depends on what the process did before.
REPRODUCIBLE_X264 = {"threads": "1", "x264-params": "mbtree=0"}


class VideoWriter:
    """Writes an mp4 file that browsers play (H.264, yuv420p, BT.709), without metadata.

    Use it as a context manager; the file is in its place when the block ends without an
    error, and absent otherwise::

        with VideoWriter(path, fps=25, width=640, height=360) as writer:
            for frame in frames:
                writer.write(frame)

    Parameters
    ----------
    path
        Name of the file, ending in ``.mp4``.
    fps
        Frames a second; a rate next to a standard one (29.97) is taken for it.
    width, height
        Size in pixels, both even.
    crf
        Quality from 0 (lossless) to 51; 18 looks like the source.
    preset
        x264's preset: speed against size.
    most_kbps
        Kilobits a second that it takes at most, over any two seconds; quality gives way. None is
        no limit.

    Raises
    ------
    ValueError
        If a size is odd.
    """

    def __init__(
        self,
        path: Path | str,
        fps: float | Fraction,
        width: int,
        height: int,
        crf: int = 18,
        preset: str = "veryfast",
        most_kbps: int | None = None,
    ) -> None:
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"sizes must be even and positive, found {width} x {height}")
        self.path = Path(path)
        self.rate = fps if isinstance(fps, Fraction) else snap_rate(float(fps))
        self.width = width
        self.height = height
        self.crf = crf
        self.preset = preset
        self.most_kbps = most_kbps
        self.n_frames = 0
        self._stack = contextlib.ExitStack()
        self._reformatter = VideoReformatter()

    def __enter__(self) -> VideoWriter:
        temporary = self._stack.enter_context(atomic_path(self.path))
        try:
            self._container = self._stack.enter_context(
                av.open(
                    str(temporary),
                    "w",
                    format="mp4",
                    options={"fflags": "+bitexact", "movflags": "+faststart"},
                )
            )
            self._stream = self._container.add_stream(
                "libx264",
                rate=self.rate,
                options={
                    "crf": str(self.crf),
                    "preset": self.preset,
                    **self._limit(),
                    **REPRODUCIBLE_X264,
                },
            )
            self._stream.width = self.width
            self._stream.height = self.height
            self._stream.pix_fmt = "yuv420p"
            context = self._stream.codec_context
            context.thread_count = 1
            context.gop_size = max(1, round(float(self.rate)))
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
            context.time_base = 1 / self.rate
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _limit(self) -> dict[str, str]:
        if self.most_kbps is None:
            return {}
        return {"maxrate": f"{self.most_kbps}k", "bufsize": f"{2 * self.most_kbps}k"}

    def write(self, frame: NDArray[np.uint8] | av.VideoFrame) -> None:
        """Append a frame.

        Parameters
        ----------
        frame
            RGB (height, width, 3) uint8, or a frame that is already yuv420p in BT.709.

        Raises
        ------
        ValueError
            If it has another size or type.
        """
        if isinstance(frame, np.ndarray):
            if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
                raise ValueError(
                    f"frame of shape {frame.shape} and type {frame.dtype}, expected "
                    f"({self.height}, {self.width}, 3) uint8"
                )
            frame = self._reformatter.reformat(
                av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                threads=1,
            )
        elif (frame.width, frame.height) != (self.width, self.height):
            raise ValueError(
                f"frame of {frame.width} x {frame.height}, expected {self.width} x {self.height}"
            )
        frame.colorspace, frame.color_range = _BT709, _LIMITED
        frame.color_trc = frame.color_primaries = _BT709
        frame.pts = self.n_frames
        frame.time_base = 1 / self.rate
        frame.pict_type = 0
        self._container.mux(self._stream.encode(frame))
        self.n_frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                if not self.n_frames:
                    raise ValueError(f"{self.path}: no frame was written")
                self._container.mux(self._stream.encode(None))
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)
