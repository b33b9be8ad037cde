"""Nothing that a camera writes about place, time and device leaves the source video."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fidgety.background.extract import SCHEMA
from fidgety.config.background import BackgroundConfig
from fidgety.config.export import ExportConfig
from fidgety.config.report import ReportConfig
from fidgety.config.video import VideoConfig
from fidgety.pose.tracks import write_pose
from fidgety.report.clips import Clip, cut_clip
from fidgety.storage import Provenance
from tests.background.test_scripts import rule
from tests.report.conftest import SIDE, body_pose
from workflow_scripts import draw_overlay, export_track, extract_background, standardise_video

PLACE = "+52.5163+013.3777+034.000/"
TAKEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
#: What the source says of itself, all of it words that nothing else would write.
SAID = {
    "com.apple.quicktime.location.ISO6709": PLACE,
    "com.apple.quicktime.make": "Fruitcompany",
    "com.apple.quicktime.model": "Telephone-99",
    "com.apple.quicktime.creationdate": "2021-03-04T06:06:07+0100",
    "location": PLACE,
    "location-eng": PLACE,
    "make": "Fruitcompany",
    "model": "Telephone-99",
    "title": "Annas-first-kicks",
    "artist": "Muellers-Family",
    "comment": "Room-17-of-the-ward",
    "creation_time": TAKEN.isoformat(),
}
HANDLER, CHAPTER = "Handlername-Mueller", "Chapter-Anna"
SOURCE = "anna-mueller-2021.mov"
WORDS = {
    *(text for key, text in SAID.items() if key != "creation_time"),
    *(HANDLER, CHAPTER, "52.5163", "2021-03-04"),
}


#: As they stand in the source's bytes; headers of mp4 and mov count seconds from 1904.
WRITTEN = [
    *(word.encode() for word in sorted(WORDS)),
    struct.pack(">I", int(TAKEN.timestamp()) + 2_082_844_800),
]
#: As they might stand elsewhere; a file's name may tell who it is, too.
NEEDLES = [
    *WRITTEN,
    *(word.encode("utf-16-le") for word in sorted(WORDS)),
    Path(SOURCE).stem.encode(),
]


def write_source(path: Path, n: int) -> None:
    """Write a video as a telephone does: picture, sound, a chapter, and what it knows."""
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(path), "w", format="mov", options=options) as container:
        container.metadata.update(SAID)
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = SIDE
        video.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=16_000)
        for stream in (video, sound):
            stream.metadata.update({"handler_name": HANDLER, "title": SAID["title"]})
            stream.metadata["creation_time"] = SAID["creation_time"]
        seconds = n / 25
        container.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": int(1000 * seconds),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": CHAPTER},
                }
            ]
        )
        rng = np.random.default_rng(0)
        for _ in range(n):
            picture = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, int(16_000 * seconds)), np.float32), "fltp", "mono"
        )
        silence.sample_rate = 16_000
        container.mux(sound.encode(silence))
        for stream in (video, sound):
            container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("camera") / SOURCE
    write_source(path, body_pose().n_frames)
    return path


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all that stages make of the source."""
    folder = tmp_path_factory.mktemp("results")
    video, record = folder / "baby-01.mp4", folder / "baby-01.json"
    params = {
        "config": VideoConfig(export_frames="jpeg").model_dump(mode="json"),
        **{"crop": None, "source_sha256": "", "frames": str(folder / "frames")},
    }
    outputs = {"video": video, "record": record}
    rule(folder, standardise_video.main, "standardise_video", {"video": source}, outputs, params)
    inputs = {"video": video, "record": record}
    masks, background = folder / "masks.h5", BackgroundConfig(method="median", min_body_frames=0)
    rule(
        folder,
        extract_background.main,
        "extract_background",
        inputs,
        {"background": masks},
        {"config": background.model_dump(mode="json"), "code": "c0de"},
        not_assessable={"background": SCHEMA},
    )
    clean = folder / "clean.h5"
    write_pose(clean, body_pose(), Provenance(recording="baby-01"))
    overlay = folder / "overlay.mp4"
    shown = ReportConfig(faces="visible").model_dump(mode="json")
    rule(
        folder,
        draw_overlay.main,
        "draw_overlay",
        _Named(video=str(video), record=str(record), clean=str(clean)),
        _Named(video=str(overlay)),
        _Named(config=shown, background={}),
    )
    cut_clip(overlay, Clip(1, "mam", "baby-01", 1.0, 3.0, 0.9), folder / "01.mp4")
    formats = ExportConfig().model_dump(mode="json")
    rule(
        folder,
        export_track.main,
        "export_track",
        {"pose": str(clean)},
        {"folder": str(folder / "export")},
        {"config": formats},
    )
    return folder


class _Named(dict):  # type: ignore[type-arg]
    """Values by name or by attribute, as scripts find them."""

    __getattr__ = dict.__getitem__


def test_the_source_is_full_of_it(source: Path) -> None:
    """What the other tests stand on."""
    content = source.read_bytes()
    assert [written for written in WRITTEN if written not in content] == []
    with av.open(str(source)) as container:
        assert container.metadata["com.apple.quicktime.location.ISO6709"] == PLACE
        assert container.streams.video[0].metadata["handler_name"] == HANDLER
        assert container.chapters()[0]["metadata"] == {"title": CHAPTER}


def test_no_output_has_any_of_it(made: Path) -> None:
    files = [path for path in made.rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in files}
    assert suffixes >= {".mp4", ".json", ".h5", ".jpg", ".csv", ".nc", ".nwb", ".log"}
    found = {
        f"{path.relative_to(made)}: {needle!r}"
        for path in files
        for needle in NEEDLES
        if needle in path.read_bytes()
    }
    assert found == set()


def test_the_log_of_a_failure_has_no_more_than_the_files_name(source: Path, tmp_path: Path) -> None:
    """A message has to name the file; what the camera wrote into it, none does."""
    broken = tmp_path / SOURCE
    content = source.read_bytes()
    at = content.rindex(b"mdat") + 4
    broken.write_bytes(content[:at] + bytes(2000) + content[at + 2000 :])
    params = {
        "config": VideoConfig().model_dump(mode="json"),
        **{"crop": None, "source_sha256": "", "frames": None},
    }
    for name, video in (("broken", broken), ("gone", tmp_path / "gone" / SOURCE)):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        outputs = {"video": folder / "baby-01.mp4", "record": folder / "baby-01.json"}
        with contextlib.suppress(SystemExit):
            rule(
                folder, standardise_video.main, "standardise_video", {"video": video}, outputs,
                params, not_assessable={"record": "video/1"},
            )  # fmt: skip
        for path in (path for path in folder.rglob("*") if path.is_file()):
            said = path.read_bytes()
            assert [needle for needle in NEEDLES[:-1] if needle in said] == [], path
            assert path.suffix == ".log" or NEEDLES[-1] not in said, path


def test_videos_say_nothing_of_themselves(made: Path) -> None:
    videos = sorted(made.glob("*.mp4"))
    assert [path.name for path in videos] == ["01.mp4", "baby-01.mp4", "overlay.mp4"]
    allowed = {"major_brand", "minor_version", "compatible_brands"}
    for path in videos:
        with av.open(str(path)) as container:
            assert set(container.metadata) <= allowed, path.name
            assert [stream.type for stream in container.streams] == ["video"]
            (stream,) = container.streams.video
            said = {k: v for k, v in stream.metadata.items() if k not in ("language", "vendor_id")}
            assert said.get("handler_name", "VideoHandler") == "VideoHandler", path.name
            assert set(said) <= {"handler_name"}, said
            assert not container.chapters()


def test_pictures_have_no_header_of_a_camera(made: Path) -> None:
    for path in sorted((made / "frames" / "baby-01").iterdir())[:3]:
        content = path.read_bytes()
        assert b"Exif" not in content
        assert b"http://ns.adobe.com" not in content
