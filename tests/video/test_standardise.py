"""Standard videos against clips whose frames carry their own numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fidgety.config.video import VideoConfig
from fidgety.errors import ConfigError, NotAssessable, Reason, StorageError
from fidgety.files import file_sha256, write_json
from fidgety.storage import Provenance
from fidgety.video.probe import probe
from fidgety.video.read import iter_batches, iter_frames, read_frames, sample_frames, video_info
from fidgety.video.record import (
    VideoRecord,
    read_video_record,
    write_not_assessable_video,
    write_video_record,
)
from fidgety.video.standardise import export_frames, standardise_video
from fidgety.video.write import VideoWriter
from tests.video.clips import number_of, numbered, numbered_clip, write_clip

SHORT = VideoConfig(min_duration_s=0.5)
#: Stem of a file whose name tells who the infant is.
SECRET = "mueller-anna"


def standardise(source: Path, config: VideoConfig = SHORT, **options) -> tuple[VideoRecord, list]:
    """Make the standard video; return its record and frames."""
    video = source.with_name("standard.mp4")
    record = standardise_video(source, video, config, **options)
    frames = list(iter_frames(video))
    assert len(frames) == record.n_frames == len(record.source_time_s)
    assert frames[0].shape == (record.height_px, record.width_px, 3)
    return record, frames


def refuse(source: Path, config: VideoConfig = SHORT) -> NotAssessable:
    """Return the reason, and check that nothing was left behind."""
    before = sorted(source.parent.iterdir())
    with pytest.raises(NotAssessable) as caught:
        standardise_video(source, source.with_name("standard.mp4"), config)
    assert sorted(source.parent.iterdir()) == before
    assert caught.value.detail
    # The name of a user's own file may tell who the infant is.
    assert SECRET not in caught.value.detail
    return caught.value


# Time


def test_an_even_source_is_kept_frame_by_frame(tmp_path: Path) -> None:
    record, frames = standardise(numbered_clip(tmp_path / "a.mp4", 50))
    assert [number_of(f) for f in frames] == list(range(50))
    assert record.fps == record.source_fps == 25
    assert record.source_time_s == pytest.approx(np.arange(50) / 25)
    assert record.warnings == ()
    assert record.n_repeated == 0


@pytest.mark.parametrize(("rate", "expected", "step"), [(60, 30, 2), (50, 25, 2), (30, 30, 1)])
def test_fast_sources_are_thinned_evenly(
    tmp_path: Path, rate: int, expected: int, step: int
) -> None:
    record, frames = standardise(numbered_clip(tmp_path / "a.mp4", 120, rate=rate))
    assert record.fps == expected
    assert [number_of(f) for f in frames] == list(range(0, 120, step))


def test_a_variable_rate_picks_the_frames_nearest_in_time(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """As phones record: jitter, dropped frames, a late start, B-frames."""
    times = np.arange(140) / 30 + np.abs(rng.normal(0, 0.004, 140))
    times = times[rng.random(140) > 0.12]
    stamps = np.round((times + 1.4) * 90000) / 90000
    clip = numbered_clip(
        tmp_path / "a.mp4", len(times), rate=30, stamps_s=stamps, options={"crf": "12", "bf": "3"}
    )
    record, frames = standardise(clip)
    assert record.fps == 30
    stamps = stamps - stamps[0]
    grid = np.arange(record.n_frames) / 30
    nearest = np.abs(grid[:, None] - stamps[None]).argmin(axis=1)
    assert [number_of(f) for f in frames] == nearest.tolist()
    assert record.source_time_s == pytest.approx(stamps[nearest], abs=1e-5)
    assert record.n_source_frames == len(times)


def test_a_gap_is_filled_with_the_nearest_frames_and_said(tmp_path: Path) -> None:
    stamps = [k / 25 for k in range(20)] + [2 + k / 25 for k in range(20)]
    record, frames = standardise(numbered_clip(tmp_path / "a.mp4", 40, stamps_s=stamps))
    numbers = [number_of(f) for f in frames]
    assert numbers[:20] == list(range(20))
    assert numbers[20:50].count(19) == 15
    assert numbers[-20:] == list(range(20, 40))
    assert record.n_repeated == 30
    assert any("gaps in time" in w and "1.24 s" in w for w in record.warnings)


def test_avi_with_reordered_frames_keeps_their_order(tmp_path: Path) -> None:
    """AVI stamps packets in the order of decoding, not of display."""
    clip = numbered_clip(tmp_path / "a.avi", 40, options={"crf": "12", "bf": "3"})
    record, frames = standardise(clip)
    assert [number_of(f) for f in frames] == list(range(40))
    assert record.warnings == ()


def test_a_stream_without_stamps_is_placed_evenly(tmp_path: Path) -> None:
    record, frames = standardise(numbered_clip(tmp_path / "a.h264", 40))
    assert [number_of(f) for f in frames] == list(range(40))
    assert any("no time stamp" in w for w in record.warnings)


# Picture


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_flags(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    """Against OpenCV's automatic rotation; mirrors, which it leaves alone, by NumPy."""
    clip = numbered_clip(tmp_path / "a.mp4", 20, rotation=rotation, hflip=mirrored)
    record, frames = standardise(clip)
    with av.open(str(clip)) as container:
        coded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert (record.source_width_px, record.source_height_px) == frames[0].shape[1::-1]
    assert record.mirrored == mirrored
    if not mirrored:
        upright = cv2.cvtColor(cv2.VideoCapture(str(clip)).read()[1], cv2.COLOR_BGR2RGB)
        assert record.rotation_deg == -rotation % 360
    else:
        described = coded[:, ::-1]
        upright = np.rot90(described, -record.rotation_deg // 90)
    assert frames[0].shape == upright.shape
    assert np.abs(frames[0].astype(int) - upright).mean() < 2


def test_a_mirror_is_what_the_flag_says(tmp_path: Path) -> None:
    record, frames = standardise(numbered_clip(tmp_path / "a.mp4", 20, hflip=True))
    assert (record.rotation_deg, record.mirrored) == (0, True)
    assert [number_of(f[:, ::-1]) for f in frames] == list(range(20))


def test_odd_sizes_are_trimmed_not_blurred(tmp_path: Path) -> None:
    source = [numbered(k, 161, 97) for k in range(20)]
    clip = write_clip(tmp_path / "a.mkv", source, codec="ffv1", pix_fmt="bgr0", options={})
    record, frames = standardise(clip, SHORT.model_copy(update={"crf": 0}))
    assert (record.source_width_px, record.source_height_px) == (161, 97)
    assert (record.width_px, record.height_px, record.scale) == (160, 96, 1.0)
    assert record.crop_px == (0, 0, 160, 96)
    luma = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(int) for f in (frames[3], source[3])]
    assert np.abs(luma[0] - luma[1][:96, :160]).mean() < 1.5


def test_the_longest_side_is_bounded_and_nothing_is_enlarged(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.mp4", 20, 480, 270)
    record, frames = standardise(clip, SHORT.model_copy(update={"max_side_px": 200}))
    assert (record.width_px, record.height_px) == (200, 112)
    assert record.scale == pytest.approx(200 / 480)
    assert [number_of(f) for f in frames] == list(range(20))
    assert standardise(clip)[0].width_px == 480


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    record, frames = standardise(numbered_clip(tmp_path / "a.mp4", 20, aspect=Fraction(3, 2)))
    assert (record.source_width_px, record.source_height_px) == (240, 96)
    assert frames[0].shape == (96, 240, 3)
    assert number_of(frames[7]) == 7


def test_a_crop_counts_in_displayed_pixels(tmp_path: Path) -> None:
    """The clip is turned by a quarter: the number's row stands upright, left of the middle."""
    clip = numbered_clip(tmp_path / "a.mp4", 20, 160, 96, rotation=270)
    whole = standardise(clip)[1]
    record, frames = standardise(
        clip, SHORT.model_copy(update={"min_side_px": 16}), crop=(10, 20, 60, 100)
    )
    assert record.crop_px == (10, 20, 60, 100)
    assert frames[0].shape == (100, 60, 3)
    assert np.abs(frames[5].astype(int) - whole[5][20:120, 10:70]).mean() < 2


def test_a_crop_beyond_the_picture_is_the_users_mistake(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.mp4", 20)
    with pytest.raises(ConfigError, match="160 x 96"):
        standardise(clip, crop=(100, 0, 100, 90))


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("range_name", ["limited", "full"])
def test_colours_survive_other_matrices_and_ranges(
    tmp_path: Path, matrix: int, range_name: str
) -> None:
    colours = [(200, 40, 60), (40, 180, 70), (50, 60, 210), (220, 210, 190), (20, 20, 20)]
    picture = np.repeat(np.array(colours, np.uint8)[None], 96, axis=0).repeat(32, axis=1)
    full = range_name == "full"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").reformat(
        format="yuv420p",
        dst_colorspace={1: "ITU709", 6: "SMPTE170M"}[matrix],
        dst_color_range="JPEG" if full else "MPEG",
    )
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        for k in range(20):
            frame.pts, frame.time_base = k, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    _, frames = standardise(path)
    for k, colour in enumerate(colours):
        assert frames[10][48, 32 * k + 16] == pytest.approx(colour, abs=5)


def woven(number: int) -> np.ndarray:
    """Draw an interlaced frame of a bar that moves: lines of two moments."""
    frames = []
    for moment in (0, 1):
        frame = np.full((96, 160, 3), 60, np.uint8)
        x = 10 + 3 * (2 * number + moment)
        frame[20:76, x : x + 24] = 220
        frames.append(frame)
    frames[0][1::2] = frames[1][1::2]
    return frames[0]


def combing(frame: np.ndarray) -> float:
    """Measure how far lines differ from both of their neighbours."""
    luma = frame.mean(axis=2)
    middle = luma[24:72]
    return float(np.abs(middle - (luma[23:71] + luma[25:73]) / 2).mean())


@pytest.mark.parametrize(
    ("mode", "marked", "expected"),
    [("auto", True, True), ("auto", False, False), ("never", True, False), ("always", False, True)],
)
def test_interlaced_sources(tmp_path: Path, mode: str, marked: bool, expected: bool) -> None:
    options = {"crf": "8"} | ({"x264-params": "tff=1:weightp=0"} if marked else {})
    clip = write_clip(tmp_path / "a.mp4", [woven(k) for k in range(20)], options=options)
    assert probe(clip).interlaced == marked
    record, frames = standardise(clip, SHORT.model_copy(update={"deinterlace": mode}))
    assert record.deinterlaced == expected
    assert record.n_frames == 20
    comb = np.mean([combing(f) for f in frames[2:-2]])
    assert comb < 2 if expected else comb > 4
    # One picture a frame, in its place: the bar moves on evenly.
    centre = [np.flatnonzero(f[48].mean(axis=1) > 140).mean() for f in frames]
    assert np.diff(centre) == pytest.approx(6, abs=1.6)


def shown(signal: float, name: str) -> float:
    """Return the 8-bit code of a signal's light, with reference white as SDR's white.

    HLG on a display of 1,000 cd/m2 and PQ by BT.2100's formulas, SDR by BT.1886.
    """
    if name == "hlg":
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = signal**2 / 3 if signal <= 0.5 else (np.exp((signal - c) / a) + b) / 12
        light = 1000 * scene**1.2
    else:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        p = signal ** (1 / m2)
        light = 10000 * (max(p - c1, 0) / (c2 - c3 * p)) ** (1 / m1)
    return 255 * min(light / 203, 1) ** (1 / 2.4)


def ramp_10_bit() -> np.ndarray:
    """Draw eleven grey bars from black to the brightest signal, as yuv420p10le planes."""
    luma = np.repeat(np.round(64 + 876 * np.linspace(0, 1, 11)).astype(np.uint16), 16)
    y = np.broadcast_to(luma, (96, 176))
    chroma = np.full((48, 176), 512, np.uint16)
    return np.concatenate([y, chroma])


@pytest.mark.slow
@pytest.mark.parametrize(("transfer", "name"), [(18, "hlg"), (16, "pq")])
def test_high_dynamic_range_is_mapped(tmp_path: Path, transfer: int, name: str) -> None:
    """A 10-bit HEVC clip: monotone, grey stays grey, shadows near the standard's own curve."""
    clip = write_clip(
        tmp_path / "a.mp4",
        [ramp_10_bit()] * 15,
        codec="libx265",
        pix_fmt="yuv420p10le",
        form="yuv420p10le",
        colour=(9, transfer, 9),
        options={"crf": "6", "x265-params": "log-level=0:repeat-headers=1"},
    )
    found = probe(clip)
    assert (found.bit_depth, found.transfer) == (10, name)
    record, frames = standardise(clip)
    assert record.tone_mapped
    assert frames[0].dtype == np.uint8
    bars = np.array([frames[5][48, 16 * k + 8].astype(int) for k in range(11)])
    assert np.abs(bars - bars.mean(axis=1, keepdims=True)).max() <= 3
    grey = bars[:, 1]
    assert np.all(np.diff(grey) > 0)
    assert grey[0] <= 3
    assert grey[-1] >= 245
    # Below reference white (203 cd/m2, BT.2408) the curve stays near what BT.1886 would show.
    exact = np.array([shown(s, name) for s in np.linspace(0, 1, 11)])
    below = exact < 250
    assert np.all(grey[below] <= exact[below] + 3)
    assert np.all(grey[below] >= 0.6 * exact[below] - 3)
    # Highlights are rolled off, not clipped.
    assert np.diff(grey)[-3:].min() >= 8


def test_ten_bits_without_high_dynamic_range_stay_as_they_are(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.mkv", 20, codec="ffv1", pix_fmt="yuv420p10le", options={})
    assert probe(clip).bit_depth == 10
    record, frames = standardise(clip)
    assert not record.tone_mapped
    assert [number_of(f) for f in frames] == list(range(20))
    assert frames[0][5, 155] == pytest.approx((110, 110, 110), abs=2)


# What is left behind


def test_sound_and_metadata_stay_behind(tmp_path: Path) -> None:
    clip = numbered_clip(
        tmp_path / "a.mov",
        30,
        audio=True,
        metadata={
            "creation_time": "2020-01-02T03:04:05",
            "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050/",
            "com.apple.quicktime.make": "Secretphone",
            "title": "little Jane",
        },
        container={"movflags": "use_metadata_tags"},
    )
    source = clip.read_bytes()
    assert b"Secretphone" in source
    assert b"+52.5200" in source
    standardise(clip)
    standard = clip.with_name("standard.mp4")
    written = standard.read_bytes()
    for secret in (b"Secretphone", b"+52.5200", b"2020-01", b"little Jane", b"Lavf"):
        assert secret not in written
    with av.open(str(standard)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert "creation_time" not in container.metadata
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.pix_fmt == "yuv420p"
        keys = [
            frame.pts * frame.time_base for frame in container.decode(stream) if frame.key_frame
        ]
    assert [float(k) for k in keys] == [0.0, 1.0]


def test_equal_sources_give_equal_bytes(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.mp4", 40, rate=60)
    for name, threads in (("x.mp4", 1), ("y.mp4", 2)):
        record = standardise_video(clip, tmp_path / name, SHORT, threads=threads)
        write_video_record(tmp_path / f"{name}.json", record, Provenance(recording="a"))
    assert file_sha256(tmp_path / "x.mp4") == file_sha256(tmp_path / "y.mp4")
    assert (tmp_path / "x.mp4.json").read_bytes() == (tmp_path / "y.mp4.json").read_bytes()


WRITE = """
import sys
import numpy as np
from fidgety.files import file_sha256
from fidgety.video.write import VideoWriter
from tests.video.clips import numbered
with VideoWriter(sys.argv[1], 30, 160, 96) as writer:
    for k in range(20):
        writer.write(numbered(2 * k, 160, 96))
print(file_sha256(sys.argv[1]))
"""


def test_bytes_do_not_depend_on_what_memory_held_before(tmp_path: Path) -> None:
    """x264's macroblock tree reads memory that nothing wrote, where it uses AVX-512."""
    sums = {
        subprocess.run(
            [sys.executable, "-c", WRITE, str(tmp_path / f"{fill}.mp4")],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "MALLOC_PERTURB_": fill},
        ).stdout
        for fill in ("0", "77")
    }
    assert len(sums) == 1


# Streams


def test_the_largest_moving_picture_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        streams = []
        for width, height in ((80, 48), (160, 96)):
            stream = output.add_stream("libx264", rate=25, options={"crf": "10"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for k in range(20):
            for stream, (width, height) in zip(streams, ((80, 48), (160, 96)), strict=True):
                picture = numbered(k if width == 160 else 0, width, height)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    record, frames = standardise(path)
    assert record.width_px == 160
    assert [number_of(f) for f in frames] == list(range(20))


# Reasons


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert refuse(tmp_path / "a.mp4").reason is Reason.VIDEO_EMPTY


@pytest.mark.parametrize(
    "content",
    [
        b"This is no video.\n" * 200,
        b"#EXTM3U\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
        bytes(range(256)) * 64,
    ],
    ids=["text", "playlist", "list of files", "bytes"],
)
def test_files_that_are_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert refuse(tmp_path / "a.mp4").reason is Reason.VIDEO_UNREADABLE


def test_a_file_cut_in_half_without_its_index(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.mp4", 50)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert refuse(clip).reason is Reason.VIDEO_UNREADABLE


def test_a_file_cut_in_half_behind_its_index_gives_its_first_half(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    noise = [rng.integers(0, 255, (96, 160, 3), dtype=np.uint8) for _ in range(100)]
    clip = write_clip(tmp_path / "a.mp4", noise, container={"movflags": "faststart"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    record, _ = standardise(clip)
    assert 35 <= record.n_frames <= 65
    assert any("of the 4.00 s that its header declares" in w for w in record.warnings)


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "a.ts", 100, options={"crf": "12", "g": "10"})
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    clip.write_bytes(content)
    record, frames = standardise(clip)
    numbers = [number_of(f) for f in frames]
    assert numbers[:20] == list(range(20))
    assert numbers[-10:] == list(range(90, 100))
    assert record.warnings


def test_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / f"{SECRET}.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        wave.sample_rate, wave.pts = 8000, 0
        output.mux(stream.encode(wave))
        output.mux(stream.encode(None))
    error = refuse(path)
    assert error.reason is Reason.VIDEO_NO_STREAM
    assert "audio" in error.detail


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(5000)])
def test_a_files_name_stays_out_of_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{SECRET}.mp4"
    path.write_bytes(content)
    refuse(path)


def test_a_video_without_a_decodable_frame_is_not_named(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / f"{SECRET}.mp4", 30)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    stop = content.find(b"moov", start)
    stop = stop if stop > 0 else len(content)
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)
    refuse(path)


def test_a_single_frame_is_too_short(tmp_path: Path) -> None:
    assert refuse(numbered_clip(tmp_path / "a.mp4", 1)).reason is Reason.VIDEO_TOO_SHORT
    record, _ = standardise(tmp_path / "a.mp4", SHORT.model_copy(update={"min_duration_s": 0}))
    assert record.n_frames == 1


def test_two_seconds_are_too_short_by_default(tmp_path: Path) -> None:
    error = refuse(numbered_clip(tmp_path / "a.mp4", 50), VideoConfig())
    assert error.reason is Reason.VIDEO_TOO_SHORT
    assert "2.00 s" in error.detail


def test_a_picture_too_small(tmp_path: Path) -> None:
    error = refuse(numbered_clip(tmp_path / "a.mp4", 20, 120, 48))
    assert error.reason is Reason.VIDEO_RESOLUTION
    assert "120 x 48" in error.detail


def test_a_missing_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        standardise_video(tmp_path / "none.mp4", tmp_path / "standard.mp4", SHORT)


# Record


def test_records_come_back(tmp_path: Path) -> None:
    record, _ = standardise(numbered_clip(tmp_path / "a.mp4", 30))
    write_video_record(tmp_path / "a.json", record, Provenance(recording="a"))
    assert read_video_record(tmp_path / "a.json") == record
    values = json.loads((tmp_path / "a.json").read_text())
    assert values["schema"] == "video/1"
    assert values["provenance"]["recording"] == "a"
    assert record.source_sha256 == file_sha256(tmp_path / "a.mp4")


def test_reasons_come_back(tmp_path: Path) -> None:
    error = NotAssessable(Reason.VIDEO_EMPTY, "0 bytes")
    video, record = tmp_path / "a.mp4", tmp_path / "a.json"
    write_not_assessable_video(video, record, error, Provenance(input_sha256="ab"))
    assert video.stat().st_size == 0
    outcome = read_video_record(record).outcome
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.VIDEO_EMPTY, "0 bytes")
    with pytest.raises(NotAssessable):
        outcome.raise_if_not_ok()


def test_other_files_are_no_records(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"schema": "pose/1"})
    with pytest.raises(StorageError, match="pose/1"):
        read_video_record(tmp_path / "a.json")


# Reading and writing


def test_frames_are_found_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 30000 / 1001, 160, 96) as writer:
        for k in range(200):
            writer.write(numbered(k, 160, 96))
    info = video_info(path)
    assert (info.n_frames, info.rate) == (200, Fraction(30000, 1001))
    wanted = [0, 1, 30, 31, 100, 160, 199]
    assert [number_of(f) for f in read_frames(path, wanted)] == wanted
    indices, frames = sample_frames(path, 7)
    assert [number_of(f) for f in frames] == indices
    assert np.diff(indices) == pytest.approx(200 / 7, abs=1)
    some = [number_of(f) for f in iter_frames(path, start=95, stop=120, step=3)]
    assert some == list(range(95, 120, 3))
    batches = list(iter_batches(path, 64))
    assert [len(b) for b in batches] == [64, 64, 64, 8]
    assert next(iter_frames(path, size=(80, 48))).shape == (48, 80, 3)
    with pytest.raises(IndexError, match="200"):
        read_frames(path, [200])


def write_and_fail(path: Path) -> None:
    """Write a frame, then fall over."""
    with VideoWriter(path, 25, 160, 96) as writer:
        writer.write(numbered(0, 160, 96))
        raise ZeroDivisionError


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path)
    with pytest.raises(ValueError, match="no frame"), VideoWriter(path, 25, 160, 96):
        pass
    with pytest.raises(ValueError, match="expected"), VideoWriter(path, 25, 160, 96) as writer:
        writer.write(numbered(0, 162, 96))
    with pytest.raises(ValueError, match="even"):
        VideoWriter(path, 25, 161, 96)
    assert list(tmp_path.iterdir()) == []


def test_reading_what_is_no_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(StorageError, match="run the workflow again"):
        video_info(tmp_path / "a.mp4")


@pytest.mark.parametrize(("kind", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_frames_as_image_files(tmp_path: Path, kind: str, suffix: str) -> None:
    _, frames = standardise(numbered_clip(tmp_path / "a.mp4", 15))
    assert export_frames(tmp_path / "standard.mp4", tmp_path / "frames", kind) == 15
    files = sorted((tmp_path / "frames").iterdir())
    assert [f.name for f in files] == [f"{k:06d}{suffix}" for k in range(15)]
    image = cv2.cvtColor(cv2.imread(str(files[7])), cv2.COLOR_BGR2RGB)
    assert np.abs(image.astype(int) - frames[7]).mean() < (1e-9 if kind == "png" else 3)


# Memory

# Not by getrusage: a child's peak starts from its parent's.
MEASURE = """
import re, sys
from pathlib import Path
from fidgety.config.video import VideoConfig
from fidgety.video.standardise import standardise_video
standardise_video(sys.argv[1], sys.argv[2], VideoConfig(min_duration_s=0.5))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """900 frames more, 170 MB of pictures, take no more memory once the encoder is full."""
    peak_kib = []
    for n in (300, 1200):
        still = [numbered(0, 480, 270)] * n
        clip = write_clip(tmp_path / f"{n}.mp4", still, options={"preset": "ultrafast"})
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(clip), str(tmp_path / "out.mp4")],
            capture_output=True,
            text=True,
            check=True,
        )
        peak_kib.append(int(done.stdout))
    assert peak_kib[1] - peak_kib[0] < 8_000
