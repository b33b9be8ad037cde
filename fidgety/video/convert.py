"""Decoded frames to 8-bit SDR pictures of the standard size: cropped, scaled, upright.

libavfilter does it, so full-size pictures never pass through Python. HLG and PQ are mapped
to BT.709 by swscale (``intent=perceptual``): linear light, BT.2020 to BT.709 primaries, and
one smooth curve from the source's whole range to the SDR range. Highlights are rolled off where
clipping would lose a white blanket's folds; middle tones get a little darker for it. Without
mastering metadata the source's peak is taken as 1,000 cd/m2 (HLG) and 10,000 cd/m2 (PQ). It is
done after scaling, because its cost goes with the number of pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import av
import av.filter

from fidgety.video.geometry import Geometry
from fidgety.video.probe import frame_transfer

# Code points of matrix, primaries and transfer (ITU-T H.273), and of AVColorRange.
RGB, BT709, UNSPECIFIED, SMPTE170M, BT2020 = 0, 1, 2, 6, 9
LIMITED, FULL = 1, 2
SCALER = "bicubic+accurate_rnd+full_chroma_int+bitexact"
# Keeps swscale from guessing primaries from the matrix, and from converting them.
SAME_COLOURS = ":".join(
    f"{key}={BT709}" for key in ("in_primaries", "in_transfer", "out_primaries", "out_transfer")
)


def _matrix(frame: av.VideoFrame) -> int:
    """Return the YUV matrix of a frame; where it is not said, by size as players do."""
    if frame.format.is_rgb:
        return RGB
    if int(frame.colorspace) not in (RGB, UNSPECIFIED):
        return int(frame.colorspace)
    return BT709 if frame.height >= 720 or frame.width >= 1280 else SMPTE170M


def _range(frame: av.VideoFrame) -> int:
    if int(frame.color_range) in (LIMITED, FULL):
        return int(frame.color_range)
    return FULL if frame.format.is_rgb or frame.format.name.startswith("yuvj") else LIMITED


def _source(frame: av.VideoFrame, matrix: int, range_: int) -> str:
    """Describe a frame to libavfilter's ``buffer``."""
    return (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000:"
        f"pixel_aspect=1/1:colorspace={matrix}:range={range_}"
    )


def _chain(*filters: tuple[str, str]) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(*nodes).configure()
    return graph


class Converter:
    """Turns decoded frames into standard ones.

    Parameters
    ----------
    geometry
        Crop, size and orientation. It was planned for one coded size; frames of another (a
        stream may change it) are cropped in proportion.
    coded_size
        That coded size: width, height.
    """

    def __init__(self, geometry: Geometry, coded_size: tuple[int, int]) -> None:
        self.geometry = geometry
        self.coded_size = coded_size
        self.n_tone_mapped = 0
        self.n_resized = 0
        self._key: tuple[Any, ...] | None = None
        self._graph: av.filter.Graph | None = None

    def _build(self, frame: av.VideoFrame, matrix: int, range_: int) -> av.filter.Graph:
        ratio_x, ratio_y = frame.width / self.coded_size[0], frame.height / self.coded_size[1]
        x, y, w, h = self.geometry.coded_crop
        left, top = round(x * ratio_x), round(y * ratio_y)
        w, h = max(1, round(w * ratio_x)), max(1, round(h * ratio_y))
        orientation = self.geometry.orientation
        width, height = orientation.size(*self.geometry.size)
        scale = f"{width}:{height}:flags={SCALER}:in_color_matrix={matrix}:in_range={range_}"
        to_standard = f"out_color_matrix={BT709}:out_range={LIMITED}"
        filters = [("buffer", _source(frame, matrix, range_))]
        if (left, top, w, h) != (0, 0, frame.width, frame.height):
            filters.append(("crop", f"{w}:{h}:{left}:{top}:exact=1"))
        if frame_transfer(frame) == "sdr":
            filters.append(("scale", f"{scale}:{SAME_COLOURS}:{to_standard}"))
        else:
            primaries = int(frame.color_primaries)
            primaries = BT2020 if primaries == UNSPECIFIED else primaries
            filters += [
                ("scale", scale),
                ("format", "yuv444p10le"),
                (
                    "scale",
                    f"flags={SCALER}:in_transfer={int(frame.color_trc)}:in_primaries={primaries}:"
                    f"out_transfer={BT709}:out_primaries={BT709}:intent=perceptual:{to_standard}",
                ),
            ]
        filters.append(("format", "yuv420p"))
        if orientation.transpose:
            filters.append(("transpose", "dir=cclock_flip"))
        if orientation.hflip:
            filters.append(("hflip", ""))
        if orientation.vflip:
            filters.append(("vflip", ""))
        filters.append(("buffersink", ""))
        return _chain(*filters)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Convert one frame; the result holds the picture alone, no side data."""
        matrix, range_ = _matrix(frame), _range(frame)
        hdr = frame_transfer(frame) != "sdr"
        key = (frame.width, frame.height, frame.format.name, matrix, range_) + (
            (int(frame.color_trc), int(frame.color_primaries)) if hdr else ()
        )
        if key != self._key:
            self._graph = self._build(frame, matrix, range_)
            self._key = key
        assert self._graph is not None
        self.n_tone_mapped += hdr
        self.n_resized += (frame.width, frame.height) != self.coded_size
        frame.colorspace, frame.color_range = matrix, range_
        if not hdr:
            # SDR stays as it is: swscale would guess primaries from the matrix and convert.
            frame.color_trc = frame.color_primaries = BT709
        frame.pts = 0
        self._graph.push(frame)
        picture = self._graph.pull()
        # A new frame: side data (time codes, device data) of the source ends here.
        return av.VideoFrame.from_ndarray(picture.to_ndarray(), "yuv420p")


class Deinterlacer:
    """Makes whole pictures of interlaced frames, one for one (BWDIF).

    It sets in at the first frame that is marked; progressive frames pass unchanged.

    Parameters
    ----------
    mode
        ``"auto"`` acts on marked frames, ``"always"`` on all, ``"never"`` on none.
    """

    def __init__(self, mode: Literal["auto", "always", "never"]) -> None:
        self.mode = mode
        self.n_interlaced = 0
        self._graph: av.filter.Graph | None = None
        self._key: tuple[Any, ...] | None = None
        self._waiting: deque[Any] = deque()

    def _drain(self) -> Iterator[tuple[Any, av.VideoFrame]]:
        assert self._graph is not None
        while self._waiting:
            try:
                yield self._waiting[0], self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._waiting.popleft()

    def _finish(self) -> Iterator[tuple[Any, av.VideoFrame]]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._drain()
            self._graph, self._key = None, None
            self._waiting.clear()

    def __call__(
        self, items: Iterable[tuple[Any, av.VideoFrame]]
    ) -> Iterator[tuple[Any, av.VideoFrame]]:
        """Deinterlace (label, frame) pairs; labels stay with their frames."""
        index = 0
        for label, frame in items:
            marked = frame.interlaced_frame
            self.n_interlaced += marked and self.mode != "never"
            wanted = self.mode == "always" or (
                self.mode == "auto" and (marked or self._graph is not None)
            )
            if not wanted:
                yield label, frame
                continue
            matrix, range_ = _matrix(frame), _range(frame)
            key = (frame.width, frame.height, frame.format.name, matrix, range_)
            if key != self._key:
                yield from self._finish()
                which = "all" if self.mode == "always" else "interlaced"
                self._graph = _chain(
                    ("buffer", _source(frame, matrix, range_)),
                    ("bwdif", f"mode=send_frame:parity=auto:deint={which}"),
                    ("buffersink", ""),
                )
                self._key = key
            assert self._graph is not None
            frame.colorspace, frame.color_range = matrix, range_
            # Its own even clock: the filter counts in time stamps, the labels keep the times.
            frame.pts = index
            index += 1
            self._waiting.append(label)
            self._graph.push(frame)
            yield from self._drain()
        yield from self._finish()
