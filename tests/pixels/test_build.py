"""From video, masks and pose to crops and flow."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import xarray as xr

from fidgety.background.extract import SCHEMA as BACKGROUND_SCHEMA
from fidgety.config.pixels import PixelsConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pixels.build import build_pixels
from fidgety.pixels.store import Pixels
from fidgety.pose.tracks import Pose, write_pose
from fidgety.storage import Provenance, write_dataset
from fidgety.video.write import VideoWriter
from tests.report.conftest import body_pose

SIDE = 160
FPS = 30.0
N = 61
#: Pixels that the body moves to the right, a frame.
SPEED = 0.4


def still_pose() -> Pose:
    pose = body_pose(N / FPS, fps=FPS)
    return replace(pose, position=np.repeat(pose.position[:1], pose.n_frames, axis=0))


def write_masks(path: Path, masks: np.ndarray) -> Path:
    """Write body masks of shape (frame, height, width) at the video's size."""
    write_dataset(
        path,
        xr.Dataset(
            {
                "mask": (("frame", "height", "width"), masks),
                "coverage": (("frame",), np.full(len(masks), 0.25, dtype=np.float32)),
            },
            attrs={
                "scale": 1.0,
                "video_width_px": masks.shape[2],
                "video_height_px": masks.shape[1],
                "fps": FPS,
                "method": "test",
            },
        ),
        schema=BACKGROUND_SCHEMA,
        provenance=Provenance(),
    )
    return path


def write_recording(folder: Path, pose: Pose, n: int = N) -> tuple[Path, Path, Path]:
    """A textured body that moves evenly to the right before a bright, noisy ground."""
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (SIDE, 2 * SIDE)).astype("f4"), (0, 0), 2.5)
    texture = (texture - texture.min()) / (texture.max() - texture.min()) * 255
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[40:120, 40:120] = 255
    with VideoWriter(folder / "video.mp4", FPS, SIDE, SIDE, crf=4) as writer:
        for k in range(n):
            shift = np.array([[1, 0, SPEED * k - SIDE / 2], [0, 1, 0]])
            body = cv2.warpAffine(texture, shift, (SIDE, SIDE))
            ground = rng.integers(180, 255, (SIDE, SIDE))
            grey = np.where(mask > 0, body, ground).astype(np.uint8)
            writer.write(np.repeat(grey[..., None], 3, axis=2))
    write_masks(folder / "background.h5", np.repeat(mask[None], n, axis=0))
    write_pose(folder / "pose.h5", pose, Provenance())
    return folder / "video.mp4", folder / "background.h5", folder / "pose.h5"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pixels")
    path = folder / "pixels.h5"
    build_pixels(*write_recording(folder, still_pose()), path, PixelsConfig(), Provenance())
    return path


def test_there_are_six_fields_a_second_and_a_crop_more(built: Path) -> None:
    with Pixels(built) as pixels:
        assert pixels.n_fields == 12
        np.testing.assert_allclose(np.diff(pixels.time_s), 1 / 6)
        assert pixels.crops(0, 13).shape == (13, 224, 224, 3)
        assert pixels.flow(0, 12).shape == (12, 224, 224, 2)


def test_what_is_not_body_is_black(built: Path) -> None:
    with Pixels(built) as pixels:
        matrix = pixels.alignment.matrix(224)
        inside = matrix[:, :2] @ np.array([80.0, 80.0]) + matrix[:, 2]
        outside = matrix[:, :2] @ np.array([80.0, 20.0]) + matrix[:, 2]
        image = pixels.crops(3, 4)[0]
        assert image[round(inside[1]), round(inside[0])].max() > 20
        assert image[round(outside[1]), round(outside[0])].max() == 0


def test_flow_is_the_movement_of_the_aligned_body(built: Path) -> None:
    """Five frames of 0.4 pixels, turned and scaled as the crop is."""
    with Pixels(built) as pixels:
        matrix = pixels.alignment.matrix(224)
        expected = matrix[:, :2] @ np.array([5 * SPEED, 0.0])
        x, y = (matrix[:, :2] @ np.array([80.0, 80.0]) + matrix[:, 2]).round().astype(int)
        near = pixels.flow(2, 10)[:, y - 12 : y + 12, x - 12 : x + 12]
        np.testing.assert_allclose(np.median(near, axis=(0, 1, 2)), expected, atol=0.35)


def test_another_rate_of_frames_gives_the_same_flow(tmp_path: Path, built: Path) -> None:
    """Fields lie between the nearest frames, scaled to a sixth of a second."""
    config = PixelsConfig(rate_hz=7.0, bits="float16", flow="dis")
    path = tmp_path / "pixels.h5"
    build_pixels(*write_recording(tmp_path, still_pose()), path, config, Provenance())
    with Pixels(path) as pixels, Pixels(built) as usual:
        x, y = (
            usual.alignment.matrix(224) @ np.array([80.0, 80.0, 1.0])
        ).round().astype(int)  # fmt: skip
        some = np.s_[:, y - 12 : y + 12, x - 12 : x + 12]
        here, there = (np.median(p.flow(0, 12)[some], axis=(0, 1, 2)) for p in (pixels, usual))
        np.testing.assert_allclose(here * 7 / 6, there, atol=0.35)
        with h5py.File(path) as file:
            assert file["flow"].dtype == np.float16


def _means(pixels: Pixels) -> float:
    return float(pixels.crops(0, 13).mean() + np.abs(pixels.flow(0, 12)).mean())


def test_several_workers_read_one_file(built: Path) -> None:
    with Pixels(built) as pixels:
        here = _means(pixels)  # opened here before the workers start
        assert pickle.loads(pickle.dumps(pixels)).n_fields == 12
        with ProcessPoolExecutor(2) as workers:
            assert list(workers.map(_means, [pixels] * 4)) == [here] * 4


def test_a_clip_costs_what_it_holds(built: Path) -> None:
    with h5py.File(built) as file:
        assert file["crop"].chunks == (1, 224, 224, 3)
        assert file["flow"].chunks == (1, 224, 224, 2)
        assert file["crop"].compression == "gzip"


def test_why_there_are_none_is_told(tmp_path: Path) -> None:
    pose = still_pose()
    never = replace(pose, position=np.full_like(pose.position, np.nan))
    with pytest.raises(NotAssessable, match="never seen together"):
        build_pixels(
            *write_recording(tmp_path, never), tmp_path / "a.h5", PixelsConfig(), Provenance()
        )
    assert not (tmp_path / "a.h5").exists()
    slow = PixelsConfig(rate_hz=60.0)
    with pytest.raises(NotAssessable, match="60 fields a second of 30") as caught:
        build_pixels(*write_recording(tmp_path, pose), tmp_path / "a.h5", slow, Provenance())
    assert caught.value.reason is Reason.FEATURE_UNAVAILABLE
    short = write_recording(tmp_path, pose, n=3)
    with pytest.raises(NotAssessable, match=r"3 frames are no 0\.17 s"):
        build_pixels(*short, tmp_path / "a.h5", PixelsConfig(), Provenance())
