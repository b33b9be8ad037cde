"""Videos as phones, cameras and accidents make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer

from tests.gallery.kinds import REFUSED, Kind
from tests.video.clips import gif, numbered, numbered_clip, write_clip

Make = Callable[[Path], Path]


def clip(name: str = "a.mp4", n: int = 20, **options: object) -> Make:
    return lambda folder: numbered_clip(folder / name, n, **options)


def content(data: bytes, name: str = "a.mp4") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def changed(change: Callable[[bytes], bytes], **options: object) -> Make:
    def make(folder: Path) -> Path:
        path = clip(**options)(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def plain(value: int, n: int = 20, **options: object) -> Make:
    """Make a picture that never changes."""
    frame = np.full((96, 160, 3), value, np.uint8)
    return lambda folder: write_clip(folder / "a.mp4", [frame] * n, **options)


def loop(folder: Path) -> Path:
    path = folder / "a.mp4"
    path.symlink_to(path)
    return path


def a_folder(folder: Path) -> Path:
    path = folder / "a.mp4"
    path.mkdir()
    return path


def renamed(folder: Path) -> Path:
    return clip("a.mkv")(folder).rename(folder / "a.mp4")


def packed(folder: Path, add: Callable[[OutputContainer], None]) -> Path:
    path = folder / "a.mp4"
    with av.open(str(path), "w") as output:
        add(output)
    return path


def no_frame(folder: Path) -> Path:
    def add(output: OutputContainer) -> None:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        output.start_encoding()

    return packed(folder, add)


def sound_alone(folder: Path) -> Path:
    def add(output: OutputContainer) -> None:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        wave.sample_rate, wave.pts = 8000, 0
        output.mux(stream.encode(wave))
        output.mux(stream.encode(None))

    return packed(folder, add)


def two_streams(folder: Path) -> Path:
    """Make a small picture and a large one, as cameras with a preview do."""

    def add(output: OutputContainer) -> None:
        streams = [output.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, (width, height) in zip(streams, ((48, 32), (160, 96)), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for k in range(20):
            for stream in streams:
                picture = numbered(k, stream.width, stream.height)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts = k
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))

    return packed(folder, add)


def twice(folder: Path) -> Path:
    """Join a stream to itself, so that its clock starts again."""
    path = clip("a.ts")(folder)
    path.write_bytes(path.read_bytes() * 2)
    return path


def no_permission(folder: Path) -> Path:
    path = clip()(folder)
    path.chmod(0)
    return path


def at_once(data: bytes) -> bytes:
    """Set the time from each frame to the next to nothing."""
    table = data.index(b"stts") + 8
    n = int.from_bytes(data[table : table + 4], "big")
    entries = bytearray(data)
    for at in range(table + 4, table + 4 + 8 * n, 8):
        entries[at + 4 : at + 8] = bytes(4)
    return bytes(entries)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def without_end(data: bytes) -> bytes:
    return data[: len(data) * 9 // 10]


def without_index(data: bytes) -> bytes:
    # Not "free": FFmpeg knows that editors hide an index so, and finds it.
    return data.replace(b"moov", b"lost")


FAST = {"movflags": "faststart"}
TURNS = [0.08 * k + 0.02 * (k % 2) for k in range(41)]
GAPS = [k / 25 for k in range(10)] + [4 + k / 25 for k in range(10)]
HLG = {
    "codec": "libx265",
    "pix_fmt": "yuv420p10le",
    "colour": (9, 18, 9),
    "options": {"crf": "12", "x265-params": "log-level=0:repeat-headers=1"},
}

KINDS = [
    Kind("video", "empty file", content(b""), "video_empty"),
    Kind("video", "text named .mp4", content(b"my notes\n" * 99), "video_unreadable"),
    Kind("video", "noise named .mp4", content(bytes(range(256)) * 64), "video_unreadable"),
    Kind("video", "cut in half, index at the end", changed(half), "video_unreadable"),
    Kind("video", "end cut off, index first", changed(without_end, n=50, container=FAST)),
    Kind("video", "header damaged", changed(lambda d: bytes(64) + d[64:]), "video_unreadable"),
    Kind("video", "index missing", changed(without_index), "video_unreadable"),
    Kind("video", "one frame", clip(n=1), "video_too_short"),
    Kind("video", "two frames", clip(n=2), "video_too_short"),
    Kind("video", "no frame", no_frame, "video_no_stream"),
    Kind("video", "zero duration", changed(at_once), "video_too_short"),
    Kind("video", "sound alone", sound_alone, "video_no_stream", "audio"),
    Kind("video", "two pictures, the larger one counts", two_streams),
    Kind("video", "interlaced", clip(options={"crf": "12", "x264-params": "tff=1:weightp=0"})),
    Kind("video", "time stamps that run backwards", twice),
    Kind("video", "mirrored", clip(hflip=True)),
    Kind("video", "with sound", clip(audio=True)),
    Kind("video", "10-bit HEVC with HLG", clip(**HLG), slow=True),
    Kind("video", "variable rate with long gaps", clip(stamps_s=GAPS)),
    *(
        Kind(
            "video",
            f"turned by {turn}{', mirrored' * flip}",
            clip(rotation=turn, hflip=bool(flip)),
        )
        for turn in (90, 180, 270)
        for flip in (0, 1)
    ),
    Kind("video", "odd width", clip("a.mkv", width=161, codec="ffv1", pix_fmt="bgr0")),
    Kind("video", "16 x 16", clip(width=16, height=16), "video_resolution"),
    Kind("video", "7680 x 4320", clip(width=7680, height=4320), long=True),
    Kind(
        "video",
        "10,000 x 10,000 in 700 bytes",
        lambda folder: gif(folder / "a.mp4", 10_000, 30),
        "video_resolution",
    ),
    Kind("video", "short and long intervals in turn", clip(n=41, stamps_s=TURNS)),
    Kind("video", "240 frames a second", clip(n=240, rate=240)),
    Kind("video", "1 frame a second", clip(n=5, rate=1)),
    Kind("video", "alpha channel", clip("a.mkv", codec="ffv1", pix_fmt="bgra")),
    Kind("video", "grey", clip("a.mkv", codec="ffv1", pix_fmt="gray")),
    Kind("video", "black", plain(0)),
    Kind("video", "frozen picture", plain(120)),
    Kind("video", "wrong extension", renamed),
    Kind("video", "name with spaces", clip("my clip.mp4", 21)),
    Kind("video", "name with quotes", clip('it\'s "a".mp4', 22)),
    Kind("video", "name with emoji", clip("\N{BABY}.mp4", 23)),
    Kind("video", "name with a newline", clip("a\nb.mp4")),
    Kind("video", "name with per cent", clip("a%03d.mp4", 24)),
    Kind("video", "symbolic link that loops", loop, REFUSED, "a.mp4"),
    Kind("video", "a folder", a_folder, REFUSED, "a.mp4"),
    # In a folder of root's own it is the folder that refuses: the message is the same.
    Kind("video", "no permission", no_permission, REFUSED, "Permission denied", ordinary=True),
    Kind("video", "no such file", lambda folder: folder / "a.mp4", REFUSED, "a.mp4"),
]
