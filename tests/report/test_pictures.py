"""Strips of what models of pictures look at show what may be shown, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fidgety.background.read import BodyMasks
from fidgety.config.report import ReportConfig
from fidgety.pixels.crop import crop
from fidgety.pixels.store import Pixels
from fidgety.report.overlay import Cover
from fidgety.report.pictures import flow_picture, heat, moved, save_strip, strip
from fidgety.training.looks import Look
from tests.pixels.synthetic import write_pixels
from tests.pixels.test_build import still_pose, write_masks

SIZE = 96
#: Height and width of the video.
VIDEO = 160, 160


@pytest.fixture
def pixels(tmp_path: Path) -> Pixels:
    rng = np.random.default_rng(0)
    crops = rng.integers(50, 256, (9, SIZE, SIZE, 3))
    flow = rng.integers(0, 256, (8, SIZE, SIZE, 2))
    write_pixels(tmp_path / "a.h5", crops, flow)
    return Pixels(tmp_path / "a.h5")


@pytest.fixture
def masks(tmp_path: Path) -> Iterator[BodyMasks]:
    """The left half of the picture is body, the rest nearly: 0.4."""
    mask = np.full(VIDEO, 102, dtype=np.uint8)
    mask[:, :80] = 255
    with BodyMasks(write_masks(tmp_path / "masks.h5", np.repeat(mask[None], 61, axis=0))) as opened:
        yield opened


def look() -> Look:
    values = np.zeros((SIZE, SIZE), dtype=np.float32)
    values[40:50, 40:50] = 1.0
    return Look("m", "a", 0.0, 1.0, "PR", 0.9, {"spatial": values, "temporal": values})


def aligned(pixels: Pixels) -> tuple[Pixels, object]:
    """Lay the crops over the pose as the alignment of that pose would."""
    from fidgety.pixels.alignment import fit_alignment

    pose = still_pose()
    pixels.alignment = fit_alignment(pose)
    return pixels, pose


def test_faces_are_hidden_unless_they_are_asked_for(pixels: Pixels, masks: BodyMasks) -> None:
    opened, pose = aligned(pixels)
    hidden = strip(look(), opened, masks, pose, ReportConfig())
    shown = strip(look(), opened, masks, pose, ReportConfig(faces="visible"))
    assert list(hidden) == ["crop", "flow", "spatial", "temporal"]
    np.testing.assert_array_equal(shown["crop"], opened.crops(3, 4)[0])
    covered = (hidden["crop"] == 0).all(axis=2)
    body = crop(masks.at(0), opened.alignment, SIZE) >= 128
    # What is hardly body is hidden altogether, and of the body the head, which is up.
    assert covered[~body].all()
    assert 0.02 < covered[body].mean() < 0.6
    assert np.argwhere(covered & body)[:, 0].mean() < SIZE / 2
    assert (hidden["flow"][covered] == 0).all()
    np.testing.assert_array_equal(hidden["crop"][~covered], shown["crop"][~covered])
    # Heat over the cover does not bring the face back.
    inside = covered & (look().maps["spatial"] == 0)
    assert (hidden["spatial"][inside] == 0).all()


def test_a_frame_without_pose_is_black(pixels: Pixels, masks: BodyMasks) -> None:
    opened, pose = aligned(pixels)
    opened.frame = opened.frame + 10_000
    panels = strip(look(), opened, masks, pose, ReportConfig())
    assert not panels["crop"].any()
    assert not panels["flow"].any()


def test_skeleton_alone_shows_nothing_of_the_picture(pixels: Pixels, masks: BodyMasks) -> None:
    opened, pose = aligned(pixels)
    panels = strip(look(), opened, masks, pose, ReportConfig(overlay="skeleton"))
    assert list(panels) == ["crop", "spatial", "temporal"]
    assert panels["crop"].any()
    assert (panels["crop"] == 0).all(axis=2).mean() > 0.5


def test_covers_move_with_the_crop() -> None:
    cover = Cover((10.0, 0.0), (10.0, 5.0), 2.0)
    # Turned by 90 degrees, twice as large, shifted.
    (there,) = moved([cover], np.array([[0.0, -2.0, 3.0], [2.0, 0.0, 4.0]])) or ()
    assert there == replace(cover, start=(3.0, 24.0), end=(-7.0, 24.0), radius=4.0)
    assert moved(None, np.eye(2, 3)) is None


def test_colours_of_flow_and_of_maps() -> None:
    field = np.zeros((2, 2, 2), dtype=np.float32)
    field[0, 0] = (20.0, 0.0)  # to the right: red
    field[1, 0] = (-20.0, 0.0)  # to the left: cyan
    picture = flow_picture(field)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[1, 0].tolist() == [0, 255, 255]
    assert not picture[:, 1].any()
    grey = np.full((2, 2, 3), 100, dtype=np.uint8)
    warm = heat(grey, np.array([[0.0, 1.0], [0.0, 0.0]], dtype=np.float32))
    assert warm[0, 0].tolist() == [100, 100, 100]
    assert warm[0, 1, 0] > 150  # viridis ends in yellow
    assert warm[0, 1, 2] < 100


def test_a_strip_is_one_picture(tmp_path: Path) -> None:
    panels = [np.full((80, 80, 3), k, dtype=np.uint8) for k in (10, 200)]
    save_strip(panels, tmp_path / "a.png")
    read = cv2.imread(str(tmp_path / "a.png"))
    assert read.shape == (160, 324, 3)
    assert read[0, 0, 0] == 10
    assert read[0, -1, 0] == 200
