from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.pose.base import Estimate
from fidgety.pose.crop import Crop, body_points, crop_around, crop_whole, holds, rotation
from fidgety.pose.orientation import (
    axis_angle,
    body_up,
    find_orientation,
    inside_share,
    pose_quality,
    up_angle,
)
from fidgety.skeletons import COCO_17
from tests.pose.sight import UprightOnly, draw_doll

angles = st.floats(0, 359.9)


def apart(a: float, b: float, turn: float = 360.0) -> float:
    return abs((a - b + turn / 2) % turn - turn / 2)


@given(angles)
def test_a_clockwise_turn_brings_the_vector_up(angle: float) -> None:
    head = rotation(angle) @ np.array([0.0, -2.0])  # points `angle` clockwise of up
    assert apart(up_angle(head), 360.0 - angle) < 1e-6
    np.testing.assert_allclose(rotation(up_angle(head)) @ head, [0, -2], atol=1e-9)


def test_clockwise_is_as_people_see_it() -> None:
    # y points down: up turned clockwise by a quarter points right.
    np.testing.assert_allclose(rotation(90) @ np.array([0.0, -1.0]), [1.0, 0.0], atol=1e-12)


@given(angles, st.integers(0, 10))
def test_the_long_axis_of_a_body_is_its_angle_up_to_half_a_turn(angle: float, seed: int) -> None:
    points = np.random.default_rng(seed).uniform([-10, -40], [10, 40], (800, 2))
    assert apart(axis_angle(points @ rotation(angle).T + 7.0), -angle, 180.0) < 5.0


@given(
    angles,
    st.tuples(st.floats(-50, 700), st.floats(-50, 700)),
    st.floats(20, 900),
    st.integers(32, 500),
)
def test_there_and_back_is_the_identity(
    angle: float, centre: tuple[float, float], side: float, size: int
) -> None:
    crop = Crop(angle, centre, side, size)
    points = np.random.default_rng(1).uniform(0, 640, (3, 2, 5))
    np.testing.assert_allclose(crop.to_video(crop.to_crop(points)), points, atol=1e-6)
    middle = np.full((1, 2, 1), size / 2)
    np.testing.assert_allclose(crop.to_video(middle)[0, :, 0], centre, atol=1e-6)


@pytest.mark.parametrize(("angle", "side"), [(0, 100), (30, 150), (90, 90), (200, 420), (315, 80)])
def test_pixels_land_where_the_coordinates_say(angle: float, side: float) -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[100:104, 150:154] = 255
    crop = Crop(angle, (160.0, 110.0), side, 200)
    row, column = np.nonzero(crop.cut(frame)[..., 0] > 127)
    expected = crop.to_crop(np.array([[[152.0], [102.0]]]))[0, :, 0]
    np.testing.assert_allclose([column.mean() + 0.5, row.mean() + 0.5], expected, atol=0.6)


def test_world_is_turned_back_about_the_camera_and_depth_stays() -> None:
    # Cut with a quarter turn clockwise, what points up in the crop pointed left in the video.
    crop = Crop(90.0, (0.0, 0.0), 10.0, 10)
    world = np.array([[[0.0], [-1.0], [0.3]]])
    np.testing.assert_allclose(crop.world_to_video(world)[0, :, 0], [-1.0, 0.0, 0.3], atol=1e-12)


@given(angles, st.floats(0.0, 0.5))
def test_the_crop_holds_the_body_with_its_margin(angle: float, margin: float) -> None:
    points = np.random.default_rng(2).uniform([100, 200], [180, 380], (500, 2))
    crop = crop_around(points, angle, margin, 256)
    inside = crop.to_crop(points.T[None])[0]
    space = margin / (1 + 2 * margin) * 256
    assert np.mean((inside >= space - 1e-6) & (inside <= 256 - space + 1e-6)) > 0.98
    assert holds(crop, points, border=min(0.9 * space / 256, 0.05) - 1e-6)
    assert not holds(crop, points + 100)
    assert not holds(crop, points.mean(axis=0) + 0.1 * (points - points.mean(axis=0)))


@given(angles)
def test_the_whole_picture_is_in_the_whole_crop(angle: float) -> None:
    corners = np.array([[[0.0, 400.0, 0.0, 400.0], [0.0, 0.0, 300.0, 300.0]]])
    inside = crop_whole((300, 400), angle, 100).to_crop(corners)
    assert inside.min() >= -1e-9
    assert inside.max() <= 100 + 1e-9


def test_body_points_are_in_the_video_pixels() -> None:
    masks = np.zeros((2, 10, 20), np.uint8)
    masks[1, 4, 6] = 255
    np.testing.assert_allclose(body_points(masks, 0.5), [[13.0, 9.0]])


def test_keypoints_off_the_mask_lower_the_quality() -> None:
    picture, mask = draw_doll(0)
    estimator = UprightOnly()
    crop = crop_around(body_points(mask[None], 1.0), 0.0, 0.2, 128)
    found = estimator.estimate(crop.cut(picture)[None])
    assert pose_quality(found, crop, mask[None], 1.0) == pytest.approx(1.0)
    assert pose_quality(found, crop, np.roll(mask, 120, axis=1)[None], 1.0) == 0.0
    assert pose_quality(found, crop, np.zeros_like(mask)[None], 1.0) == pytest.approx(1.0)
    nothing = Estimate(np.full((1, 2, 17), np.nan), np.zeros((1, 17)))
    assert pose_quality(nothing, crop, mask[None], 1.0) == 0.0


def test_points_outside_the_picture_are_off_the_mask() -> None:
    mask = np.full((1, 20, 20), 255, np.uint8)
    position = np.array([[[5.0, 50.0, -3.0, np.nan], [5.0, 5.0, 5.0, 5.0]]])
    assert inside_share(position, mask, 1.0)[0] == pytest.approx(1 / 3)


def test_body_up_is_the_median_over_frames_that_have_a_trunk() -> None:
    position = np.full((5, 2, 17), np.nan)
    position[:4] = 0.0
    position[:4, 1, :11] = -10.0
    position[3, 1, :11] = 500.0  # one frame upside down
    up = body_up(position, COCO_17)
    assert up is not None
    np.testing.assert_allclose(up, [0, -10])
    assert body_up(np.full((5, 2, 17), np.nan), COCO_17) is None


@pytest.mark.parametrize("arms", [False, True])
@pytest.mark.parametrize("angle", [0, 37, 90, 135, 180, 250, 315])
def test_an_upright_only_estimator_finds_dolls_at_any_angle(angle: float, arms: bool) -> None:
    picture, mask = draw_doll(angle, arms=arms)
    found = find_orientation(picture[None], mask[None], 1.0, UprightOnly(), 0.2)
    assert found is not None
    assert apart(found.angle_deg, -angle) < 3
    assert found.source == ("across the mask axis" if arms else "mask axis")


@pytest.mark.parametrize("angle", [0, 90, 180, 270, 20, 200])
def test_without_a_useful_mask_quarter_turns_find_it(angle: float) -> None:
    picture, mask = draw_doll(angle)
    wrong = np.zeros_like(mask)
    wrong[:30, :20] = 255
    for masks in (None, np.zeros_like(mask)[None], wrong[None]):
        found = find_orientation(picture[None], masks, 1.0, UprightOnly(), 0.2)
        assert found is not None
        assert found.source == "whole picture"
        assert apart(found.angle_deg, -angle) < 3


def test_nobody_has_no_orientation() -> None:
    empty = np.full((3, 300, 400, 3), 40, np.uint8)
    assert find_orientation(empty, None, 1.0, UprightOnly(), 0.2) is None
