"""Test clips by PyAV: every frame carries its own number as a pattern of black and white."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10


def numbered(number: int, width: int, height: int) -> np.ndarray:
    """Draw a frame: the number in binary as a row of blocks, a red corner top left."""
    frame = np.full((height, width, 3), 110, np.uint8)
    frame[: height // 4, : width // 4] = (220, 30, 30)
    block = width // BITS
    for bit in range(BITS):
        value = 235 if number >> bit & 1 else 20
        frame[height // 2 : height // 2 + height // 4, bit * block : (bit + 1) * block] = value
    return frame


def number_of(frame: np.ndarray) -> int:
    """Read the number back from a frame of any size."""
    height, width = frame.shape[:2]
    y, block = int(height * 0.625), width / BITS
    row = frame[y, :, 1].astype(int)
    return sum(1 << bit for bit in range(BITS) if row[int((bit + 0.5) * block)] > 128)


def write_clip(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: Fraction | int = 25,
    stamps_s: Sequence[float] | None = None,
    rotation: float = 0.0,
    hflip: bool = False,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    colour: tuple[int, int, int] | None = None,
    audio: bool = False,
    container: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    form: str = "rgb24",
) -> Path:
    """Encode frames; ``stamps_s`` gives them a variable rate."""
    with av.open(str(path), "w", options=container or {}) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=rate, options=options or {"crf": "12"})
        height, width = frames[0].shape[:2] if form == "rgb24" else (None, None)
        if height is None:
            height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if colour:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = colour
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        sound = output.add_stream("aac", rate=8000, layout="mono") if audio else None
        base = Fraction(1, 90000) if stamps_s is not None else 1 / Fraction(rate)
        stream.codec_context.time_base = base
        for k, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), form)
            if form == "rgb24":
                frame = frame.reformat(format=pix_fmt)
            frame.time_base = base
            frame.pts = k if stamps_s is None else round(stamps_s[k] / base)
            if colour:
                frame.color_primaries, frame.color_trc, frame.colorspace = colour
                frame.color_range = 1
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
            wave.sample_rate, wave.pts = 8000, 0
            output.mux(sound.encode(wave))
            output.mux(sound.encode(None))
    return path


def numbered_clip(path: Path, n: int, width: int = 160, height: int = 96, **options) -> Path:
    """Encode ``n`` numbered frames."""
    return write_clip(path, [numbered(k, width, height) for k in range(n)], **options)


def gif(path: Path, side_px: int, n_frames: int) -> Path:
    """Write a film of some bytes whose frames are one point each, on a canvas of any size."""
    frame = b"!\xf9\x04\x00\x04\x00\x00\x00," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    head = b"GIF89a" + struct.pack("<HHBBB", side_px, side_px, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    path.write_bytes(head + (frame + b"\x02\x02\x44\x01\x00") * n_frames + b";")
    return path
