"""The similarity transform that turns an infant upright."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.errors import NotAssessable, Reason
from fidgety.pixels.alignment import JOINTS, SIDE, Alignment, fit_alignment
from fidgety.pixels.crop import crop
from fidgety.pose.tracks import Pose
from tests.report.conftest import body_pose


@pytest.fixture(scope="module")
def pose() -> Pose:
    return body_pose(8.0)


def moved(pose: Pose, angle_deg: float, scale: float, shift: tuple[float, float]) -> Pose:
    """Turn clockwise as seen, scale and shift all positions."""
    a = np.deg2rad(angle_deg)
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    flat = np.einsum("ij,tjk->tik", turn, pose.position[:, :2]) + np.array(shift)[:, None]
    return replace(pose, position=flat)


def to_crop(alignment: Alignment, xy: np.ndarray, size: int = 224) -> np.ndarray:
    m = alignment.matrix(size)
    return m[:, :2] @ xy + m[:, 2:]


def joints(pose: Pose, t: int) -> np.ndarray:
    return pose.position[t, :2][:, [pose.keypoints.index(n) for n in JOINTS]].astype(float)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(0.3, 4.0),
    st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
)
def test_a_moved_copy_is_aligned_alike(angle, scale, shift) -> None:
    """The law of a similarity: wherever the infant lies, its joints come to one place."""
    original = body_pose(4.0)
    copy = moved(original, angle, scale, shift)
    here, there = fit_alignment(original), fit_alignment(copy)
    for t in (0, 40, 80):
        np.testing.assert_allclose(
            to_crop(here, joints(original, t)), to_crop(there, joints(copy, t)), atol=0.05
        )


def test_the_head_is_up_and_the_trunk_has_its_length(pose: Pose) -> None:
    for angle in (0.0, 75.0, -140.0):
        lying = moved(pose, angle, 1.3, (200, 150))
        found = fit_alignment(lying)
        placed = np.median([to_crop(found, joints(lying, t)) for t in range(0, 200, 25)], axis=0)
        neck, crotch = placed[:, :2].mean(axis=1), placed[:, 2:].mean(axis=1)
        assert abs(neck[0] - crotch[0]) < 1.0
        assert crotch[1] - neck[1] == pytest.approx(224 / SIDE, rel=0.02)
        np.testing.assert_allclose(placed.mean(axis=1), 111.5, atol=1.0)


def test_mistakes_of_the_tracker_have_no_say(pose: Pose) -> None:
    position = pose.position.copy()
    position[75:76, :, pose.keypoints.index("left_hip")] += 400.0
    position[25::100, :, pose.keypoints.index("right_shoulder")] = np.nan
    wrong = fit_alignment(replace(pose, position=position))
    right = fit_alignment(pose)
    assert wrong.length_px == pytest.approx(right.length_px, rel=0.03)
    assert wrong.angle_deg == pytest.approx(right.angle_deg, abs=2.0)
    np.testing.assert_allclose(wrong.centre_px, right.centre_px, atol=2.0)


def test_a_trunk_that_is_seen_between_the_looks_is_found(pose: Pose) -> None:
    position = np.full_like(pose.position, np.nan)
    position[7:12] = pose.position[7:12]
    assert fit_alignment(replace(pose, position=position)).frames >= 2


def test_why_an_infant_cannot_be_aligned_is_told(pose: Pose) -> None:
    never = pose.position.copy()
    never[:, :, pose.keypoints.index("left_hip")] = np.nan
    with pytest.raises(NotAssessable, match="never seen together") as caught:
        fit_alignment(replace(pose, position=never))
    assert caught.value.reason is Reason.NO_BODY
    with pytest.raises(NotAssessable, match="never seen together"):
        fit_alignment(replace(pose, position=np.zeros_like(pose.position)))
    with pytest.raises(NotAssessable, match="not in pixels"):
        fit_alignment(replace(pose, units="trunk"))


def test_a_picture_is_cut_as_its_joints_are() -> None:
    """A turned, shifted and scaled copy of a picture gives the crop within two pixels."""
    rng = np.random.default_rng(1)
    picture = np.zeros((300, 400, 3), dtype=np.uint8)
    spots = rng.uniform([150, 90], [260, 220], size=(6, 2))
    for k, (x, y) in enumerate(spots):
        cv2.circle(picture, (round(x), round(y)), 6, (40 * k + 55, 255 - 40 * k, 128), -1)
    here = Alignment((200.0, 150.0), 60.0, 20.0, 5)
    a, scale = np.deg2rad(65.0), 1.5
    turn = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix = np.column_stack([turn, np.array([420.0, 330.0]) - turn @ np.array([200.0, 150.0])])
    copy = cv2.warpAffine(picture, matrix, (900, 700))
    # Turned by 65 degrees clockwise, it needs 65 degrees less.
    there = Alignment((420.0, 330.0), 60.0 * scale, 20.0 - 65.0, 5)
    first, second = crop(picture, here, 224), crop(copy.astype(np.uint8), there, 224)
    for k in range(len(spots)):
        colour = np.array([40 * k + 55, 255 - 40 * k, 128])
        places = [
            np.argwhere(np.abs(image.astype(int) - colour).sum(axis=2) < 60).mean(axis=0)
            for image in (first, second)
        ]
        assert np.linalg.norm(places[0] - places[1]) < 2.0
    difference = np.abs(first.astype(int) - second.astype(int)).mean()
    assert difference < 2.0


def test_what_lies_outside_the_picture_is_black() -> None:
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    image = crop(white, Alignment((0.0, 0.0), 40.0, 0.0, 1), 64)
    assert (image[:24, :24] == 0).all()
    assert (image[40:56, 40:56] == 255).all()
