"""What a file is, before anything is done with it.

The time stamps of all packets are read (none is decoded but the first), because a phone's
header says little about its rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.video.demux import (
    Damage,
    decode_frames,
    open_video,
    packet_stamps,
    pick_stream,
    require_picture,
)
from fidgety.video.geometry import Orientation, displayed_size
from fidgety.video.timing import nominal_rate

# Values of AVColorTransferCharacteristic and AVColorPrimaries (ITU-T H.273).
PQ, HLG, BT2020_PRIMARIES = 16, 18, 9


@dataclass(frozen=True)
class Probe:
    """What a video file is.

    Parameters
    ----------
    container, codec
        Names of the formats.
    stream_index
        Which stream of the file holds the picture.
    coded_width_px, coded_height_px
        Size of the frames as stored.
    width_px, height_px
        Size as displayed: turned, with square pixels.
    orientation
        How frames are put upright.
    aspect
        Width of a stored pixel over its height.
    rate
        Nominal frames a second.
    n_packets
        Packets of the stream.
    duration_s
        From the first frame to the end of the last, by the packets' time stamps.
    declared_duration_s
        What the header says; 0 if it says nothing.
    interlaced
        Whether the stream or its first frame is marked as interlaced.
    bit_depth
        Bits a colour component.
    transfer
        ``"sdr"``, ``"hlg"`` or ``"pq"``.
    ordered_stamps_s
        Time stamps in the order of the frames, for containers that stamp packets in the order
        of decoding (AVI); None where every frame carries its own.
    """

    container: str
    codec: str
    stream_index: int
    coded_width_px: int
    coded_height_px: int
    width_px: int
    height_px: int
    orientation: Orientation
    aspect: Fraction
    rate: Fraction
    n_packets: int
    duration_s: float
    declared_duration_s: float
    interlaced: bool
    bit_depth: int
    transfer: str
    ordered_stamps_s: tuple[float, ...] | None = None


def frame_orientation(frame: av.VideoFrame) -> Orientation:
    """Return how a frame is put upright, from its display matrix."""
    for data in frame.side_data:
        if data.type is SideDataType.DISPLAYMATRIX:
            matrix = np.frombuffer(bytes(data), dtype=np.int32, count=9)
            return Orientation.from_matrix([int(v) for v in matrix])
    return Orientation()


def frame_transfer(frame: av.VideoFrame) -> str:
    """Return a frame's transfer: ``"pq"`` and ``"hlg"`` are high dynamic range."""
    return {PQ: "pq", HLG: "hlg"}.get(int(frame.color_trc), "sdr")


def probe(path: Path | str) -> Probe:
    """Look into a video file.

    Raises
    ------
    NotAssessable
        If it is empty, damaged, no video, has no picture in it, or one larger than any film's.
    ConfigError
        If there is no such file, or it must not be read.
    """
    path = Path(path)
    damage = Damage()
    with open_video(path) as container:
        stream = pick_stream(container)
        require_picture(stream.width, stream.height)
        stamps = packet_stamps(container, stream, damage)
        declared_s = _declared_duration(container, stream)
        name = container.format.name
    damage = Damage()
    with open_video(path) as container:
        stream = pick_stream(container)
        frame = next(decode_frames(container, stream, damage), None)
        if frame is None:
            raise NotAssessable(
                Reason.VIDEO_UNREADABLE,
                f"no frame of the file's {stream.codec_context.name} stream "
                f"({len(stamps)} packets) can be decoded",
            )
        orientation = frame_orientation(frame)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        # Flags of nonsense (0:1, 1:100) are left alone.
        aspect = Fraction(aspect) if 0.2 < aspect < 5 else Fraction(1)
        default_hz = float(stream.average_rate or stream.guessed_rate or 25)
        known = np.array([stamp for stamp in stamps if stamp is not None])
        rate = nominal_rate(known, default_hz)
        span_s = float(np.ptp(known)) if known.size else len(stamps) / float(rate)
        width, height = displayed_size(frame.width, frame.height, aspect, orientation)
        field_order = getattr(stream.codec_context, "field_order", 0)
        return Probe(
            container=name,
            codec=stream.codec_context.name,
            stream_index=stream.index,
            coded_width_px=frame.width,
            coded_height_px=frame.height,
            width_px=width,
            height_px=height,
            orientation=orientation,
            aspect=aspect,
            rate=rate,
            n_packets=len(stamps),
            duration_s=span_s + 1 / float(rate),
            declared_duration_s=declared_s,
            interlaced=frame.interlaced_frame or int(field_order) > 1,
            bit_depth=max(component.bits for component in frame.format.components),
            transfer=frame_transfer(frame),
            ordered_stamps_s=tuple(np.sort(known).tolist()) if name == "avi" else None,
        )


def _declared_duration(container: av.container.InputContainer, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1_000_000


def require_assessable(
    found: Probe, config: VideoConfig, crop: Sequence[int] | None = None
) -> None:
    """Check that a video is long and large enough.

    Parameters
    ----------
    found
        From :func:`probe`.
    config
        With the least duration and size.
    crop
        x, y, width, height in displayed pixels; None keeps all.

    Raises
    ------
    NotAssessable
        If it is too short or too small.
    """
    require_duration(found.duration_s, config)
    width, height = (crop[2], crop[3]) if crop else (found.width_px, found.height_px)
    if min(width, height) < config.min_side_px:
        raise NotAssessable(
            Reason.VIDEO_RESOLUTION,
            f"the picture is {width} x {height} pixels, at least {config.min_side_px} are needed",
        )


def require_duration(duration_s: float, config: VideoConfig) -> None:
    """Check that a video is long enough.

    Raises
    ------
    NotAssessable
        If it is too short.
    """
    if duration_s < config.min_duration_s - 1e-6:
        raise NotAssessable(
            Reason.VIDEO_TOO_SHORT,
            f"the video lasts {duration_s:.2f} s, at least {config.min_duration_s:g} s are needed",
        )
