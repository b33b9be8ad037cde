"""Reading a source video's packets and frames, past what is damaged.

Files are opened as the containers of :data:`CONTAINERS` only and without any network: a playlist
or a text file is no video. A file that cannot be read on is damaged, unless the disk is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from fidgety.errors import ConfigError, NotAssessable, Reason, without_path

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,asf,flv,mxf,"
    "dv,nut,ogg,ivf,gif,wtv,rm,mp3,wav,flac,aac"
)
"""Demuxers that may open a file; those of pure sound are there to say that it has no picture."""

#: Largest picture: that of 8K film. A few bytes can stand for a picture of any size, which takes
#: memory at once.
MAX_PIXELS = 8192 * 4320

#: Places at which reading is taken up again before a file is given up.
_MAX_READS = 8


@dataclass
class Damage:
    """What could not be decoded.

    Parameters
    ----------
    n_packets
        Packets that the decoder refused.
    n_reads
        Places where the container itself could not be read.
    n_corrupt
        Frames that the decoder gave but marked as corrupt.
    """

    n_packets: int = 0
    n_reads: int = 0
    n_corrupt: int = 0

    def warnings(self) -> list[str]:
        """Say what was damaged."""
        found = []
        if self.n_reads:
            found.append(f"the file could not be read on at {self.n_reads} places")
        if self.n_packets:
            found.append(f"{self.n_packets} pieces of the stream could not be decoded")
        if self.n_corrupt:
            found.append(f"{self.n_corrupt} frames are marked as corrupt by the decoder")
        return found


def open_video(path: Path | str) -> av.container.InputContainer:
    """Open a local media file.

    Raises
    ------
    ConfigError
        If there is no such file, or it must not be read.
    NotAssessable
        If it is empty or no media file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be opened: {error.strerror}; check the path and its permissions."
        ) from None
    if size == 0:
        raise NotAssessable(Reason.VIDEO_EMPTY, "the file has 0 bytes")
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except Exception as error:
        _require_damage(error)
        raise NotAssessable(
            Reason.VIDEO_UNREADABLE,
            f"the file ({size} bytes) cannot be opened as a video: "
            f"{without_path(_message(error), path)}",
        ) from None


def _message(error: Exception) -> str:
    """Return FFmpeg's own words without the number and the path around them."""
    return getattr(error, "strerror", None) or str(error)


def pick_stream(container: av.container.InputContainer) -> Any:
    """Choose the stream with the picture: no cover image, the largest, the default one.

    Raises
    ------
    NotAssessable
        If there is none.
    """
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [
        stream
        for stream in container.streams.video
        if not (stream.disposition & still) and stream.codec_context is not None
    ]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams}) or ["nothing"]
        raise NotAssessable(
            Reason.VIDEO_NO_STREAM,
            f"the file has no moving picture in it, only: {', '.join(kinds)}",
        )
    return max(
        streams,
        key=lambda s: (s.width * s.height, bool(s.disposition & Disposition.default), -s.index),
    )


def require_readable(path: Path | str) -> None:
    """Read a file through, which tells a disk that fails from a file that is damaged.

    FFmpeg tells neither: many of its readers call a file that ends too early an error of input.

    Raises
    ------
    OSError
        If the system cannot read it.
    """
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def require_picture(width_px: int, height_px: int) -> None:
    """Refuse a picture larger than any camera's.

    Raises
    ------
    NotAssessable
        With ``video_resolution``.
    """
    if width_px * height_px > MAX_PIXELS:
        raise NotAssessable(
            Reason.VIDEO_RESOLUTION,
            f"the picture is {width_px} x {height_px} pixels, more than {MAX_PIXELS} are no film",
        )


def packet_stamps(
    container: av.container.InputContainer, stream: Any, damage: Damage
) -> list[float | None]:
    """Return the presentation times of all packets in seconds, None where there is none."""
    stamps: list[float | None] = []
    for packet in _packets(container, stream, damage, again=False):
        if packet is not None and packet.size:
            known = packet.pts is not None and stream.time_base is not None
            stamps.append(float(packet.pts * stream.time_base) if known else None)
    return stamps


def decode_frames(
    container: av.container.InputContainer, stream: Any, damage: Damage
) -> Iterator[av.VideoFrame]:
    """Decode a stream, frame by frame, past what is damaged.

    Parameters
    ----------
    container, stream
        From :func:`open_video` and :func:`pick_stream`.
    damage
        Is added to.
    """
    # What the header says may be less than what the stream holds.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    for packet in _packets(container, stream, damage, again=True):
        yield from _frames(stream, packet, damage)


def _packets(
    container: av.container.InputContainer, stream: Any, damage: Damage, *, again: bool
) -> Iterator[Any]:
    """Yield a stream's packets; None at the end of one that was given up."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except Exception as error:
            _require_damage(error)
            damage.n_reads += 1
            if not again:
                return
            # A generator that raised is over: read on behind the place, then give up.
            if damage.n_reads > _MAX_READS:
                yield None
                return
            packets = container.demux(stream)
            continue
        yield packet


def _frames(stream: Any, packet: Any, damage: Damage) -> list[av.VideoFrame]:
    try:
        frames = stream.decode(packet)
    except Exception as error:
        _require_damage(error)
        damage.n_packets += packet is not None
        return []
    damage.n_corrupt += sum(frame.is_corrupt for frame in frames)
    return list(frames)


def _require_damage(error: Exception) -> None:
    """Raise an error again that says nothing about the file.

    Beside FFmpeg's errors, PyAV raises others of a damaged file: it trips over streams that come
    and go. Memory that FFmpeg cannot have is damage as well: such bytes ask for any amount.
    """
    if isinstance(error, MemoryError) and not isinstance(error, av.FFmpegError):
        raise error


def frame_stamp(frame: av.VideoFrame, stream: Any) -> float | None:
    """Return a frame's time stamp in seconds, None where it has none."""
    base = frame.time_base or stream.time_base
    return None if frame.pts is None or base is None else float(frame.pts * base)
