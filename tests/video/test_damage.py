"""A file that is damaged has a reason; a disk that fails, or a machine, is no reason."""

from __future__ import annotations

import contextlib
import errno
import gc
from pathlib import Path
from typing import Any

import av
import pytest

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.video import demux
from fidgety.video import standardise as module
from fidgety.video.demux import MAX_PIXELS
from fidgety.video.standardise import standardise_video
from fidgety.video.timing import nominal_rate, snap_rate
from tests.video.clips import gif, numbered_clip

SHORT = VideoConfig(min_duration_s=0.5)


class FailingDisk:
    """An open file of a disk that fails at reading."""

    def __enter__(self) -> FailingDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, _: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("kept", [0.6, 0.9])
def test_a_disk_that_fails_is_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float
) -> None:
    """What FFmpeg has read of it looks like a file that was cut off."""
    whole = numbered_clip(tmp_path / "whole.mp4", 50, container={"movflags": "faststart"})
    data = whole.read_bytes()
    source = tmp_path / "a.mp4"
    source.write_bytes(data[: int(len(data) * kept)])
    config = VideoConfig(min_duration_s=1.0)
    with contextlib.suppress(NotAssessable):
        assert standardise_video(source, tmp_path / "standard.mp4", config).warnings
    (tmp_path / "standard.mp4").unlink(missing_ok=True)
    monkeypatch.setattr(demux, "open", lambda *_: FailingDisk(), raising=False)
    with pytest.raises(OSError, match="Input/output"):
        standardise_video(source, tmp_path / "standard.mp4", config)
    assert not (tmp_path / "standard.mp4").exists()


def test_of_a_whole_file_nothing_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = numbered_clip(tmp_path / "a.mp4", 50)
    monkeypatch.setattr(demux, "open", lambda *_: FailingDisk(), raising=False)
    record = standardise_video(source, tmp_path / "standard.mp4", SHORT)
    assert (record.n_frames, record.warnings) == (50, ())


def test_as_many_short_as_long_intervals_have_a_rate(tmp_path: Path) -> None:
    """The median lies where no interval is; the shorter ones have no dropped frame in them."""
    stamps_s = [0.0]
    for k in range(40):
        stamps_s.append(round(stamps_s[-1] + (0.12, 0.04)[k % 2], 3))
    assert nominal_rate(stamps_s) == 25
    source = numbered_clip(tmp_path / "a.mp4", len(stamps_s), stamps_s=stamps_s)
    record = standardise_video(source, tmp_path / "standard.mp4", SHORT)
    assert record.fps == 25
    assert record.duration_s == pytest.approx(stamps_s[-1] + 0.04)


def test_no_rate_is_zero() -> None:
    assert snap_rate(1e-9) > 0


def test_a_frame_without_a_unit_of_time_takes_the_streams(tmp_path: Path) -> None:
    with av.open(str(numbered_clip(tmp_path / "a.mp4", 30))) as container:
        stream = container.streams.video[0]
        frame = next(iter(container.decode(stream)))

        class Bare:
            pts, time_base = 7, None

        assert demux.frame_stamp(Bare(), stream) == float(7 * stream.time_base)  # type: ignore[arg-type]
        assert demux.frame_stamp(frame, stream) == 0


def test_streams_that_come_and_go_are_damage(tmp_path: Path) -> None:
    """PyAV raises IndexError of them."""

    class Container:
        def demux(self, _: Any) -> Any:
            raise IndexError("list index out of range")
            yield

    damage = demux.Damage()
    assert demux.packet_stamps(Container(), None, damage) == []  # type: ignore[arg-type]
    assert damage.n_reads == 1


def test_memory_that_python_lacks_is_no_damage() -> None:
    class Container:
        def demux(self, _: Any) -> Any:
            raise MemoryError
            yield

    with pytest.raises(MemoryError):
        demux.packet_stamps(Container(), None, demux.Damage())  # type: ignore[arg-type]


def test_a_picture_of_few_bytes_and_any_size_is_refused_unread(tmp_path: Path) -> None:
    side_px = int(MAX_PIXELS**0.5) + 100
    source = gif(tmp_path / "a.mp4", side_px, 30)
    assert source.stat().st_size < 1000
    with pytest.raises(NotAssessable, match=f"{side_px} x {side_px}") as caught:
        standardise_video(source, tmp_path / "standard.mp4", SHORT)
    assert caught.value.reason is Reason.VIDEO_RESOLUTION


def test_few_bytes_do_not_become_frames_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FRAMES", 200)
    stamps_s = [*(0.04 * k for k in range(30)), *(1.2 + 5 * k for k in range(10))]
    source = numbered_clip(tmp_path / "a.mp4", len(stamps_s), stamps_s=stamps_s)
    with pytest.raises(NotAssessable, match="more than 200 frames"):
        standardise_video(source, tmp_path / "standard.mp4", SHORT)


def test_frames_that_are_done_with_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at for its rotation, a frame refers to itself."""
    source = gif(tmp_path / "a.mp4", 200, 60)
    monkeypatch.setattr(module, "PIXELS_KEPT", 10 * 200 * 200)
    most = 0
    write = module.VideoWriter.write

    def counted(self: Any, frame: Any) -> None:
        nonlocal most
        sizes = [o.width for o in gc.get_objects() if isinstance(o, av.VideoFrame)]
        most = max(most, sizes.count(200))
        write(self, frame)

    monkeypatch.setattr(module.VideoWriter, "write", counted)
    gc.disable()
    try:
        standardise_video(source, tmp_path / "standard.mp4", SHORT)
    finally:
        gc.enable()
    assert most <= 20
