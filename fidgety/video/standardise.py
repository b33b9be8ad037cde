"""Any source video to the standard one: even in time, upright, cropped, bounded, 8-bit SDR.

Frames stream through one after another (decode, place in time, deinterlace, pick the nearest
to each point of the grid, convert, encode), so memory does not grow with the length. Sound
and metadata (place, date, device) stay behind. Equal sources give equal bytes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import av
import cv2

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.files import atomic_directory, file_sha256
from fidgety.progress import track
from fidgety.video.convert import Converter, Deinterlacer
from fidgety.video.demux import (
    Damage,
    decode_frames,
    frame_stamp,
    open_video,
    pick_stream,
    require_readable,
)
from fidgety.video.geometry import plan_geometry
from fidgety.video.probe import (
    Probe,
    frame_orientation,
    probe,
    require_assessable,
    require_duration,
)
from fidgety.video.read import iter_frames
from fidgety.video.record import VideoRecord
from fidgety.video.timing import Clock, sample_nearest, standard_rate
from fidgety.video.write import VideoWriter

#: Most frames of a standard video: a day at 50 frames a second. Gaps in time are filled, so few
#: bytes can stand for many.
MAX_FRAMES = 4_400_000

#: Pixels of frames that are done with, until they are looked for: some sixty frames of Full HD.
PIXELS_KEPT = 1 << 27

Stamp = tuple[int, float, float]
"""Number of a source frame, its time from the first one, and its stamp from the first one."""


class _Source:
    """Decoded frames of a file, with their places in time."""

    def __init__(self, path: Path, found: Probe, threads: int) -> None:
        self.path = path
        self.found = found
        self.threads = threads
        self.damage = Damage()
        self.clock = Clock(1 / float(found.rate))
        self.n_frames = 0
        self.n_turned = 0
        self.last_s = 0.0
        self._turned = False
        self._n_pixels = 0

    def __iter__(self) -> Iterator[tuple[Stamp, av.VideoFrame]]:
        with open_video(self.path) as container:
            stream = pick_stream(container)
            stream.codec_context.thread_count = self.threads
            stream.codec_context.thread_type = "AUTO"
            for frame in decode_frames(container, stream, self.damage):
                stamp_s = self._stamp(frame, stream)
                time_s = self.clock.place(stamp_s)
                self.n_frames += 1
                self.n_turned += self._is_turned(frame)
                if time_s is None:
                    continue
                self.last_s = time_s
                source_s = time_s if stamp_s is None else stamp_s - self.clock.start_s
                yield (self.n_frames - 1, time_s, source_s), frame

    def _is_turned(self, frame: av.VideoFrame) -> bool:
        """Tell whether a frame's flag of rotation differs; it may change at key frames.

        A frame whose side data was looked at refers to itself, and Python counts objects, not
        bytes, until it looks for such.
        """
        if frame.key_frame:
            self._turned = frame_orientation(frame) != self.found.orientation
            self._n_pixels += frame.width * frame.height
            if self._n_pixels > PIXELS_KEPT:
                gc.collect()
                self._n_pixels = 0
        return self._turned

    def _stamp(self, frame: av.VideoFrame, stream: Any) -> float | None:
        """Return a frame's time stamp in seconds."""
        ordered = self.found.ordered_stamps_s
        if ordered is not None:
            return ordered[self.n_frames] if self.n_frames < len(ordered) else None
        return frame_stamp(frame, stream)

    def warnings(self) -> list[str]:
        """Say what is odd about the file."""
        found = self.damage.warnings() + self.clock.warnings()
        declared_s = self.found.declared_duration_s
        if declared_s - self.last_s > max(1.0, 0.02 * declared_s):
            found.append(
                f"the file ends after {self.last_s:.2f} of the {declared_s:.2f} s that its header "
                "declares"
            )
        if self.n_turned:
            found.append(f"the rotation flag changes: {self.n_turned} frames differ from the first")
        return found


def standardise_video(
    source: Path | str,
    video: Path | str,
    config: VideoConfig,
    *,
    crop: Sequence[int] | None = None,
    source_sha256: str = "",
    threads: int = 1,
    name: str = "",
) -> VideoRecord:
    """Make the standard video of a source.

    Parameters
    ----------
    source
        The file as it came from the camera.
    video
        Where the standard video goes: mp4, H.264.
    config
        Rate, size, quality, least duration.
    crop
        x, y, width, height in pixels of the source as displayed; None keeps all.
    source_sha256
        Checksum of the source, if it is known already.
    threads
        Of the decoder.
    name
        What the progress is called.

    Returns
    -------
    VideoRecord
        What was done.

    Raises
    ------
    NotAssessable
        If the source is empty, damaged, no video, too short, too long, too small or too large.
    ConfigError
        If the source is missing, or the crop does not lie in it.
    OSError
        If the disk is to blame.
    """
    source = Path(source)
    try:
        return _standardise(source, video, config, crop, source_sha256, threads, name)
    except NotAssessable:
        # To FFmpeg a disk that fails looks like a damaged file; the reason would stay.
        require_readable(source)
        raise


def _standardise(
    source: Path,
    video: Path | str,
    config: VideoConfig,
    crop: Sequence[int] | None,
    source_sha256: str,
    threads: int,
    name: str,
) -> VideoRecord:
    found = probe(source)
    require_assessable(found, config, crop)
    geometry = plan_geometry(
        found.coded_width_px,
        found.coded_height_px,
        orientation=found.orientation,
        aspect=found.aspect,
        crop=crop,
        max_side_px=config.max_side_px,
    )
    rate = standard_rate(found.rate, config.max_rate_hz)
    frames = _Source(source, found, threads)
    deinterlacer = Deinterlacer(config.deinterlace)
    converter = Converter(geometry, (found.coded_width_px, found.coded_height_px))
    timed = ((stamp[1], (stamp, frame)) for stamp, frame in deinterlacer(frames))
    picked = sample_nearest(timed, rate, 1 / float(found.rate))
    source_time_s: list[float] = []
    source_frame: list[int] = []
    n_repeated, last, picture = 0, -1, None
    total = max(1, round(found.duration_s * float(rate)))
    with VideoWriter(video, rate, *geometry.size, crf=config.crf) as writer:
        for (number, _, stamp_s), frame in track(picked, f"standardise {name}".strip(), total):
            if len(source_frame) == MAX_FRAMES:
                raise NotAssessable(
                    Reason.VIDEO_UNREADABLE,
                    f"more than {MAX_FRAMES} frames: is this one recording?",
                )
            if number != last or picture is None:
                picture = converter(frame)
            else:
                n_repeated += 1
            last = number
            writer.write(picture)
            source_time_s.append(round(stamp_s, 6))
            source_frame.append(number)
        if not source_time_s:
            raise NotAssessable(Reason.VIDEO_UNREADABLE, "no frame of the file can be decoded")
        # By what was decoded: a damaged file may hold less than its packets promise.
        require_duration(len(source_time_s) / float(rate), config)
        warnings = frames.warnings()
        if warnings:
            require_readable(source)
    if converter.n_resized:
        warnings.append(f"{converter.n_resized} frames have another size than the first")
    return VideoRecord(
        source_sha256=source_sha256 or file_sha256(source),
        source_width_px=found.width_px,
        source_height_px=found.height_px,
        source_fps=float(found.rate),
        source_codec=found.codec,
        width_px=geometry.size[0],
        height_px=geometry.size[1],
        crop_px=geometry.crop_px,
        scale=geometry.scale,
        fps=float(rate),
        n_frames=len(source_time_s),
        duration_s=len(source_time_s) / float(rate),
        source_time_s=tuple(source_time_s),
        source_frame=tuple(source_frame),
        source_start_s=frames.clock.start_s,
        n_source_frames=frames.n_frames,
        n_repeated=n_repeated,
        rotation_deg=found.orientation.rotation_deg,
        mirrored=found.orientation.mirrored,
        deinterlaced=config.deinterlace == "always" or deinterlacer.n_interlaced > 0,
        tone_mapped=converter.n_tone_mapped > 0,
        warnings=tuple(warnings),
    )


def export_frames(video: Path | str, folder: Path | str, kind: Literal["png", "jpeg"]) -> int:
    """Write every frame of a standard video as an image file.

    Parameters
    ----------
    video
        A standard video.
    folder
        Is made anew: ``000000.png``, ``000001.png``, ...
    kind
        ``"png"`` keeps every pixel; ``"jpeg"`` (quality 95) is a third of the size.

    Returns
    -------
    int
        Number of files.
    """
    suffix, options = {
        "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
        "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]),
    }[kind]
    n = 0
    with atomic_directory(folder) as temporary:
        for n, frame in enumerate(track(iter_frames(video), "export frames"), start=1):
            path = temporary / f"{n - 1:06d}{suffix}"
            if not cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options):
                raise OSError(f"{path} cannot be written")
    return n
