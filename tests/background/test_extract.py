"""The background file, its readers, and what is done with masks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import xarray as xr

from fidgety.background.apply import hide_background, make_alter, resize_mask
from fidgety.background.extract import SCHEMA, background_image, extract_background
from fidgety.background.median import TemporalMedian
from fidgety.background.median_options import TemporalMedianOptions
from fidgety.background.read import BodyMasks, read_mask
from fidgety.config.background import BackgroundConfig
from fidgety.errors import NotAssessable, Reason, StorageError
from fidgety.files import file_sha256
from fidgety.storage import (
    DatasetWriter,
    Provenance,
    read_dataset,
    read_provenance,
    write_not_assessable,
)
from fidgety.video.write import VideoWriter
from tests.background.conftest import Scene, make_disc_scene


def write_video(path: Path, frames: np.ndarray) -> Path:
    with VideoWriter(path, 25, frames.shape[2], frames.shape[1], crf=8) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def extract(video: Path, path: Path, config: BackgroundConfig = BackgroundConfig()) -> None:  # noqa: B008
    with TemporalMedian(TemporalMedianOptions()) as method:
        extract_background(video, path, method, config, Provenance(recording="disc"))


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory, disc_scene: Scene) -> Path:
    folder = tmp_path_factory.mktemp("background")
    extract(write_video(folder / "video.mp4", disc_scene.frames), folder / "masks.h5")
    return folder / "masks.h5"


def test_the_file_holds_what_it_should(extracted: Path, disc_scene: Scene) -> None:
    data = read_dataset(extracted, schema=SCHEMA)
    n = len(disc_scene.frames)
    sizes = {"frame": n, "height": 160, "width": 256, "channel": 3}
    # A look at the camera every fifth of a second.
    assert dict(data.sizes) == sizes | {"camera_step": (n - 1) // 5}
    assert data["mask"].dtype == data["background"].dtype == np.uint8
    assert data["time"].values == pytest.approx(np.arange(n) / 25)
    truth = disc_scene.truth.mean(axis=(1, 2))
    assert data["coverage"].values == pytest.approx(truth, rel=0.1)
    assert data["coverage"].values == pytest.approx(data["mask"].values.mean((1, 2)) / 255)
    assert data.attrs["scale"] == pytest.approx(256 / 320)
    assert data.attrs["method"] == "median"
    assert data.attrs["follows_one"] == 0
    assert read_provenance(extracted)["recording"] == "disc"


def test_masks_come_back_at_the_videos_size(extracted: Path, disc_scene: Scene) -> None:
    with BodyMasks(extracted) as masks:
        assert len(masks) == len(disc_scene.frames)
        assert (masks.size, masks.fps) == ((320, 200), 25)
        assert masks[3:7].shape == (4, 160, 256)
        for k, mask in enumerate(masks.iter(chunk=5)):
            truth = disc_scene.truth[k]
            body = mask >= 128
            assert (body & truth).sum() / (body | truth).sum() > 0.85
        assert np.array_equal(masks.at(9), read_mask(extracted, 9))
        assert masks.at(9, (64, 40)).shape == (40, 64)
        assert masks.coverage().shape == (len(masks),)


def test_the_background_has_no_body_in_it(extracted: Path, disc_scene: Scene) -> None:
    with BodyMasks(extracted) as masks:
        image = masks.background()
    empty = disc_scene.empty.mean(axis=0).astype(np.uint8)
    ground = np.asarray(cv2.resize(empty, (256, 160), interpolation=cv2.INTER_AREA))
    assert np.abs(image.astype(int) - ground).mean() < 4
    assert image[8:].max() < 110


def test_equal_videos_give_equal_bytes(extracted: Path, tmp_path: Path) -> None:
    extract(extracted.with_name("video.mp4"), tmp_path / "again.h5")
    assert file_sha256(extracted) == file_sha256(tmp_path / "again.h5")


def test_nobody_in_view_is_a_reason(tmp_path: Path, disc_scene: Scene) -> None:
    video = write_video(tmp_path / "video.mp4", disc_scene.empty)
    with pytest.raises(NotAssessable) as caught:
        extract(video, tmp_path / "masks.h5")
    assert caught.value.reason is Reason.NO_BODY
    assert "0 of 24 frames" in caught.value.detail
    assert sorted(p.name for p in tmp_path.iterdir()) == ["video.mp4"]


def test_recorded_reasons_are_handed_on(tmp_path: Path) -> None:
    error = NotAssessable(Reason.VIDEO_EMPTY, "0 bytes")
    write_not_assessable(tmp_path / "a.h5", error, schema=SCHEMA, provenance=Provenance())
    with pytest.raises(NotAssessable, match="video_empty"):
        BodyMasks(tmp_path / "a.h5")


def test_background_behind_a_body_that_stays_is_the_median() -> None:
    frames = np.full((5, 8, 8, 3), 10, np.uint8)
    frames[:, 3:5, 3:5] = 200
    masks = np.where(frames[..., 0] == 200, 255, 0).astype(np.uint8)
    image = background_image(frames, masks)
    assert np.all(image[3:5, 3:5] == 200)
    assert np.all(image[0] == 10)


# Streaming files


def test_files_written_in_pieces_equal_files_written_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (100, 6, 8), dtype=np.uint8)
    with DatasetWriter(tmp_path / "a.h5", schema="x/1", provenance=Provenance()) as writer:
        variable = writer.create("v", {"time": 100, "y": 6, "x": 8}, np.uint8, (16, 6, 8))
        for start in range(0, 100, 16):
            variable[start : start + 16] = values[start : start + 16]
        writer.add(xr.Dataset({"t": ("time", np.arange(100.0))}, attrs={"fps": 25.0}))
    read = read_dataset(tmp_path / "a.h5", schema="x/1")
    assert np.array_equal(read["v"].values, values)
    assert np.array_equal(read["t"].values, np.arange(100))
    assert read.attrs["fps"] == 25


def fail_midway(path: Path) -> None:
    with DatasetWriter(path, schema="x/1", provenance=Provenance()) as writer:
        writer.create("v", {"time": 4}, np.uint8)
        raise ZeroDivisionError


def test_a_file_that_fails_midway_is_absent(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_midway(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "a.h5", schema="x/1", provenance=Provenance()):
        pass
    with pytest.raises(StorageError, match="x/1"):
        BodyMasks(tmp_path / "a.h5")


# What is seen behind the body


@pytest.fixture
def pictured() -> tuple[np.ndarray, np.ndarray]:
    scene = make_disc_scene(2)
    return scene.frames[0], np.where(scene.truth[0], 255, 0).astype(np.uint8)


@pytest.mark.parametrize("how", ["black", "blur", "replace"])
def test_the_body_stays_and_the_rest_goes(pictured: tuple, how: str) -> None:
    frame, mask = pictured
    seen = hide_background(frame, mask, how, (10, 250, 30))
    assert seen.dtype == np.uint8
    assert np.array_equal(seen[mask == 255], frame[mask == 255])
    behind = seen[mask == 0].astype(int)
    if how == "black":
        assert behind.max() == 0
    elif how == "replace":
        assert np.all(behind == (10, 250, 30))
    else:
        # The texture is gone, its mean colour is there, and the body leaves no glow.
        assert behind.std(axis=0).max() < 0.5 * frame[mask == 0].std(axis=0).min()
        assert behind.mean(axis=0) == pytest.approx(frame[mask == 0].mean(axis=0), abs=3)
        assert np.median(behind.max(axis=1)) < 80


def test_soft_masks_mix(pictured: tuple) -> None:
    frame, mask = pictured
    half = hide_background(frame, np.full_like(mask, 128), "black")
    assert np.abs(half.astype(int) - frame * (128 / 255)).max() <= 1


def test_small_masks_are_resized(pictured: tuple) -> None:
    frame, mask = pictured
    small = resize_mask(mask, 160, 100)
    assert small.shape == (100, 160)
    seen = hide_background(frame, small, "black")
    whole = hide_background(frame, mask, "black")
    assert np.abs(seen.astype(int) - whole).mean() < 3


def test_the_configuration_decides(pictured: tuple) -> None:
    frame, mask = pictured
    assert make_alter(BackgroundConfig()) is None
    alter = make_alter(BackgroundConfig(apply="replace", replace_colour=(1, 2, 3)))
    assert alter is not None
    assert np.all(alter(frame, mask)[mask == 0] == (1, 2, 3))
    assert hide_background(frame, mask, "none") is frame


# Not by getrusage: a child's peak starts from its parent's.
MEASURE = """
import re, sys
from pathlib import Path
from fidgety.background.extract import extract_background
from fidgety.background.median import TemporalMedian
from fidgety.background.median_options import TemporalMedianOptions
from fidgety.config.background import BackgroundConfig
from fidgety.storage import Provenance
with TemporalMedian(TemporalMedianOptions()) as method:
    extract_background(sys.argv[1], sys.argv[2], method, BackgroundConfig(), Provenance())
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """400 frames more, 16 MB of masks and 77 MB of pictures, take no more memory."""
    peak_kib = []
    for n in (10, 30):
        scene = make_disc_scene(20)
        video = write_video(tmp_path / f"{n}.mp4", np.concatenate([scene.frames] * n))
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(video), str(tmp_path / "masks.h5")],
            capture_output=True,
            text=True,
            check=True,
        )
        peak_kib.append(int(done.stdout))
    assert peak_kib[1] - peak_kib[0] < 12_000
